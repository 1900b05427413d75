"""Bad days at the far side: what passes is waited out, what does not ends in one sentence that says what to do."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.fakes.forge import Pull
from tests.fakes.git_server import GitRequest
from tests.fakes.scripts import Reply
from tests.flows.leftovers import processes_in
from tests.flows.service import Service
from tests.flows.world import CLEAN, IMPLEMENT, REPOSITORY, TOKEN, WITHOUT_GATES, World

Fault = Callable[[World], None]
Place = tuple[World, Service]

REFUSED, DONE_ALREADY = "NO-1", "DONE-1"
"""Tickets that the model answers in its own way."""

TURNS = {
    f"{IMPLEMENT} {REFUSED}": [Reply("I can't help with that.", stop_reason="refusal")],
    f"{IMPLEMENT} {DONE_ALREADY}": [Reply("It is there already.")],
    **CLEAN,
}

_numbers = count(1)


def place(**settings: str) -> Iterator[Place]:
    """A service in a world, for many tickets: a start takes longer than a ticket. Nobody reviews them."""
    with World(TURNS) as world, world.service(PIPELINE_REVIEW="false", **settings) as service:
        yield world, service


@pytest.fixture(scope="module")
def usual() -> Iterator[Place]:
    yield from place()


@pytest.fixture(scope="module")
def watchful() -> Iterator[Place]:
    """It soon gives up on a model that is silent."""
    yield from place(CLAUDE_IDLE_TIMEOUT_S="3")


@pytest.fixture(scope="module")
def impatient() -> Iterator[Place]:
    """It tries nothing of the model's again."""
    yield from place(CLAUDE_MAX_RETRIES="0", CLAUDE_PATIENCE_S="1")


@pytest.fixture
def key() -> str:
    """A ticket of the test's own."""
    return f"PROJ-{next(_numbers)}"


def branch(key: str) -> str:
    return f"ticket/{key.lower()}"


def pulls(world: World, key: str) -> list[Pull]:
    return [pull for pull in world.pulls if pull.head == branch(key)]


def model(kind: int | str, times: int | None = 1, headers: dict[str, str] | None = None) -> Fault:
    """Something goes wrong with model requests after the first."""
    return lambda world: world.model.fault(kind, times=times, when=lambda r: IMPLEMENT in r.prompt, headers=headers)


def fetch(kind: int | str, times: int | None = 1) -> Fault:
    return lambda world: world.git.fault(kind, times=times, when=lambda r: not r.is_push)


def pushes(request: GitRequest) -> bool:
    return request.is_push


def push(kind: int | str, times: int | None = 1) -> Fault:
    return lambda world: world.git.fault(kind, times=times, when=pushes)


def forge(kind: int | str, times: int | None = 1, *, opening: bool = False) -> Fault:
    return lambda world: world.github.fault(kind, times=times, when=lambda r: r.opens_pull or not opening)


