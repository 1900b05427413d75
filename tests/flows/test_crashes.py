"""kill -9 before, in and after every stage: one pull request, no finished turn asked twice, nothing left behind."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.git_server import GitRequest
from tests.fakes.github_api import GitHubRequest
from tests.fakes.scripts import ModelRequest
from tests.fakes.troubles import Gate
from tests.flows.leftovers import processes_in
from tests.flows.service import Json, Service
from tests.flows.world import CORRECTED, FIX_LINT, FIX_REVIEW, FIX_TESTS, IMPLEMENT, REPOSITORY, REVIEW, World

Come = Callable[[Service, str], object]
"""Blocks until a run's moment has come."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """For one moment of a run: what waits for it, and what lets go what it held."""

    come: Come
    release: Callable[[], None] = lambda: None


Moment = Callable[[World], Watch]
"""Begins to watch, before the run can get there."""


def at_event(kind: str, **payload: Any) -> Moment:
    """When the run tells this."""

    def told(event: Json) -> bool:
        return event["kind"] == kind and bool(payload.items() <= event["payload"].items())

    return lambda _world: Watch(come=lambda service, run_id: service.wait_for_event(run_id, told))


def while_asking(prompt: str, *, answers: int) -> Moment:
    """While the model works on the request that follows so many of its answers to this prompt.

    Or more of them: how often a turn asks that was cut off before is not known.
    """

    def asks(request: ModelRequest) -> bool:
        said = [i for i, text in request.prompts if prompt in text]
        return bool(said) and sum(m["role"] == "assistant" for m in request.messages[said[-1] :]) >= answers

    return at_gate(lambda world: world.model.gate(asks))


def at_gate(gate: Callable[[World], Gate[Any]]) -> Moment:
    """While a request waits there."""

    def watch(world: World) -> Watch:
        closed = gate(world)
        return Watch(come=lambda _service, _run_id: closed.wait(), release=closed.open)

    return watch


def begun(stage: str) -> Moment:
    return at_event("stage.started", stage=stage)


def ended(stage: str) -> Moment:
    return at_event("stage.ended", stage=stage)


def fetches(request: GitRequest) -> bool:
    return request.service == "git-upload-pack"


def pushes(request: GitRequest) -> bool:
    return request.is_push


def opens(request: GitHubRequest) -> bool:
    return request.opens_pull


MOMENTS: dict[str, Moment] = {
    "accepted": lambda _world: Watch(come=lambda _service, _run_id: None),
    "workspace begun": begun("workspace"),
    "fetching": at_gate(lambda world: world.git.gate(fetches)),
    "workspace ended": ended("workspace"),
    "implement begun": begun("implement"),
    "before the first answer": while_asking(IMPLEMENT, answers=0),
    "between answers": while_asking(IMPLEMENT, answers=2),
    "before the last answer": while_asking(IMPLEMENT, answers=3),
    "implement ended": ended("implement"),
    "review begun": begun("review"),
    "reviewing": while_asking(REVIEW, answers=0),
    "fixing the review": while_asking(FIX_REVIEW, answers=1),
    "review ended": ended("review"),
    "setup begun": begun("setup"),
    "setup ended": ended("setup"),
    "lint begun": begun("lint"),
    "fixing lint": while_asking(FIX_LINT, answers=0),
    "lint ended": ended("lint"),
    "tests begun": begun("tests"),
    "fixing tests": while_asking(FIX_TESTS, answers=1),
    "tests ended": ended("tests"),
    "publish begun": begun("publish"),
    "before the push": at_gate(lambda world: world.git.gate(pushes)),
    "pushed, not recorded": at_gate(lambda world: world.git.gate(pushes, after_work=True)),
    "before the pull request": at_gate(lambda world: world.github.gate(opens)),
    "opened, not recorded": at_gate(lambda world: world.github.gate(opens, after_work=True)),
    "pull request recorded": at_event("pull_request.opened"),
    "publish ended": ended("publish"),
    "ended": at_event("run.status", status="pr_opened"),
}
"""In the order of a run."""

