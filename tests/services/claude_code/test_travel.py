"""Sessions that go on on another machine, with the real CLI: all that is left of the first is the archive."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.models import Answer, EventKind
from app.services.claude_code.base import Archive, Permission, Prompt, SessionRef
from app.services.claude_code.base import Reply as PeoplesReply
from app.services.claude_code.client import ClaudeCodeClient
from app.services.claude_code.transcripts import GO_ON, GO_ON_RESTORED
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import (
    ModelRequest,
    Reply,
    ToolUse,
    agent,
    bash,
    conversation,
    propose_plan,
    write_file,
    write_plan,
)
from tests.services.claude_code.conftest import Told, prompt, tool_results, without_marks
from tests.services.claude_code.shelf import Lost, Shelf
from tests.surroundings import settings_for, surroundings

SESSION = "5a0c3f43-55a8-4d55-9a38-cf6d3b0e0a11"


@dataclass
class Machine:
    """Where a service runs: its client, and a worktree at a path of its own."""

    root: Path
    claude: ClaudeCodeClient
    session: SessionRef

    def without_its_disk(self) -> None:
        """Nothing is left of it."""
        shutil.rmtree(self.root)


Boot = Callable[..., AbstractAsyncContextManager[Machine]]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def boot(model: MessagesApi, shelf: Shelf, tmp_path: Path) -> Boot:
    """A machine of that name for a while, with its own paths."""

    @asynccontextmanager
    async def run(name: str, *, archive: Archive = shelf, restored: bool = False) -> AsyncIterator[Machine]:
        root = tmp_path / name
        worktree = root / f"{name}s-worktree"
        worktree.mkdir(parents=True, exist_ok=True)
        async with surroundings(settings_for(model, root)) as around:
            claude = ClaudeCodeClient(surroundings=around, limit=1, archive=archive)
            try:
                yield Machine(root, claude, SessionRef(id=SESSION, directory=worktree, restored=restored))
            finally:
                await claude.stop()

    return run


ADD = [
    Reply("", tools=[write_file("a.txt", "a\n"), agent("help with it")]),
    Reply("", tools=[ToolUse("TaskCreate", {"subject": "Test it", "description": "All of it."})]),
    Reply("Added."),
]
SCRIPT = {
    "add": ADD,
    "help": [Reply("", tools=[bash("ls")]), Reply("Helped.")],
    "list": [Reply("", tools=[ToolUse("TaskList", {})]), Reply("Listed.")],
}


async def test_a_session_goes_on_on_a_machine_that_never_saw_it(boot: Boot, model: MessagesApi, told: Told) -> None:
    model.script = conversation(SCRIPT)
    add = prompt("add a file")
    async with boot("first") as first:
        added = await first.claude.run_implementation(first.session, add, told)
    first.without_its_disk()
    before = len(model.requests)
    async with boot("second", restored=True) as second:
        assert await second.claude.remembers(SESSION)
        listed = await second.claude.run_implementation(second.session, prompt("list the tasks"), told)
        again = await second.claude.run_implementation(second.session, add, told)

    assert (again.text, listed.text, listed.session_id) == ("Added.", "Listed.", SESSION)
    assert 0 < added.session_cost_usd < listed.session_cost_usd
    assert [text for _, text in model.requests[-1].prompts] == ["add a file", "list the tasks"]
    assert "Test it" in str(tool_results(model.requests[-1])[0]["content"])
    assert_begins_alike(model.requests[before - 1], model.requests[before])


async def test_a_turn_that_was_cut_off_goes_on_elsewhere_and_is_told_of_older_files(
    boot: Boot, shelf: Shelf, model: MessagesApi, told: Told
) -> None:
    model.script = conversation({"add": [Reply("", tools=[write_file("a.txt", "a\n")]), Reply("Added.")]})
    add, way = prompt("add a file"), Lost(shelf)
    async with boot("first", archive=way) as first:
        with model.gate(lambda request: len(request.messages) > 2) as gate:
            turn = asyncio.create_task(first.claude.run_implementation(first.session, add, told))
            held = await asyncio.to_thread(gate.wait)
            await shelf.until(SESSION, "File created")
            way.lost = True
            turn.cancel()
            await asyncio.wait({turn})
    first.without_its_disk()
    async with boot("second", restored=True) as second:
        done = await second.claude.run_implementation(second.session, add, told)

    assert done.text == "Added."
    assert [text for _, text in model.requests[-1].prompts] == ["add a file", GO_ON_RESTORED]
    assert_begins_alike(held, model.requests[-1])


@pytest.mark.parametrize(
    ("permission", "asked"), [(Permission.ALONE, ["add a file", GO_ON_RESTORED]), (Permission.READ, ["add a file"])]
)
async def test_a_turn_that_had_ended_looks_again_only_where_its_files_may_be_older(
    permission: Permission, asked: list[str], boot: Boot, model: MessagesApi, told: Told
) -> None:
    add = prompt("add a file")
    async with boot("first") as first:
        await first.claude.run_turn(first.session, add, told, permission=permission)
    first.without_its_disk()
    async with boot("second", restored=True) as second:
        for _ in range(2):
            turn = await second.claude.run_turn(second.session, add, told, permission=permission)
    assert turn.text == "OK"
    assert [text for _, text in model.requests[-1].prompts] == asked


async def test_a_turn_that_goes_on_with_its_own_files_hears_nothing_of_older_ones(
    boot: Boot, model: MessagesApi, told: Told
) -> None:
    add = prompt("add a file")
    async with boot("first") as first:
        with model.gate(lambda _: True) as gate:
            turn = asyncio.create_task(first.claude.run_implementation(first.session, add, told))
            await asyncio.to_thread(gate.wait)
            turn.cancel()
            await asyncio.wait({turn})
    async with boot("first") as again:
        await again.claude.run_implementation(again.session, add, told)
    assert [text for _, text in model.requests[-1].prompts] == ["add a file", GO_ON]


async def test_a_session_that_was_elsewhere_meanwhile_comes_back_with_what_it_did_there(
    boot: Boot, model: MessagesApi, told: Told
) -> None:
    for name, text in [("first", "one"), ("second", "two"), ("first", "three")]:
        async with boot(name) as machine:
            await machine.claude.run_implementation(machine.session, prompt(text), told)
    assert [text for _, text in model.requests[-1].prompts] == ["one", "two", "three"]


async def test_a_plan_that_was_proposed_on_one_machine_is_approved_on_another(
    boot: Boot, model: MessagesApi, told: Told
) -> None:
    model.script = conversation(
        {
            "plan": [
                Reply("", tools=[write_plan("# The plan\n")]),
                Reply("Here.", tools=[propose_plan()]),
                Reply("Done."),
            ]
        }
    )
    async with boot("first") as first:
        waiting = await first.claude.run_turn(first.session, prompt("plan it"), told, permission=Permission.PLAN)
    first.without_its_disk()
    assert waiting.question is not None
    approved = PeoplesReply(
        question=waiting.question, answer=Answer(by="Ada", approved=True), prompt=Prompt(id=SESSION, text="Approved.")
    )
    async with boot("second") as second:
        done = await second.claude.run_turn(second.session, approved, told, permission=Permission.EDIT)
    assert done.text == "Done."
    assert "## Approved Plan:\n# The plan" in str(tool_results(model.requests[-1])[0]["content"])


async def test_an_archive_that_is_away_during_a_turn_gets_it_all_later(
    boot: Boot, shelf: Shelf, model: MessagesApi, told: Told
) -> None:
    async with boot("first") as first:
        with model.gate(lambda _: True) as gate:
            turn = asyncio.create_task(first.claude.run_implementation(first.session, prompt("one"), told))
            await asyncio.to_thread(gate.wait)
            shelf.away = True
            gate.open()
            assert (await turn).text == "OK"
        shelf.away = False
    assert '"text": "OK"' in shelf.text(SESSION)
    first.without_its_disk()
    async with boot("second") as second:
        await second.claude.run_implementation(second.session, prompt("two"), told)
    assert [text for _, text in model.requests[-1].prompts] == ["one", "two"]
    assert told.of(EventKind.TURN_RESUMED) == []


async def test_a_turn_ends_when_the_archive_has_it(boot: Boot, shelf: Shelf, model: MessagesApi, told: Told) -> None:
    async with boot("first") as first:
        with model.gate(lambda _: True) as gate:
            turn = asyncio.create_task(first.claude.run_implementation(first.session, prompt("one"), told))
            await asyncio.to_thread(gate.wait)
            shelf.ready.clear()
        done, _ = await asyncio.wait({turn}, timeout=1)
        assert not done
        shelf.ready.set()
        assert (await turn).text == "OK"
        assert '"text": "OK"' in shelf.text(SESSION)


async def test_what_a_killed_service_did_not_archive_its_next_start_does(
    boot: Boot, shelf: Shelf, model: MessagesApi, told: Told
) -> None:
    way = Lost(shelf)
    async with boot("first", archive=way) as first:
        await first.claude.run_implementation(first.session, prompt("one"), told)
        way.lost = True
        await first.claude.run_implementation(first.session, prompt("two"), told)
    assert "two" not in shelf.text(SESSION)
    async with boot("first") as again:
        await again.claude.run_implementation(again.session, prompt("three"), told)
    first.without_its_disk()
    async with boot("second") as second:
        await second.claude.run_implementation(second.session, prompt("four"), told)
    assert [text for _, text in model.requests[-1].prompts] == ["one", "two", "three", "four"]


async def test_a_sub_agents_transcript_is_archived_too_and_copies_of_requests_are_not(
    boot: Boot, shelf: Shelf, model: MessagesApi, told: Told
) -> None:
    model.script = conversation(SCRIPT)
    async with boot("first") as first:
        await first.claude.run_implementation(first.session, prompt("add a file"), told)
    parts = await shelf.entries(SESSION)
    (helper,) = (entries for part, entries in parts.items() if part.startswith("subagents/"))
    assert "Helped." in json.dumps(helper)
    assert "api-request" not in shelf.text(SESSION)


def assert_begins_alike(earlier: ModelRequest, later: ModelRequest) -> None:
    """The later request begins with all bytes of the earlier one, so that the model's cache holds."""

    def parts(request: ModelRequest) -> tuple[Any, Any, list[dict[str, Any]]]:
        return request.json["system"], request.json["tools"], without_marks(request.messages)

    (system, tools, messages), (later_system, later_tools, later_messages) = parts(earlier), parts(later)
    assert (later_system, later_tools) == (system, tools)
    assert later_messages[: len(messages)] == messages