PASSING: dict[str, Fault] = {
    "model 429 with retry-after": model(429, headers={"retry-after": "1"}),
    "model 529": model(529),
    "model 500 beyond the CLI's own tries": model(500, times=4),
    "model cut in mid-stream": model("cut_mid_stream"),
    "model cut before headers": model("cut_before_headers"),
    "model malformed stream": model("malformed_sse"),
    "model empty answer": model("empty_200"),
    "model answers in HTML": model("html_200"),
    "model silent before headers": model("hang_before_headers"),
    "model silent in mid-stream": model("hang_mid_stream"),
    "fetch 503": fetch(503),
    "fetch cut": fetch("cut_before_headers"),
    "fetch slow": fetch("slow", times=3),
    "push 500": push(500),
    "push slow": push("slow"),
    "push happened, its answer was lost": push("cut_after_work", times=1),
    "gh 502": forge(502),
    "gh 403 secondary limit": forge("secondary_limit"),
    "pull request opened, its answer was lost": forge("cut_after_work", opening=True),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_waited_out(watchful: Place, key: str, fault: Fault) -> None:
    world, service = watchful
    fault(world)
    run = service.wait(service.accept(world.ticket(key)))
    world.mend()

    assert (run["status"], run["error"]) == ("pr_opened", None)
    (pull,) = pulls(world, key)
    assert pull.state == "open"
    assert world.git.file(REPOSITORY, branch(key), "src/toggle.txt") == "toggle\n"
    assert len(world.git.log(REPOSITORY, branch(key))) == 2


LASTING: dict[str, tuple[Fault, str]] = {
    "model 401": (model(401, times=None), "Check ANTHROPIC_API_KEY"),
    "model 529": (model(529, times=None), "Retry the run"),
    "model 400": (model(400, times=None), "Look at the conversation"),
    "fetch 503": (fetch(503, times=None), "github.com"),
    "fetch 401": (fetch(401, times=None), "GH_TOKEN"),
    "push 403": (push(403, times=None), "GH_TOKEN"),
    "gh 502": (forge(502, times=None), "502"),
    "gh 401": (forge(401, times=None), "GH_TOKEN"),
}


@pytest.mark.parametrize(("fault", "advice"), LASTING.values(), ids=LASTING)
def test_what_lasts_fails_the_run_with_one_sentence_and_a_retry_goes_on(
    impatient: Place, key: str, fault: Fault, advice: str
) -> None:
    world, service = impatient
    fault(world)
    run = service.wait(service.accept(world.ticket(key)))
    world.mend()

    assert run["status"] == "failed"
    assert advice in run["error"]
    assert pulls(world, key) == []

    retried = service.http.post(f"/api/v1/runs/{run['id']}/retry").json()
    assert service.wait(retried["run_id"])["status"] == "pr_opened"
    assert len(pulls(world, key)) == 1


def test_a_forge_that_is_away_fails_the_run_and_a_retry_goes_on(impatient: Place, key: str) -> None:
    world, service = impatient
    with world.git.gate(pushes) as gate:
        run_id = service.accept(world.ticket(key))
        gate.wait()
        world.git.stop()
    run = service.wait(run_id)
    world.git.start()

    assert (run["status"], pulls(world, key)) == ("failed", [])
    assert "github.com" in run["error"]
    retried = service.http.post(f"/api/v1/runs/{run_id}/retry").json()
    assert service.wait(retried["run_id"])["status"] == "pr_opened"


def test_a_token_that_is_replaced_twice_while_a_run_goes_on_is_fetched_anew_at_each_write() -> None:
    with World() as world:
        file = world.directory / "token"
        file.write_text(TOKEN)
        settings = {**WITHOUT_GATES, "GH_TOKEN": "", "GH_TOKEN_FILE": str(file)}
        working = world.model.gate(lambda r: IMPLEMENT in r.prompt)
        pushed = world.git.gate(pushes, after_work=True)
        with world.service(**settings) as service:
            run_id = service.accept(world.ticket())
            for gate, token in ((working, f"{TOKEN}2"), (pushed, f"{TOKEN}3")):
                gate.wait()
                world.git.token = world.github.token = token
                file.write_text(f"{token}\n")
                gate.open()
            run = service.wait(run_id)

    assert (run["status"], run["error"]) == ("pr_opened", None)
    assert len(world.pulls) == 1


def test_a_refused_credential_is_not_tried_again_for_minutes() -> None:
    with World() as world, world.service(CLAUDE_MAX_RETRIES="10") as service:
        world.model.fault(401, times=None)
        started = time.monotonic()
        run = service.wait(service.accept(world.ticket()))

        assert run["status"] == "failed"
        assert time.monotonic() - started < 20
        assert len([request for request in world.model.requests if request.path == "/v1/messages"]) == 1


def test_a_refused_push_says_the_remotes_reason_and_keeps_the_work(usual: Place, key: str) -> None:
    world, service = usual
    world.git.set_hook(REPOSITORY, "pre-receive", "#!/bin/sh\necho 'branch names must match feature/*' >&2\nexit 1\n")
    run = service.wait(service.accept(world.ticket(key)))
    world.git.set_hook(REPOSITORY, "pre-receive", "#!/bin/sh\n")

    assert run["status"] == "failed"
    assert "branch names must match feature/*" in run["error"]
    worktree = world.workspace / "worktrees" / branch(key)
    assert (worktree / "src" / "toggle.txt").read_text() == "toggle\n"


def test_a_refusal_of_the_model_is_said(usual: Place) -> None:
    world, service = usual
    run = service.wait(service.accept(world.ticket(REFUSED)))

    assert run["status"] in {"failed", "idle"}
    assert run["error"] or run["outcome"]
    assert pulls(world, REFUSED) == []


def test_a_missing_cli_is_said() -> None:
    with World() as world, world.service(CLAUDE_CLI=str(world.directory / "nowhere")) as service:
        run = service.wait(service.accept(world.ticket()))

        assert run["status"] == "failed"
        assert "There is no Claude Code at" in run["error"]


def test_a_killed_cli_is_resumed_in_its_session(usual: Place, key: str) -> None:
    world, service = usual
    with world.model.gate(lambda r: IMPLEMENT in r.prompt and len(r.messages) > 2) as gate:
        run_id = service.accept(world.ticket(key))
        gate.wait()
        kill(clis(world, but=service.pid))
    run = service.wait(run_id)

    assert run["status"] == "pr_opened"
    assert len({request.session_id for request in world.asked(f"{IMPLEMENT} {key}")}) == 1
    assert any(event["kind"] == "turn.resumed" for event in service.events(run_id))


def test_two_people_who_push_in_between_lose_nothing(usual: Place, key: str) -> None:
    world, service = usual
    with world.git.gate(pushes) as gate:
        run_id = service.accept(world.ticket(key))
        gate.wait()
        world.git.commit_as_human(REPOSITORY, branch(key), {"notes.txt": "by hand\n"}, "A note")
    run = service.wait(run_id)

    assert (run["status"], run["error"]) == ("pr_opened", None)
    assert world.git.file(REPOSITORY, branch(key), "notes.txt") == "by hand\n"
    assert world.git.file(REPOSITORY, branch(key), "src/toggle.txt") == "toggle\n"
    assert "A note" in "\n".join(world.git.log(REPOSITORY, branch(key)))


def test_a_change_that_is_empty_opens_nothing_and_says_so(usual: Place) -> None:
    world, service = usual
    run = service.wait(service.accept(world.ticket(DONE_ALREADY)))

    assert (run["status"], run["error"]) == ("idle", None)
    assert "No changes" in run["outcome"]
    assert "It is there already." in run["outcome"]
    assert pulls(world, DONE_ALREADY) == []
    assert branch(DONE_ALREADY) not in world.git.heads(REPOSITORY)


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    give_up = time.monotonic() + 10
    while any(map(lives, pids)) and time.monotonic() < give_up:
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def clis(world: World, *, but: int) -> list[int]:
    """Claude Code processes that work in a worktree."""
    worktrees = str(world.workspace / "worktrees")
    found = [pid for pid in processes_in(world.directory) if pid != but]
    return [pid for pid in found if str(Path(f"/proc/{pid}/cwd").readlink()).startswith(worktrees)]
