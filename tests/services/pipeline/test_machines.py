"""Runs and conversations that several machines work on, one after the other, with one store and one forge."""

import asyncio

from app.errors import ClaimLost, WorkFailed
from app.models import EventKind, Receipt, RunMode
from app.results import Checkpoint, Turn, Workspace
from app.services.claude_code.base import Emit, Permission, Prompt, Reply, SessionRef
from app.services.claude_code.mock_client import Answer
from app.services.github.base import Guard
from app.services.github.mock_client import MockGitHub
from app.services.store.mock_client import MockStore
from tests.services.pipeline.scripted_claude import EDITED, ScriptedClaude
from tests.services.pipeline.world import BRANCH, FILES, LIMIT_S, World

DARK = Answer(text="I added dark.", files={"theme.txt": "light\ndark\n"})


class Editing(ScriptedClaude):
    """Edits, says so, and ends its turn once it `may_end`. `asked_in` are the sessions of that."""

    def __init__(self) -> None:
        super().__init__({EDITED: DARK})
        self.may_end = asyncio.Event()
        self.asked_in: list[SessionRef] = []

    async def run_turn(
        self,
        session: SessionRef,
        ask: Prompt | Reply,
        emit: Emit,
        *,
        permission: Permission,
        model: str | None = None,
    ) -> Turn:
        self.asked_in.append(session)
        turn = await super().run_turn(session, ask, emit, permission=permission, model=model)
        await self.may_end.wait()
        return turn


class Overtaken(MockGitHub):
    """As it begins to push, another worker takes the run."""

    def __init__(self, world: World) -> None:
        super().__init__(world.root, FILES, forge=world.forge)
        self._next = MockStore(beside=world.store, shared=True)
        self._world = world
        self.refused = asyncio.Event()

    async def push(self, workspace: Workspace, commit: str, *, guard: Guard) -> None:
        run = (await self._world.conversation()).run
        await self._next.take(run.id, "the next")
        try:
            await super().push(workspace, commit, guard=guard)
        except ClaimLost:
            self.refused.set()
            raise


class Unpackable(MockGitHub):
    """Its worktrees cannot be packed."""

    async def checkpoint(self, workspace: Workspace) -> Checkpoint | None:
        raise WorkFailed(f"{workspace.branch} cannot be packed.")


def shared(world: World, github: MockGitHub | None = None) -> World:
    """Other machines have the world's store, too."""
    world.store = MockStore(shared=True)
    world.github = github or world.github
    return world


async def kept(world: World) -> Checkpoint:
    """The checkpoint that has files, once there is one."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            found = await world.store.checkpoint("PROJ-1", world.github.name)
            if found is not None and found.bundle is not None:
                return found
            await asyncio.sleep(0)


async def test_edits_are_kept_while_the_author_still_works(world: World) -> None:
    shared(world).claude = claude = Editing()
    receipt = await world.say("Add dark.")

    await kept(world)

    assert (await world.store.run(str(receipt.run_id))).status == "running"
    claude.may_end.set()
    assert (await world.settled(receipt)).outcome == "Changed 1 file; no pull request yet."


async def test_a_turn_whose_machine_is_lost_goes_on_with_what_was_kept(world: World) -> None:
    shared(world).claude = claude = Editing()
    receipt = await world.say("Add dark.")
    await kept(world)
    await world.stop()
    world.lose_machine()
    claude.may_end.set()

    await world.start()
    run = await world.settled(receipt)

    assert run.outcome == "Changed 1 file; no pull request yet."
    assert (world.worktree / "theme.txt").read_text() == "light\ndark\n"
    assert [session.restored for session in claude.asked_in] == [False, True]
    assert claude.asked_in[1].directory == world.worktree


async def test_the_next_message_goes_on_with_the_work_of_another_machine(world: World) -> None:
    shared(world).claude.plays[EDITED] = DARK
    await world.turn("Add dark.")
    await world.stop()
    world.lose_machine()
    world.claude.plays[EDITED] = Answer(text="More.", files={"more.txt": "more\n"})
    await world.start()

    run = await world.turn("And more.", auto_pr=True)

    assert run.status == "pr_opened"
    files = world.github.files(BRANCH)
    assert (files["theme.txt"], files["more.txt"]) == ("light\ndark\n", "more\n")


async def test_a_worker_whose_run_was_taken_over_publishes_nothing(world: World) -> None:
    github = Overtaken(shared(world))
    world.github = github
    await world.start()
    receipt = await world.submit()
    async with asyncio.timeout(LIMIT_S):
        await github.refused.wait()
    await world.stop()

    assert BRANCH not in github.heads
    assert world.forge.proposals == []
    run = await world.store.run(str(receipt.run_id))
    assert (run.status, run.error) == ("running", None)
    assert await world.events(run.id, EventKind.PUBLISH_FAILED) == []


async def test_work_that_cannot_be_packed_fails_no_run(world: World) -> None:
    run = await shared(world, Unpackable(world.root, FILES, forge=world.forge)).work()

    assert run.status == "pr_opened"


async def test_nothing_is_packed_where_there_is_one_machine(world: World) -> None:
    world.github = Unpackable(world.root, FILES, forge=world.forge)
    world.claude.plays[EDITED] = DARK
    receipt: Receipt = await world.say("Add dark.", mode=RunMode.EDITS)

    await world.settled(receipt)

    assert await world.store.checkpoint("PROJ-1", world.github.name) is None
