"""Changes that people see while the author still works, and a look at them that fails."""

import asyncio
from pathlib import Path

import pytest

from app.errors import StoreUnavailable, WorkFailed
from app.models import EventKind, Receipt, RunMode
from app.results import Changes, Turn, Workspace
from app.services.claude_code.base import Emit, Permission, Prompt, Reply, SessionRef
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.scripted_claude import ASKED, EDITED, ScriptedClaude
from tests.services.pipeline.world import FILES, LIMIT_S, World

DARK = Answer(text="I added dark.", files={"theme.txt": "light\ndark\n"})


class Unhurried(ScriptedClaude):
    """Plays its turn and does not end it yet: writes what `then` names, up to None."""

    def __init__(self) -> None:
        super().__init__({EDITED: DARK})
        self.then: asyncio.Queue[str | None] = asyncio.Queue()

    async def run_turn(
        self,
        session: SessionRef,
        ask: Prompt | Reply,
        emit: Emit,
        *,
        permission: Permission,
        model: str | None = None,
    ) -> Turn:
        turn = await super().run_turn(session, ask, emit, permission=permission, model=model)
        async with asyncio.timeout(LIMIT_S):
            while (name := await self.then.get()) is not None:
                (session.directory / name).write_text("written\n")
                await emit(EventKind.TOOL_CALLED, {"id": name, "name": "Bash", "input": {}, "role": "author"})
                await emit(EventKind.TOOL_RETURNED, {"id": name, "content": "", "failed": False, "role": "author"})
        return turn


class ShortSighted(MockGitHub):
    """Sees no change as long as `trouble` lasts. `looked` tells that it was asked."""

    def __init__(self, root: Path, trouble: Exception | None) -> None:
        super().__init__(root, FILES)
        self.trouble = trouble
        self.looked = asyncio.Event()

    async def changes(self, workspace: Workspace, *, patch_bytes: int = 2_000_000) -> Changes:
        self.looked.set()
        if self.trouble is not None:
            raise self.trouble
        return await super().changes(workspace, patch_bytes=patch_bytes)


@pytest.fixture
def claude(world: World) -> Unhurried:
    world.claude = Unhurried()
    return world.claude


async def shown(world: World) -> None:
    """Somebody has seen changes."""
    async with asyncio.timeout(LIMIT_S):
        while not await world.store.changes("PROJ-1"):  # noqa: ASYNC110 - what is stored tells nobody here
            await asyncio.sleep(0)


async def ended(world: World, claude: Unhurried, receipt: Receipt) -> str | None:
    claude.then.put_nowait(None)
    return (await world.settled(receipt)).outcome


async def test_an_edit_is_seen_before_the_turn_has_ended(world: World, claude: Unhurried) -> None:
    receipt = await world.say("Add dark.")
    await shown(world)

    (change,) = await world.store.changes("PROJ-1")
    assert ("+dark" in change.patch, change.unpublished) == (True, True)
    assert (await world.store.run(str(receipt.run_id))).status == "running"
    assert await ended(world, claude, receipt) == "Changed 1 file; no pull request yet."
    told = await world.events(str(receipt.run_id), EventKind.CHANGES_UPDATED)
    assert [event.payload["added"] for event in told] == [1], "what is known is not said again"


async def test_a_turn_that_edits_nothing_is_not_looked_at(world: World, claude: Unhurried) -> None:
    world.github = eyes = ShortSighted(world.root, None)
    claude.plays[ASKED] = Answer(text="In theme.txt.")
    receipt = await world.say("Where?", mode=RunMode.ASK)
    async with asyncio.timeout(LIMIT_S):
        while not claude.open_sessions:  # noqa: ASYNC110 - the mock tells nobody
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)

    assert not eyes.looked.is_set()
    assert await ended(world, claude, receipt) == "Answered."


@pytest.mark.parametrize(
    "trouble", [WorkFailed("git is away."), StoreUnavailable("The database is away."), OSError("The disk is full.")]
)
async def test_a_look_that_fails_fails_no_run(world: World, claude: Unhurried, trouble: Exception) -> None:
    world.github = eyes = ShortSighted(world.root, trouble)
    receipt = await world.say("Add dark.")
    async with asyncio.timeout(LIMIT_S):
        await eyes.looked.wait()
    eyes.trouble = None

    assert await ended(world, claude, receipt) == "Changed 1 file; no pull request yet."


async def test_after_a_look_that_failed_the_next_edit_is_seen(world: World, claude: Unhurried) -> None:
    world.github = eyes = ShortSighted(world.root, StoreUnavailable("The database is away."))
    receipt = await world.say("Add dark.")
    async with asyncio.timeout(LIMIT_S):
        await eyes.looked.wait()
    eyes.trouble = None
    claude.then.put_nowait("more.txt")
    await shown(world)

    assert [file.path for file in (await world.store.changes("PROJ-1"))[0].files] == ["more.txt", "theme.txt"]
    assert await ended(world, claude, receipt) == "Changed 2 files; no pull request yet."