# A run dies at every fifth moment: a death a run would cost a run for each, and moments that follow on each other
# closely could not be told apart.
CHAINS = [dict(list(MOMENTS.items())[first::5]) for first in range(5)]


PROMPTS = {
    "implement": IMPLEMENT,
    "review": REVIEW,
    "fix review": FIX_REVIEW,
    "fix lint 1": FIX_LINT,
    "fix tests 1": FIX_TESTS,
}


@dataclass(frozen=True)
class Death:
    """Of the service: at which moment, when, and after how many model requests."""

    moment: str
    at: datetime
    asked_before: int


@pytest.mark.parametrize("moments", CHAINS, ids=lambda moments: f"{next(iter(moments))} and on")
def test_a_run_survives_the_services_deaths(moments: Mapping[str, Moment]) -> None:
    with World(CORRECTED) as world, world.service() as service:
        watches = {name: moment(world) for name, moment in moments.items()}
        run_id = service.accept(world.ticket())
        deaths = [die(world, service, run_id, moment=name, watch=watch) for name, watch in watches.items()]
        run = service.wait(run_id)

        assert (run["status"], run["error"]) == ("pr_opened", None), list(moments)
        events = service.events(run_id)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), list(moments)
        assert_published_once(world)
        for death in deaths:
            assert_not_asked_again(world, death, finished=turns_ended(events, before=death.at))
        service.stop()
        assert_nothing_lives(world)


def die(world: World, service: Service, run_id: str, *, moment: str, watch: Watch) -> Death:
    """Kill the service at this moment, and start it again."""
    try:
        watch.come(service, run_id)
        at = datetime.now(UTC)
        service.kill()
        assert_nothing_lives(world)
        asked_before = len(world.model.requests)
        watch.release()
        service.start()
        assert len(world.pulls) <= 1
    except (AssertionError, TimeoutError) as error:
        error.add_note(f"At the moment: {moment}")
        raise
    return Death(moment, at, asked_before)


def assert_published_once(world: World) -> None:
    (pull,) = world.pulls
    assert (pull.state, pull.draft) == ("open", False)
    assert world.git.file(REPOSITORY, "ticket/proj-1", "src/states.txt") == "on, off\n"
    assert world.git.file(REPOSITORY, "ticket/proj-1", "src/theme.txt") == "light\ndark\n"
    assert len(world.git.log(REPOSITORY, "ticket/proj-1")) == 2
    assert list(world.workspace.joinpath("worktrees").rglob("*.txt")) == []


def assert_not_asked_again(world: World, death: Death, *, finished: set[str]) -> None:
    later = {world.prompt_of(request) for request in world.model.requests[death.asked_before :]}
    assert not {name for name in finished for prompt in later if PROMPTS[name] in prompt}, death.moment


def turns_ended(events: list[Json], *, before: datetime) -> set[str]:
    return {
        event["payload"]["turn"]
        for event in events
        if event["kind"] == "turn.ended" and datetime.fromisoformat(event["at"]) < before
    }


def assert_nothing_lives(world: World) -> None:
    """The CLI and what it started die with the service; the kernel may need a moment."""
    give_up = time.monotonic() + 10
    while (left := processes_in(world.directory)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert left == {}


def test_a_stop_in_the_middle_of_a_turn_is_no_failure() -> None:
    with World(CORRECTED) as world, world.service() as service:
        watch = while_asking(IMPLEMENT, answers=2)(world)
        run_id = service.accept(world.ticket())
        watch.come(service, run_id)
        service.stop()
        assert_nothing_lives(world)
        watch.release()

        service.start()
        run = service.wait(run_id)

        assert (run["status"], run["error"]) == ("pr_opened", None)
        assert_published_once(world)
        assert not [event for event in service.events(run_id) if event["kind"] == "error"]
