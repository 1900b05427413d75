"""Where worktrees are set up, filled with files and torn down.

Each step leaves the disk so that a process killed right after it is made good by the next call: the record is written
before files are, and the tree that is to be checked out stays in it until it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

from app.results import Workspace
from app.services.github.content import Content, show_to_git, still_in_conflict
from app.services.github.git import Desk, Git
from app.services.github.locks import FileLock
from app.services.github.records import Record, Records
from app.services.github.repository import Heads, Places
from app.services.github.saving import Saving
from app.services.github.worktrees import Worktrees, remove_tree

_CHECKOUTS_AT_ONCE = 4  # more are slower: they fight for the disk


class Workshop:
    """The worktrees of one clone. `clone_lock` guards the clone; a branch is used by one caller at a time (`alone`)."""

    def __init__(self, git: Git, places: Places, *, base: str, clone_lock: FileLock) -> None:
        self.git = git
        self.content = Content(git)
        self.worktrees = Worktrees(git, places.worktrees)
        self._records = Records(places.private / "workspaces")
        self._saving = Saving(git, self.content, places.saved)
        self._places = places
        self._base = base
        self._clone_lock = clone_lock
        self._checkouts = asyncio.Semaphore(_CHECKOUTS_AT_ONCE)

    @contextlib.asynccontextmanager
    async def alone(self, branch: str) -> AsyncIterator[None]:
        """Nobody else uses the branch's worktree meanwhile, in this process or another."""
        async with FileLock(self._records.lock_path(branch)).held():
            yield

    def desk(self, branch: str) -> Desk:
        """The branch's worktree and its private index."""
        return self._records.desk(branch, self._places.worktrees / branch)

    async def set_up(self, branch: str, heads: Heads) -> Record:
        """A worktree that git knows, and what is to be checked out in it."""
        directory = self._places.worktrees / branch
        record = self._records.load(branch)
        if record is None or directory.is_symlink() or not directory.is_dir():
            return await self._begun(branch, heads)
        async with self._clone_lock.held():
            admin = await self._known_to_git(record)
        workspace = record.workspace.model_copy(update={"directory": directory})
        record = record.model_copy(update={"workspace": workspace, "admin": admin})
        return await self._gone_on_with(record, heads)

    async def settle(self, record: Record) -> None:
        """Check out what is still to be checked out, and let the worktree's own git know."""
        desk = self.desk(record.workspace.branch)
        if record.pending:
            async with self._checkouts:
                await self.content.check_out(desk, record.pending)
            self._records.save(record.model_copy(update={"pending": None}))
        show_to_git(desk, record.admin)

    async def snapshot(self, workspace: Workspace) -> str:
        """The tree of the worktree's files."""
        return await self.content.snapshot(self.desk(workspace.branch), workspace.parent)

    async def move_branch(self, workspace: Workspace, commit: str) -> None:
        """Let the clone's branch and the worktree's own git follow to `commit`."""
        async with self._clone_lock.held():
            await self.git.clone("update-ref", f"refs/heads/{workspace.branch}", commit)
        if record := self._records.load(workspace.branch):
            show_to_git(self.desk(workspace.branch), record.admin)

    def published(self, workspace: Workspace, commit: str) -> None:
        """Remember that the branch at the forge is at `commit`, which the worktree's files grow from now."""
        if record := self._records.load(workspace.branch):
            now = record.workspace.model_copy(update={"parent": commit, "on_remote": True, "conflicts": ()})
            self._records.save(record.model_copy(update={"workspace": now}))

    async def tear_down(self, workspace: Workspace) -> Path | None:
        """Remove worktree, branch and record. What is nowhere else is saved first; the return is where."""
        branch = workspace.branch
        async with self._clone_lock.held():
            tip = await self.worktrees.tip(branch)
            place = await self._cleared(branch, tip=tip, fallback=workspace.parent)
            if tip:
                await self.git.clone("update-ref", "-d", f"refs/heads/{branch}")
        await self._tidied()
        return place

    async def _begun(self, branch: str, heads: Heads) -> Record:
        head = heads.get(branch)
        start = head or heads[self._base]
        directory = self._places.worktrees / branch
        workspace = Workspace(
            directory=directory,
            branch=branch,
            base=self._base,
            base_commit=await self._base_commit(head, heads),
            parent=start,
            on_remote=head is not None,
        )
        async with self._clone_lock.held():
            has_leftovers = directory.is_symlink() or directory.exists() or self._records.load(branch) is not None
            if has_leftovers:
                tip = await self.worktrees.tip(branch)
                await self._cleared(branch, tip=tip, fallback=heads[self._base])
            self.worktrees.clear(directory, branch)
            admin = await self._added(directory, branch, start, reset=has_leftovers)
            record = Record(workspace=workspace, admin=admin, pending=start)
            self._records.save(record)
        return record

    async def _gone_on_with(self, record: Record, heads: Heads) -> Record:
        """The same worktree with its files, and with what was pushed since."""
        workspace = record.workspace
        if record.pending:
            await self.settle(record)
            record = record.model_copy(update={"pending": None})
        head = heads.get(workspace.branch)
        if head == (workspace.parent if workspace.on_remote else None):
            conflicts = still_in_conflict(workspace.directory, workspace.conflicts)
            workspace = workspace.model_copy(update={"conflicts": conflicts})
            record = record.model_copy(update={"workspace": workspace})
        else:
            record = await self._brought_together(record, head, heads)
        self._records.save(record)
        return record

    async def _brought_together(self, record: Record, head: str | None, heads: Heads) -> Record:
        old = record.workspace
        start = head or heads[self._base]
        ours = await self.snapshot(old)
        merged, conflicts = await self.content.merged(parent=old.parent, ours=ours, theirs=start)
        workspace = old.model_copy(
            update={
                "base_commit": await self._base_commit(head, heads),
                "parent": start,
                "on_remote": head is not None,
                "conflicts": conflicts,
            }
        )
        async with self._clone_lock.held():
            await self.git.clone("update-ref", f"refs/heads/{old.branch}", start)
        return record.model_copy(update={"workspace": workspace, "pending": merged})

    async def _base_commit(self, head: str | None, heads: Heads) -> str:
        """Where the branch left the base, so that what the base gained since does not look like a change."""
        base = heads[self._base]
        if head is None:
            return base
        done = await self.git.private("merge-base", base, head, check=False)
        return done.text.strip() or base

    async def _known_to_git(self, record: Record) -> Path:
        """The administrative directory of a worktree with files, made anew where somebody pruned it."""
        branch, directory = record.workspace.branch, self._places.worktrees / record.workspace.branch
        if self.worktrees.is_good(directory, record.admin):
            self.worktrees.mend(directory, record.admin, branch)
            return record.admin
        self.worktrees.clear(directory, branch)
        staging = self._places.staging / uuid4().hex
        admin = await self._added(staging, branch, record.workspace.parent)
        self.worktrees.adopt(staging, admin, directory, branch)
        return admin

    async def _added(self, directory: Path, branch: str, start: str, *, reset: bool = False) -> Path:
        """Add a worktree. A branch that is there already is saved before it is moved; with `reset` it was."""
        while not (admin := await self.worktrees.add(directory, branch, start, reset=reset)):
            await self._saving.save(branch, tip=await self.worktrees.tip(branch), desk=None, parent=start)
            reset = True
        return admin

    async def _cleared(self, branch: str, *, tip: str | None, fallback: str) -> Path | None:
        """Take away the branch's worktree and record; where what it and `tip` held beyond the forge is now."""
        directory = self._places.worktrees / branch
        record = self._records.load(branch)
        has_files = (
            directory.is_dir()
            and not directory.is_symlink()
            and any(path.name != ".git" for path in directory.iterdir())
        )
        unfinished = record is not None and record.pending is not None
        parent = record.workspace.parent if record else tip or fallback
        desk = self.desk(branch) if has_files and not unfinished else None
        place = await self._saving.save(branch, tip=tip, desk=desk, parent=parent)
        self.worktrees.clear(directory, branch)
        if directory.is_symlink() or directory.exists():
            directory.rename(self._places.trash / uuid4().hex)
        self._records.forget(branch)
        return place

    async def _tidied(self) -> None:
        for leftover in self._places.trash.iterdir():
            await asyncio.to_thread(remove_tree, leftover)
        if self.git.clone_dir.is_relative_to(self._places.root):
            async with self._clone_lock.held():  # both tasks pack objects, and neither deletes one
                tasks = ("--task=loose-objects", "--task=incremental-repack")
                await self.git.private("maintenance", "run", "--auto", "--quiet", *tasks, check=False)
