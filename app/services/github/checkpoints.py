"""Worktrees on their way between machines: what one of them packs, and what another one makes of it.

Whose work is newer is told by marks: each machine counts the checkpoints that it makes, and remembers the count of
those that it went on from.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid5

from pydantic import ValidationError

from app.errors import WorkFailed
from app.logger import get_logger
from app.results import Checkpoint, Workspace
from app.services.github.bundles import header_of, make, size_of, take_in
from app.services.github.origin import TRACKED, Origin
from app.services.github.records import Mark, Memory, Record, State
from app.services.github.workshop import Workshop

_log = get_logger(__name__)

LARGEST_BUNDLE = 32 << 20

Fetch = Callable[[str], Awaitable[object]]
"""Brings our copy of a base, and of the service's branches, up to date."""


class Checkpoints:
    """Makes checkpoints of one repository's worktrees, and worktrees of checkpoints. Callers hold the branch."""

    def __init__(self, workshop: Workshop, origin: Origin, *, largest: int = LARGEST_BUNDLE) -> None:
        self._workshop = workshop
        self._origin = origin
        self._largest = largest

    async def make(self, workspace: Workspace) -> Checkpoint | None:
        """See GitHub."""
        workshop, branch = self._workshop, workspace.branch
        record, memory = workshop.usable(branch), workshop.records.memory(branch)
        last = record.checkpoint if record else None
        state = await self._state(record, memory) if record else _gone(workspace, memory)
        if last and state.same_as(last):
            state = last
        else:
            memory = memory.followed()
            state = state.model_copy(update={"memory": memory})
        base = f"{TRACKED}{state.workspace.base}"
        is_there = state.gone or state.commit == state.workspace.parent
        size = 0 if is_there else await size_of(workshop.git, state.commit, "--remotes")
        if size > self._largest:
            _log.warning("checkpoint left out", branch=branch, size=size, most=self._largest)
            return None
        # Without the base only: people may take the branch away at the forge, and then nobody else has its commits.
        bundle = await make(workshop.git, f"refs/checkpoints/{branch}", state.commit, base) if size else None
        # The memory first: a mark that it does not know would look like another machine's.
        workshop.records.remember(branch, memory)
        if record:
            seen = record.model_copy(update={"checkpoint": state}).with_workspace(restored=False)
            workshop.records.save(seen)
        return Checkpoint(
            id=_id(state.memory.mark),
            repository=workshop.git.remote.slug,
            state=state.model_dump(mode="json"),
            bundle=bundle,
        )

    async def arrive(self, workspace: Workspace, saved: Checkpoint | None, fetch: Fetch) -> Workspace:
        """See GitHub."""
        workshop, branch = self._workshop, workspace.branch
        state = _state_of(saved) if saved else None
        record = workshop.usable(branch)
        if record is None or not self._is_known(branch, state):
            if state and state.gone:
                await self._take_over(state)
                record = None
            else:
                record = await self._put_back(state or _untouched(workspace), saved, fetch)
        if record and record.pending:
            await workshop.settle(record)
        here = self._here(workspace)
        return here.model_copy(update={"restored": record is not None and record.workspace.restored})

    async def catch_up(self, branch: str, saved: Checkpoint, fetch: Fetch, *, ground: Path | None = None) -> None:
        """Have what the checkpoint has of earlier runs and this machine has not; what the forge has is left to it."""
        state = _state_of(saved)
        is_here = self._workshop.usable(branch) is not None
        if self._is_known(branch, state) and (is_here or saved.bundle is None):
            return
        if saved.bundle is None:
            await self._take_over(state)
        else:
            await self._put_back(state, saved, fetch, ground=ground)

    def follow(self, saved: Checkpoint) -> None:
        """What is here now is to replace the checkpoint."""
        state = _state_of(saved)
        self._workshop.records.remember(state.workspace.branch, state.memory.taken_over())

    def _is_known(self, branch: str, state: State | None) -> bool:
        return state is None or self._workshop.records.memory(branch).knows(state.memory.mark)

    async def _state(self, record: Record, memory: Memory) -> State:
        workshop, workspace, last = self._workshop, record.workspace, record.checkpoint
        if record.pending:
            (tree,) = await workshop.content.tree_of(record.pending)
        else:
            tree = await workshop.snapshot(workspace)
        tip, tip_tree = await workshop.worktrees.tip_and_tree(workspace.branch) or (workspace.parent, None)
        if last and (last.tree, last.tip) == (tree, tip):
            commit = last.commit
        elif tree == tip_tree:
            commit = tip
        else:
            commit = await workshop.content.commit(tree, f"Unfinished work of {workspace.branch}", tip)
        return State(memory=memory, workspace=_of_no_machine(workspace), tip=tip, commit=commit, tree=tree)

    async def _put_back(
        self, state: State, saved: Checkpoint | None, fetch: Fetch, *, ground: Path | None = None
    ) -> Record:
        """A worktree with the files of the checkpoint, still to be checked out."""
        workshop = self._workshop
        branch, workspace = state.workspace.branch, self._here(state.workspace)
        await self._have(state, saved.bundle if saved else None, fetch)
        if known := workshop.usable(branch):
            record = await self._kept_aside(await workshop.found(known), state)
        else:
            record = await workshop.begun(workspace, ground=ground)
        async with workshop.clone_lock.held():
            await workshop.git.clone("update-ref", f"refs/heads/{branch}", state.tip)
        arrived = {"pending": state.commit, "checkpoint": state if saved else None, "workspace": workspace}
        record = record.model_copy(update=arrived).with_workspace(restored=True)
        # The record first: what is known to the memory is not looked for again.
        workshop.records.save(record)
        if saved:
            workshop.records.remember(branch, state.memory.taken_over())
        return record

    async def _take_over(self, state: State) -> None:
        """Nothing of the checkpoint is beyond the forge: an older worktree makes room for what is there."""
        workshop, branch = self._workshop, state.workspace.branch
        if (known := workshop.usable(branch)) is not None:
            await self._kept_aside(await workshop.found(known), state)
            async with workshop.clone_lock.held():
                await workshop.cleared(branch, tip=None, fallback=state.tip, save=False)
                await workshop.git.clone("update-ref", "-d", f"refs/heads/{branch}")
        workshop.records.remember(branch, state.memory.taken_over())

    async def _kept_aside(self, record: Record, state: State) -> Record:
        """Save what the worktree holds, unless the checkpoint grew from it."""
        workshop, last = self._workshop, record.checkpoint
        workspace = record.workspace
        tree, tip = await workshop.snapshot(workspace), await workshop.worktrees.tip(workspace.branch)
        is_followed = last is not None and state.memory.knows(last.memory.mark) and (last.tree, last.tip) == (tree, tip)
        if tree != state.tree and not is_followed:
            await workshop.saving.save(workspace.branch, tip=tip, tree=tree, parent=workspace.parent)
        return record

    async def _have(self, state: State, bundle: bytes | None, fetch: Fetch) -> None:
        """Have all commits that the checkpoint names."""
        header = header_of(bundle) if bundle else None
        needs = header.needs if header else (state.workspace.parent, state.workspace.base_commit)
        if await self._origin.lacks(*needs):
            await fetch(state.workspace.base)
        async with self._workshop.clone_lock.held():
            for commit in await self._origin.lacks(*needs):
                await self._origin.bring(commit)
        if bundle:
            await take_in(self._workshop.git, bundle)

    def _here(self, workspace: Workspace) -> Workspace:
        directory = self._workshop.places.worktrees / workspace.branch
        return workspace.model_copy(update={"directory": directory, "common": self._workshop.git.clone_dir})


def _of_no_machine(workspace: Workspace) -> Workspace:
    own = {"directory": Path(), "common": None, "arrived": (), "restored": False}
    return workspace.model_copy(update=own)


def _gone(workspace: Workspace, memory: Memory) -> State:
    parent = workspace.parent
    return State(memory=memory, workspace=_of_no_machine(workspace), tip=parent, commit=parent, tree="", gone=True)


def _untouched(workspace: Workspace) -> State:
    """What there is to go on from where nothing was kept."""
    return _gone(workspace, Memory()).model_copy(update={"gone": False})


def _state_of(saved: Checkpoint) -> State:
    try:
        return State.model_validate(saved.state)
    except ValidationError as error:
        raise WorkFailed(
            f"What was saved of the work in {saved.repository} was made by another release of the service; "
            "let that one end the run, or update this one."
        ) from error


def _id(mark: Mark) -> str:
    return str(uuid5(UUID(mark.line), str(mark.count)))
