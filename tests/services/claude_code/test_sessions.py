"""Sessions with the real CLI: spare, resume, limit, silence."""

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import SessionLost, WorkFailed
from app.models import EventKind
from app.services.claude_code.base import Permission, SessionRef
from app.services.claude_code.client import ClaudeCodeClient
from app.services.claude_code.doors import Surroundings
from app.services.claude_code.options import CliSettings
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import Reply, bash, conversation, read_file, write_file
from tests.services.claude_code.conftest import Told, children_in, prompt, session
from tests.surroundings import settings_for, surroundings


async def test_text_is_told_while_it_is_written(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    whole = "A text of several pieces, which come one by one."
    model.script = conversation({"explain": [Reply(whole, tools=[write_file("a.txt", "a\n")]), Reply("Done.")]})
    with model.gate(lambda request: len(request.messages) > 2) as gate:
        turn = asyncio.create_task(claude.run_implementation(session(worktree), prompt("explain"), told))
        await asyncio.to_thread(gate.wait)
        seen = [(kind, payload) for kind, payload in told.events if kind in {EventKind.WRITING, EventKind.TEXT}]
    await turn
    assert seen[0] == (EventKind.WRITING, {"text": whole[:12], "role": "author"})
    assert all(whole.startswith(payload["text"]) for _, payload in seen)
    assert seen[-1] == (EventKind.TEXT, {"text": whole, "role": "author"})


@pytest.mark.parametrize("chosen", [None, "claude-opus-4-8"], ids=["plain", "chosen"])
async def test_a_spare_that_moves_in_asks_exactly_what_a_fresh_process_asks(
    chosen: str | None,
    claude: ClaudeCodeClient,
    cli: CliSettings,
    model: MessagesApi,
    tmp_path: Path,
    told: Told,
) -> None:
    spare_id, ground = await a_spare(claude)
    worktree = ground.rename(tmp_path / "worktree")
    (worktree / ".git").mkdir()
    (spare,) = children_in(worktree)
    for session_id in (spare_id, session(worktree).id):
        author = SessionRef(id=session_id, directory=worktree)
        await claude.run_turn(author, prompt("hello"), told, permission=Permission.EDIT, model=chosen)

    assert spare in children_in(worktree)
    moved, fresh = (without_ids(request.json) for request in model.requests)
    assert moved == fresh
    assert str(worktree) in json.dumps(moved)
    assert moved["model"] == (chosen or cli.model)


async def test_a_spare_does_not_move_to_where_its_room_does_not_reach(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    spare_id, _ = await a_spare(claude)
    model.script = conversation({"add": [Reply("", tools=[write_file("a.txt", "a\n")]), Reply("Added.")]})
    await claude.run_implementation(SessionRef(id=spare_id, directory=worktree), prompt("add a file"), told)
    assert (worktree / "a.txt").read_text() == "a\n"


async def a_spare(claude: ClaudeCodeClient) -> tuple[str, Path]:
    """The session of a spare, which opens in the background, and where it waits."""
    for _ in range(100):
        session_id = await claude.reserve()
        if (ground := await claude.ground(session_id)) is not None:
            return session_id, ground
        await asyncio.sleep(0.05)
    raise AssertionError("no spare")


async def test_a_session_is_resumed_by_another_service(
    claude: ClaudeCodeClient, around: Surroundings, model: MessagesApi, worktree: Path, told: Told
) -> None:
    author = session(worktree)
    await claude.run_implementation(author, prompt("remember this"), told)
    await claude.stop()
    other = ClaudeCodeClient(surroundings=around, limit=1)
    try:
        assert await other.remembers(author.id)
        await other.run_implementation(author, prompt("what was it"), told)
    finally:
        await other.stop()

    assert [text for _, text in model.requests[-1].prompts] == ["remember this", "what was it"]


async def test_a_process_that_dies_is_resumed_and_the_turn_goes_on(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    model.script = conversation({"add": [Reply("", tools=[write_file("a.txt", "a\n")]), Reply("Added.")]})
    with model.gate(lambda request: len(request.messages) > 2) as gate:
        turn = asyncio.create_task(claude.run_implementation(session(worktree), prompt("add a file"), told))
        await asyncio.to_thread(gate.wait)
        for pid in children_in(worktree):
            os.kill(pid, signal.SIGKILL)
    assert (await turn).text == "Added."
    assert len(told.of(EventKind.TURN_RESUMED)) == 1
    assert (worktree / "a.txt").read_text() == "a\n"


async def test_a_silent_model_is_interrupted_and_asked_to_go_on(
    around: Surroundings, model: MessagesApi, worktree: Path, told: Told
) -> None:
    model.fault("hang_mid_stream")
    claude = ClaudeCodeClient(surroundings=with_cli(around, {"idle_s": 1.0}), limit=1)
    try:
        turn = await claude.run_implementation(session(worktree), prompt("hello"), told)
    finally:
        await claude.stop()
    assert turn.text == "OK"
    assert "said nothing for 1 s" in told.of(EventKind.TURN_RESUMED)[0]["reason"]


async def test_a_model_that_stays_silent_fails_the_turn(
    around: Surroundings, model: MessagesApi, worktree: Path, told: Told
) -> None:
    model.fault("hang_before_headers", times=None)
    claude = ClaudeCodeClient(surroundings=with_cli(around, {"idle_s": 0.5}), limit=1)
    try:
        with pytest.raises(SessionLost, match="went silent 4 times"):
            await claude.run_implementation(session(worktree), prompt("hello"), told)
    finally:
        await claude.stop()


async def test_a_tool_that_takes_its_time_is_no_silence(
    around: Surroundings, model: MessagesApi, worktree: Path, told: Told
) -> None:
    slow = bash("python3 -c 'import time; time.sleep(2.5)'")
    model.script = conversation({"build": [Reply("", tools=[slow]), Reply("Built.")]})
    claude = ClaudeCodeClient(surroundings=with_cli(around, {"idle_s": 1.5}), limit=1)
    try:
        turn = await claude.run_implementation(session(worktree), prompt("build it"), told)
    finally:
        await claude.stop()
    assert turn.text == "Built."
    assert told.of(EventKind.TURN_RESUMED) == []


async def test_where_no_process_may_be_added_the_author_makes_room_for_the_reviewer(
    around: Surroundings, model: MessagesApi, worktree: Path, told: Told
) -> None:
    claude = ClaudeCodeClient(surroundings=around, limit=1)
    author, reviewer = session(worktree), session(worktree)
    try:
        await claude.run_implementation(author, prompt("first"), told)
        assert len(children_in(worktree)) == 1
        with model.gate(lambda request: "review" in request.prompt) as gate:
            review = asyncio.create_task(claude.run_code_review(reviewer, prompt("review"), told, beside=author.id))
            await asyncio.to_thread(gate.wait)
            assert len(children_in(worktree)) == 1
        await review
        await claude.run_implementation(author, prompt("second"), told)
    finally:
        await claude.stop()
    assert [text for _, text in model.requests[-1].prompts] == ["first", "second"]
    assert children_in(worktree) == []


async def test_the_reviewer_can_read_and_nothing_else(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    (worktree / "a.txt").write_text("a\n")
    model.script = conversation(
        {
            "review": [
                Reply("", tools=[read_file("a.txt"), write_file("b.txt", "b\n"), bash("touch c.txt")]),
                Reply("Done."),
            ]
        }
    )
    await claude.run_code_review(session(worktree), prompt("review"), told, beside="nobody")

    assert model.requests[0].tools == {"Read", "Glob", "Grep"}
    names = {call["id"]: call["name"] for call in told.of(EventKind.TOOL_CALLED)}
    outcomes = {names[returned["id"]]: returned["failed"] for returned in told.of(EventKind.TOOL_RETURNED)}
    assert outcomes == {"Read": False, "Write": True, "Bash": True}
    assert sorted(path.name for path in worktree.iterdir()) == ["a.txt"]


async def test_a_refused_credential_is_said_at_once(
    model: MessagesApi, tmp_path: Path, worktree: Path, told: Told
) -> None:
    async with surroundings(settings_for(model, tmp_path, anthropic_api_key="wrong")) as around:
        claude = ClaudeCodeClient(surroundings=around, limit=1)
        try:
            with pytest.raises(WorkFailed, match="Check ANTHROPIC_API_KEY"):
                await claude.run_implementation(session(worktree), prompt("hello"), told)
        finally:
            await claude.stop()


def with_cli(around: Surroundings, changed: dict[str, object]) -> Surroundings:
    """The same surroundings of a CLI with other settings."""
    return replace(around, cli=around.cli.model_copy(update=changed))


def without_ids(body: dict[str, object]) -> dict[str, object]:
    """A request without what names its session."""
    return {name: value for name, value in body.items() if name != "metadata"}
