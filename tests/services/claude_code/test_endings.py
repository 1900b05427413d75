"""How turns and processes end before their time, with the real CLI: claims lost, tools that hang, processes killed."""

import asyncio
import os
import signal
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import ClaimLost, SessionLost, WorkFailed
from app.models import EventKind
from app.services.claude_code.client import ClaudeCodeClient
from app.services.claude_code.doors import Surroundings
from app.services.claude_code.options import CliSettings
from app.services.claude_code.results import end_in_words
from app.services.claude_code.transcripts import GO_ON
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import Reply, bash, conversation
from tests.services.claude_code.conftest import Told, children_in, prompt, session

HANGS = bash("python3 -c 'import time; time.sleep(600)'")


class HearsOfAToolCall:
    """Somebody who waits for a tool to be called, and may have lost the claim by then."""

    def __init__(self, *, claim_lost: bool = False) -> None:
        self._claim_lost = claim_lost
        self.called = asyncio.Event()

    async def __call__(self, kind: EventKind, _payload: Mapping[str, Any]) -> None:
        if kind is EventKind.TOOL_CALLED:
            self.called.set()
            if self._claim_lost:
                raise ClaimLost("Another worker has the run.")


async def test_a_claim_that_is_lost_ends_the_turn_and_its_process(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path
) -> None:
    model.script = conversation({"work": [Reply("", tools=[HANGS]), Reply("Done.")]})
    with pytest.raises(ClaimLost):
        await claude.run_implementation(session(worktree), prompt("work"), HearsOfAToolCall(claim_lost=True))
    assert children_in(worktree) == []
    assert len(model.requests) == 1


async def test_a_turn_that_is_cancelled_leaves_no_tool_at_work_and_can_go_on(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    model.script = conversation({"work": [Reply("", tools=[HANGS])]}, otherwise=Reply("Went on."))
    author, asked, hears = session(worktree), prompt("work"), HearsOfAToolCall()
    turn = asyncio.create_task(claude.run_implementation(author, asked, hears))
    await asyncio.wait_for(hears.called.wait(), 20)
    turn.cancel()
    await asyncio.wait({turn})
    await claude.close(author.id)
    assert children_in(worktree) == []

    model.script = conversation({}, otherwise=Reply("Went on."))
    assert (await claude.run_implementation(author, asked, told)).text == "Went on."
    assert [text for _, text in model.requests[-1].prompts] == ["work", GO_ON]


async def test_a_session_says_that_it_waits_for_a_process(
    around: Surroundings, model: MessagesApi, worktree: Path, told: Told
) -> None:
    claude = ClaudeCodeClient(surroundings=around, limit=1)
    first, second = session(worktree), session(worktree)
    try:
        with model.gate(lambda _: True) as gate:
            working = asyncio.create_task(claude.run_implementation(first, prompt("one"), told))
            await asyncio.to_thread(gate.wait)
            waiting = asyncio.create_task(claude.run_implementation(second, prompt("two"), told))
            await asyncio.wait({waiting}, timeout=0.2)
            assert (claude.waits(first.id), claude.waits(second.id)) == (False, True)
        await working
        await claude.close(first.id)
        assert (await waiting).text == "OK"
        assert not claude.waits(second.id)
    finally:
        await claude.stop()


async def test_a_process_that_is_killed_again_and_again_fails_the_turn_with_what_killed_it(
    claude: ClaudeCodeClient, model: MessagesApi, worktree: Path, told: Told
) -> None:
    killed: set[int] = set()

    def kill(_request: object) -> Reply:
        for pid in set(children_in(worktree)) - killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        return Reply("Too late.")

    model.script = kill
    why = r"it was killed \(SIGKILL\), as processes are when memory runs out\. It was resumed 3 times\. Retry the run"
    with pytest.raises(SessionLost, match=why):
        await claude.run_implementation(session(worktree), prompt("work"), told)
    assert len(told.of(EventKind.TURN_RESUMED)) == 3


async def test_a_process_that_does_not_start_says_why(around: Surroundings, worktree: Path, told: Told) -> None:
    program = worktree.parent / "cli"
    program.write_text("#!/bin/sh\necho 'auto-code: more than 256 MiB of memory (AGENT_MEMORY_MB)' >&2\nexit 1\n")
    program.chmod(0o755)
    claude = ClaudeCodeClient(surroundings=with_program(around, program), limit=1)
    try:
        with pytest.raises(
            SessionLost, match=r"ended while it started: more than 256 MiB of memory \(AGENT_MEMORY_MB\)\."
        ):
            await claude.run_implementation(session(worktree), prompt("work"), told)
    finally:
        await claude.stop()


async def test_a_spare_that_did_not_start_keeps_nobody_from_working(
    around: Surroundings, worktree: Path, told: Told
) -> None:
    program = worktree.parent / "cli"
    program.write_text("#!/bin/sh\ntouch $CLAUDE_CONFIG_DIR/started\nexit 1\n")
    program.chmod(0o755)
    claude = ClaudeCodeClient(surroundings=with_program(around, program), limit=1)
    await claude.start()
    try:
        author = session(worktree).model_copy(update={"id": await spare_of(claude, around.cli)})
        await claude.warm(author)
        program.unlink()
        program.symlink_to(around.cli.cli)
        async with asyncio.timeout(20):
            assert (await claude.run_implementation(author, prompt("work"), told)).text == "OK"
    finally:
        await claude.stop()


async def test_a_program_that_is_gone_fails_the_turn_with_what_to_do(
    around: Surroundings, worktree: Path, told: Told
) -> None:
    claude = ClaudeCodeClient(surroundings=with_program(around, worktree / "gone"), limit=1)
    try:
        with pytest.raises(WorkFailed, match=r"There is no Claude Code at .*gone\. Install"):
            await claude.run_implementation(session(worktree), prompt("work"), told)
    finally:
        await claude.stop()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (137, "it was killed (SIGKILL), as processes are when memory runs out"),
        (-15, "it was ended by SIGTERM"),
        (3, "it ended with status 3 and said nothing"),
    ],
)
def test_how_a_process_ended(status: int, words: str) -> None:
    assert end_in_words(status) == words


