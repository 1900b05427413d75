"""kill -9 before, in and after every stage: one pull request, no finished turn asked twice, nothing left behind."""

import time
from collections.abc import Callable
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

Moment = Callable[[World, Service, Callable[[], str]], str]
"""Sends the ticket (the callable), returns its run once the moment to kill has come."""

STAGES = ("workspace", "implement", "review", "setup", "lint", "tests", "publish")


def at_event(kind: str, **payload: Any) -> Moment:
    """When the run tells this."""

    def wait(_world: World, service: Service, send: Callable[[], str]) -> str:
        run_id = send()
        service.wait_for_event(run_id, lambda e: e["kind"] == kind and payload.items() <= e["payload"].items())
        return run_id

    return wait


def while_asking(prompt: str, *, answers: int) -> Moment:
    """While the model works on the request that follows so many of its answers to this prompt."""

    def asks(request: ModelRequest) -> bool:
        said = [i for i, text in request.prompts if prompt in text]
        return bool(said) and sum(m["role"] == "assistant" for m in request.messages[said[-1] :]) == answers

    return at_gate(lambda world: world.model.gate(asks))


def at_gate(gate: Callable[[World], Gate[Any]]) -> Moment:
    """While a request waits there."""

    def wait(world: World, _service: Service, send: Callable[[], str]) -> str:
        opened = gate(world)
        run_id = send()
        opened.wait()
        return run_id

    return wait


def fetches(request: GitRequest) -> bool:
    return request.service == "git-upload-pack"


def pushes(request: GitRequest) -> bool:
    return request.is_push


def opens(request: GitHubRequest) -> bool:
    return request.opens_pull


MOMENTS: dict[str, Moment] = {
    "accepted": lambda _world, _service, send: send(),
    **{f"{stage} begun": at_event("stage.started", stage=stage) for stage in STAGES},
    **{f"{stage} ended": at_event("stage.ended", stage=stage) for stage in STAGES},
    "fetching": at_gate(lambda world: world.git.gate(fetches)),
    "before the first answer": while_asking(IMPLEMENT, answers=0),
    "between answers": while_asking(IMPLEMENT, answers=2),
    "before the last answer": while_asking(IMPLEMENT, answers=3),
    "reviewing": while_asking(REVIEW, answers=0),
    "fixing the review": while_asking(FIX_REVIEW, answers=1),
    "fixing lint": while_asking(FIX_LINT, answers=0),
    "fixing tests": while_asking(FIX_TESTS, answers=1),
    "before the push": at_gate(lambda world: world.git.gate(pushes)),
    "pushed, not recorded": at_gate(lambda world: world.git.gate(pushes, after_work=True)),
    "before the pull request": at_gate(lambda world: world.github.gate(opens)),
    "opened, not recorded": at_gate(lambda world: world.github.gate(opens, after_work=True)),
    "pull request recorded": at_event("pull_request.opened"),
    "ended": at_event("run.status", status="pr_opened"),
}


PROMPTS = {
    "implement": IMPLEMENT,
    "review": REVIEW,
    "fix review": FIX_REVIEW,
    "fix lint 1": FIX_LINT,
    "fix tests 1": FIX_TESTS,
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_run_survives_the_services_death(moment: Moment) -> None:
    with World(CORRECTED) as world, world.service() as service:
        run_id = moment(world, service, lambda: service.accept(world.ticket()))
        killed_at = datetime.now(UTC)
        service.kill()
        assert_nothing_lives(world)
        asked_before = len(world.model.requests)
        world.open_gates()

        service.start()
        run = service.wait(run_id)

        assert (run["status"], run["error"]) == ("pr_opened", None)
        events = service.events(run_id)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert_published_once(world)
        assert_not_asked_again(world, asked_before, finished=turns_ended(events, before=killed_at))
        service.stop()
        assert_nothing_lives(world)


def assert_published_once(world: World) -> None:
    (pull,) = world.pulls
    assert (pull.state, pull.draft) == ("open", False)
    assert world.git.file(REPOSITORY, "ticket/proj-1", "src/states.txt") == "on, off\n"
    assert world.git.file(REPOSITORY, "ticket/proj-1", "src/theme.txt") == "light\ndark\n"
    assert len(world.git.log(REPOSITORY, "ticket/proj-1")) == 2
    assert list(world.workspace.joinpath("worktrees").rglob("*.txt")) == []


def assert_not_asked_again(world: World, asked_before: int, *, finished: set[str]) -> None:
    later = {world.prompt_of(request) for request in world.model.requests[asked_before:]}
    assert not {name for name in finished for prompt in later if PROMPTS[name] in prompt}


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
        run_id = while_asking(IMPLEMENT, answers=2)(world, service, lambda: service.accept(world.ticket()))
        service.stop()
        assert_nothing_lives(world)
        world.open_gates()

        service.start()
        run = service.wait(run_id)

        assert (run["status"], run["error"]) == ("pr_opened", None)
        assert_published_once(world)
        assert not [event for event in service.events(run_id) if event["kind"] == "error"]
