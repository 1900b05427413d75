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
from app.services.github.arrivals import Arrivals
from app.services.github.content import Content, show_to_git, still_in_conflict
from app.services.github.git import Desk, Git
from app.services.github.inspection import Inspector
from app.services.github.locks import FileLock
from app.services.github.origin import TRACKED, Heads
from app.services.github.outgoing import Outgoing
from app.services.github.places import Places
from app.services.github.records import Record, Records
from app.services.github.saving import Saving
from app.services.github.worktrees import Worktrees, remove_empty, settle_on
from app.trees import remove_tree


class Workshop:
    """The worktrees of one clone. `clone_lock` guards the clone; a branch is used by one caller at a time (`alone`).

    `checkouts` limits how many check out files at once.
    """

    def __init__(
        self,
        git: Git,
        places: Places,
        *,
        clone_lock: FileLock,
        checkouts: asyncio.Semaphore,
        inspector: Inspector,
        base: str,
        pattern: str,
    ) -> None:
        self.git = git
        self.content = Content(git)
        self.outgoing = Outgoing(git, self.content, inspector)
        self.worktrees = Worktrees(git, places.worktrees)
        self.places = places
        self._base = base
        self._pattern = pattern
        self.records = Records(places.private / "workspaces")
        self.saving = Saving(git, self.content, places.saved)
        self._arrivals = Arrivals(git, self.records)
        self.clone_lock = clone_lock
        self._checkouts = checkouts

    @property
    def owns_clone(self) -> bool:
        """The clone is the service's, not a person's own repository."""
        return self.git.clone_dir.is_relative_to(self.places.root)

    @contextlib.asynccontextmanager
    async def alone(self, branch: str) -> AsyncIterator[None]:
        """Nobody else uses the branch's worktree meanwhile, in this process or another."""
        async with FileLock(self.records.lock_path(branch)).held():
            yield

    def desk(self, branch: str) -> Desk:
        """The branch's worktree and its private index."""
        return self.records.desk(branch, self.places.worktrees / branch)

    async def set_up(self, branch: str, base: str, heads: Heads, *, ground: Path | None = None) -> Record:
        """A worktree that git knows, what is to be checked out in it, and what people pushed to its branch.

        A worktree that is made anew is made of the directory `ground`, which is gone afterwards in either case.
        """
        known = self.usable(branch)
        if known is None:
            record = await self.begun(await self._fresh(branch, base, heads), ground=ground)
        else:
            record = await self._gone_on_with(await self.found(known), base, heads)
        arrived = await self._arrivals.since(record.workspace, heads[base])
        record = record.with_workspace(arrived=arrived, common=self.git.clone_dir)
        self.records.save(record)
        if ground:
            remove_empty(ground)
        return record

    async def all(self) -> tuple[Workspace, ...]:
        """The worktrees that are here or known, by branch; of one that nobody knows, what can be told of it."""
        known = {branch: record for branch in self.records.branches() if (record := self.records.load(branch))}
        found = {branch: record.workspace for branch, record in known.items() if self._is_ours(record)}
        for directory in self.places.worktrees.glob(self._pattern):
            branch = str(directory.relative_to(self.places.worktrees))
            if branch not in known and directory.is_dir():
                found[branch] = await self._unknown(directory, branch)
        return tuple(found[branch] for branch in sorted(found))

    async def _unknown(self, directory: Path, branch: str) -> Workspace:
        """The workspace of files of which there is no record: they may have grown from anything."""
        base = self._base
        start = await self.worktrees.tip(branch) or f"{TRACKED}{base}"
        return Workspace(
            repository=self.git.remote.slug, directory=directory, branch=branch, base=base,
            base_commit=start, parent=start, on_remote=False,
        )  # fmt: skip

    def usable(self, branch: str) -> Record | None:
        """The record of a worktree that is here, and of this repository; half checked out it may be."""
        known, directory = self.records.load(branch), self.places.worktrees / branch
        is_there = not directory.is_symlink() and directory.is_dir()
        return known if known and self._is_ours(known) and is_there else None

    async def settle(self, record: Record) -> None:
        """Check out what is still to be checked out, and let the worktree's own git know."""
        desk = self.desk(record.workspace.branch)
        if record.pending:
            async with self._checkouts:
                await self.content.check_out(desk, record.pending)
            self.records.save(record.model_copy(update={"pending": None}))
        show_to_git(desk, record.admin)

    async def snapshot(self, workspace: Workspace) -> str:
        """The tree of the worktree's files."""
        return await self.content.snapshot(self.desk(workspace.branch), workspace.parent)

    async def move_branch(self, workspace: Workspace, commit: str) -> None:
        """Let the clone's branch and the worktree's own git follow to `commit`."""
        async with self.clone_lock.held():
            await self.git.clone("update-ref", f"refs/heads/{workspace.branch}", commit)
        if record := self.records.load(workspace.branch):
            show_to_git(self.desk(workspace.branch), record.admin)

    def published(self, workspace: Workspace, commit: str) -> None:
        """Remember that the branch at the forge is at `commit`, which the worktree's files grow from now."""
        if record := self.records.load(workspace.branch):
            self.records.save(record.with_workspace(parent=commit, on_remote=True, conflicts=()))

    def acknowledge(self, workspace: Workspace) -> None:
        """Remember that what arrived up to the workspace's parent is known."""
        self._arrivals.acknowledge(workspace.branch, workspace.parent)

    def has_new_base(self, workspace: Workspace) -> bool:
        """The pull request was last given another base than the workspace has."""
        return self.records.memory(workspace.branch).base not in {None, workspace.base}

    def proposed(self, workspace: Workspace) -> None:
        """Remember the base that the pull request was given."""
        memory = self.records.memory(workspace.branch)
        self.records.remember(workspace.branch, memory.model_copy(update={"base": workspace.base}))

    async def tear_down(self, workspace: Workspace) -> Path | None:
        """Remove worktree, branch and record. What is nowhere else is saved first; the return is where."""
        branch = workspace.branch
        async with self.clone_lock.held():
            tip = await self.worktrees.tip(branch)
            place = await self.cleared(branch, tip=tip, fallback=workspace.parent)
            if tip:
                await self.git.clone("update-ref", "-d", f"refs/heads/{branch}")
        await self._tidied()
        return place

    def _is_ours(self, record: Record) -> bool:
        """It is of this repository, and not of one that the settings named before."""
        return record.workspace.repository.lower() == self.git.remote.slug.lower()

    async def _fresh(self, branch: str, base: str, heads: Heads) -> Workspace:
        """The workspace of a worktree that is still to be made."""
        head = heads.get(branch)
        return Workspace(
            repository=self.git.remote.slug,
            directory=self.places.worktrees / branch,
            branch=branch,
            base=base,
            base_commit=await self._base_commit(head, heads[base]),
            parent=head or heads[base],
            on_remote=head is not None,
        )

    async def begun(self, workspace: Workspace, *, ground: Path | None = None) -> Record:
        """A worktree made anew, in place of whatever was there, with all files still to be checked out."""
        directory, branch, start = workspace.directory, workspace.branch, workspace.parent
        async with self.clone_lock.held():
            has_leftovers = directory.is_symlink() or directory.exists() or self.records.load(branch) is not None
            if has_leftovers:
                await self.cleared(branch, tip=await self.worktrees.tip(branch), fallback=start)
            self.worktrees.clear(directory, branch)
            if ground:
                settle_on(ground, directory)
            admin = await self._added(directory, branch, start, reset=has_leftovers)
            record = Record(workspace=workspace, admin=admin, pending=start)
            self.records.save(record)
        return record

    async def found(self, record: Record) -> Record:
        """The record of a worktree with files, of which git knows; with nothing left to check out."""
        async with self.clone_lock.held():
            admin = await self._known_to_git(record)
        directory = self.places.worktrees / record.workspace.branch
        record = record.model_copy(update={"admin": admin}).with_workspace(directory=directory)
        if record.pending:
            await self.settle(record)
        return record.model_copy(update={"pending": None})

    async def _gone_on_with(self, record: Record, base: str, heads: Heads) -> Record:
        """The same worktree with its files, and with what was pushed since."""
        workspace = record.workspace
        head = heads.get(workspace.branch)
        is_as_it_was = head == (workspace.parent if workspace.on_remote else None)
        if is_as_it_was and base == workspace.base:
            return record.with_workspace(conflicts=still_in_conflict(workspace.directory, workspace.conflicts))
        base_commit = await self._base_commit(head, heads[base])
        if is_as_it_was and head:
            conflicts = still_in_conflict(workspace.directory, workspace.conflicts)
            return record.with_workspace(base=base, base_commit=base_commit, conflicts=conflicts)
        brought = await self._brought_together(record, head or heads[base])
        return brought.with_workspace(base=base, base_commit=base_commit, on_remote=head is not None)

    async def _brought_together(self, record: Record, start: str) -> Record:
        """The worktree's work on top of another commit than it grew from."""
        old = record.workspace
        ours = await self.snapshot(old)
        merged, conflicts = await self.content.merged(parent=old.parent, ours=ours, theirs=start)
        async with self.clone_lock.held():
            await self.git.clone("update-ref", f"refs/heads/{old.branch}", start)
        return record.model_copy(update={"pending": merged}).with_workspace(parent=start, conflicts=conflicts)

    async def _base_commit(self, head: str | None, base_head: str) -> str:
        """Where the branch left the base, so that what the base gained since does not look like a change."""
        if head is None:
            return base_head
        done = await self.git.private("merge-base", base_head, head, check=False)
        return done.text.strip() or base_head

    async def _known_to_git(self, record: Record) -> Path:
        """The administrative directory of a worktree with files, made anew where somebody pruned it."""
        branch, directory = record.workspace.branch, self.places.worktrees / record.workspace.branch
        if self.worktrees.is_good(directory, record.admin):
            self.worktrees.mend(directory, record.admin, branch)
            return record.admin
        self.worktrees.clear(directory, branch)
        staging = self.places.staging / uuid4().hex
        admin = await self._added(staging, branch, record.workspace.parent)
        self.worktrees.adopt(staging, admin, directory, branch)
        return admin

    async def _added(self, directory: Path, branch: str, start: str, *, reset: bool = False) -> Path:
        """Add a worktree. A branch that is there already is saved before it is moved; with `reset` it was."""
        while not (admin := await self.worktrees.add(directory, branch, start, reset=reset)):
            await self.saving.save(branch, tip=await self.worktrees.tip(branch), parent=start)
            reset = True
        return admin

    async def cleared(self, branch: str, *, tip: str | None, fallback: str, save: bool = True) -> Path | None:
        """Take away the branch's worktree and record; where what it and `tip` held beyond the forge is now."""
        directory = self.places.worktrees / branch
        place = await self._saved(branch, tip, fallback) if save else None
        self.worktrees.clear(directory, branch)
        if directory.is_symlink() or directory.exists():
            directory.rename(self.places.trash / uuid4().hex)
        self.records.forget(branch)
        return place

    async def _saved(self, branch: str, tip: str | None, fallback: str) -> Path | None:
        directory = self.places.worktrees / branch
        record = self.records.load(branch)
        parent = record.workspace.parent if record else tip or fallback
        is_there = directory.is_dir() and not directory.is_symlink()
        tree = None
        if record and record.pending:  # nobody has worked in it yet: what it was to become counts
            (tree,) = await self.content.tree_of(record.pending)
        elif is_there and any(path.name != ".git" for path in directory.iterdir()):
            tree = await self.content.snapshot(self.desk(branch), parent)
        return await self.saving.save(branch, tip=tip, tree=tree, parent=parent)

    async def _tidied(self) -> None:
        for leftover in self.places.trash.iterdir():
            await asyncio.to_thread(remove_tree, leftover)
        if self.owns_clone:
            async with self.clone_lock.held():  # both tasks pack objects, and neither deletes one
                tasks = ("--task=loose-objects", "--task=incremental-repack")
                await self.git.private("maintenance", "run", "--auto", "--quiet", *tasks, check=False)