async def test_what_the_spare_of_a_dead_service_left_goes_at_the_next_start(
    around: Surroundings, worktree: Path, told: Told
) -> None:
    asked = session(worktree)
    first = ClaudeCodeClient(surroundings=around, limit=1)
    await first.run_implementation(asked, prompt("work"), told)
    await first.stop()
    left, used = str(uuid.uuid4()), str(uuid.uuid4())
    for each in (left, used, asked.id):
        (around.cli.state / each / "ground").mkdir(parents=True)
    ground = around.cli.state / used / "ground"
    at_work = await asyncio.create_subprocess_exec("sleep", "60", cwd=ground)

    again = ClaudeCodeClient(surroundings=around, limit=1)
    await again.start()
    await again.stop()
    at_work.kill()
    await at_work.wait()
    assert {path.name for path in around.cli.state.glob("[!.]*")} == {used, asked.id}


async def test_a_session_is_forgotten_with_all_that_it_left(
    claude: ClaudeCodeClient, cli: CliSettings, worktree: Path, told: Told
) -> None:
    author = session(worktree)
    await claude.run_implementation(author, prompt("work"), told)
    protected = cli.state / author.id / "home" / "protected"
    (protected / "deeper").mkdir(parents=True)
    (protected / "deeper").chmod(0)
    (protected / "link").symlink_to(worktree)
    protected.chmod(0o500)
    await claude.forget(author.id)
    assert not (cli.state / author.id).exists()
    assert worktree.is_dir()
    assert not await claude.remembers(author.id)


async def test_what_is_no_sessions_id_is_not_deleted(
    claude: ClaudeCodeClient, cli: CliSettings, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(WorkFailed, match="nothing was deleted"):
        await claude.forget("../../kept")
    assert (tmp_path / "kept").is_dir()
    assert cli.state.is_relative_to(tmp_path)


async def spare_of(claude: ClaudeCodeClient, cli: CliSettings) -> str:
    """The session of a spare that started, and ended, in the background."""
    for _ in range(400):
        if list(cli.state.glob("*/config/started")):
            await asyncio.sleep(0.5)  # for its end to be known, which nobody is told
            return await claude.reserve()
        await asyncio.sleep(0.05)
    raise AssertionError("no spare")


def with_program(around: Surroundings, program: Path) -> Surroundings:
    """The same surroundings of another program."""
    return replace(around, cli=around.cli.model_copy(update={"cli": program}))
