"""The real thing: git and gh on a machine's disk.

What a later call needs is in the `Workspace` or on disk, so another process can go on after a crash. Two locks keep
order: one for the clone (references and worktree list) and one for each branch (its files and its private index).
"""

import asyncio
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from app.domain.inspections import refusal_sentence
from app.errors import BranchMoved, WorkFailed
from app.models import PullRequest
from app.results import Changes, Checkpoint, Finding, Inspection, Saved, Workspace
from app.services.github.base import GitHub, Guard
from app.services.github.checkpoints import Checkpoints
from app.services.github.comeback import Comeback
from app.services.github.conflicts import check_resolved
from app.services.github.credential import Credential
from app.services.github.examination import Examination
from app.services.github.forge import Forge, Proposal, open_or_find
from app.services.github.git import environment, run_git
from app.services.github.inspection import Inspector
from app.services.github.locks import FileLock, SingleFlight
from app.services.github.maintenance import pack
from app.services.github.origin import Heads, Origin
from app.services.github.patches import shortened
from app.services.github.places import Places
from app.services.github.repository import open_repository, sweep
from app.services.github.workshop import Workshop

_OLDEST_GIT = (2, 38)
_BRANCH = re.compile(r"[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*)+")
CHECKOUTS_AT_ONCE = 4
"""More are slower: they fight for the disk."""


class GitHubClient(GitHub):
    """One repository: the one at `repo_url` cloned under `root`, or in development the person's own at `repo_dir`.

    `pattern` is that of the branches that the service works on. A fetch counts for `prepare`, and a list of branches
    for whoever asks next, for `fresh_s` seconds after its start. `checkouts` is shared with other repositories.
    A lock of git or a leftover that has been there for `stale_s` seconds is nobody's any more.
    """

    def __init__(
        self,
        *,
        root: Path,
        base_branch: str,
        forge: Forge,
        inspector: Inspector,
        operator: Mapping[str, str],
        repo_url: str | None = None,
        repo_dir: Path = Path(),
        credential: Credential | None = None,
        pattern: str = "ticket/*",
        fresh_s: float = 5.0,
        checkouts: asyncio.Semaphore | None = None,
        stale_s: float = 600.0,
    ) -> None:
        self._places = Places(root.absolute())
        self._base = base_branch
        self._pattern = pattern
        self._forge = forge
        self._inspector = inspector
        self._operator = operator
        self._repo_url = repo_url
        self._repo_dir = repo_dir.absolute()
        self._credential = credential or Credential()
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        self._checkouts = checkouts or asyncio.Semaphore(CHECKOUTS_AT_ONCE)
        self._clone_lock = FileLock(self._places.lock)
        self._opening = SingleFlight(self._open)
        self._fetching = SingleFlight(self._fetch)
        self._mended: tuple[Finding, ...] = ()
        self._opened: tuple[Workshop, Origin] | None = None
        self._fetched: tuple[float, dict[str, str]] | None = None
        self._listing = SingleFlight(self._list)
        self._listed: tuple[float, tuple[str, ...]] | None = None

    async def start(self) -> None:
        """See GitHub."""
        await self._parts()

    @property
    def common(self) -> Path | None:
        """See GitHub."""
        return self._opened[0].git.clone_dir if self._opened else None

    async def branches(self) -> tuple[str, ...]:
        """See GitHub."""
        if self._listed and time.monotonic() - self._listed[0] < self._fresh_s:
            return self._listed[1]
        return await self._listing()

    async def refresh(self) -> None:
        """See GitHub."""
        await self._fetching()

    async def prepare(
        self,
        branch: str,
        *,
        base: str | None = None,
        occupied: Callable[[Path], Awaitable[None]] | None = None,
        ground: Path | None = None,
        saved: Checkpoint | None = None,
    ) -> Workspace:
        """See GitHub."""
        self._check_ours(branch)
        base = base or self._base
        self._inspector.load_soon()
        workshop, origin = await self._parts()
        async with workshop.alone(branch):
            heads = await self._heads(base)
            if saved:
                await Checkpoints(workshop, origin).catch_up(branch, saved, self._heads, ground=ground)
            record = await workshop.set_up(branch, base, heads, ground=ground)
            directory = record.workspace.directory
            await _both(workshop.settle(record), occupied(directory) if occupied else None)
        return record.workspace

    async def arrive(self, workspace: Workspace, saved: Checkpoint | None) -> Workspace:
        """See GitHub."""
        workshop, origin = await self._parts()
        async with workshop.alone(workspace.branch):
            return await Checkpoints(workshop, origin).arrive(workspace, saved, self._heads)

    async def checkpoint(self, workspace: Workspace) -> Checkpoint | None:
        """See GitHub."""
        workshop, origin = await self._parts()
        async with workshop.alone(workspace.branch):
            return await Checkpoints(workshop, origin).make(workspace)

    async def read(self, workspace: Workspace, path: str, *, limit_bytes: int = 256 << 10) -> str | None:
        """See GitHub."""
        workshop, _ = await self._parts()
        content = await workshop.content.file(workspace.base_commit, path)
        return None if content is None else content[:limit_bytes].decode(errors="replace")

    async def changes(self, workspace: Workspace, *, patch_bytes: int = 2_000_000) -> Changes:
        """See GitHub."""
        workshop, _ = await self._parts()
        async with workshop.alone(workspace.branch):
            tree = await workshop.snapshot(workspace)
        content = workshop.content
        base, parent = await content.tree_of(workspace.base_commit, workspace.parent)
        files, patch = await asyncio.gather(content.files(base, tree), content.patch(base, tree))
        return Changes(files=files, patch=shortened(patch, patch_bytes), unpublished=tree != parent)

    async def commit(self, workspace: Workspace, message: str) -> str | None:
        """See GitHub."""
        workshop, _ = await self._parts()
        async with workshop.alone(workspace.branch):
            tree = await workshop.snapshot(workspace)
            commit = None
            if await workshop.content.tree_of(workspace.parent) != [tree]:
                for path in workspace.conflicts:
                    check_resolved(path, await workshop.content.file(tree, path))
                commit = await workshop.content.commit(tree, message, workspace.parent)
                await workshop.move_branch(workspace, commit)
            workshop.acknowledge(workspace)
        return commit

    async def acknowledge(self, workspace: Workspace) -> None:
        """See GitHub."""
        workshop, _ = await self._parts()
        async with workshop.alone(workspace.branch):
            workshop.acknowledge(workspace)

    async def inspect(self, workspace: Workspace, commit: str | None = None) -> Inspection:
        """See GitHub."""
        workshop, _ = await self._parts()
        if commit is None:
            async with workshop.alone(workspace.branch):
                tree = await workshop.snapshot(workspace)
            return await workshop.outgoing.inspect_tree(workspace, tree)
        return await workshop.outgoing.inspect_commit(workspace, commit)

    async def push(self, workspace: Workspace, commit: str, *, guard: Guard) -> None:
        """See GitHub."""
        workshop, origin = await self._parts()
        expected = workspace.parent if workspace.on_remote else None
        if workspace.branch in {workspace.base, self._base, await origin.default_branch()}:
            raise WorkFailed(f"{workspace.branch} is a branch that pull requests go to, so nothing is pushed to it.")
        if refused := refusal_sentence(await workshop.outgoing.inspect_commit(workspace, commit)):
            raise WorkFailed(refused)
        async with workshop.alone(workspace.branch):
            try:
                await origin.push(workspace.branch, commit, expected=expected, guard=guard)
            except BranchMoved:
                self._fetched = None  # whoever prepares next must see what moved
                raise
            workshop.published(workspace, commit)
        if self._fetched:
            self._fetched[1][workspace.branch] = commit

    async def open_pull_request(
        self, workspace: Workspace, *, title: str, body: str, draft: bool, hold: bool = False, guard: Guard
    ) -> PullRequest:
        """See GitHub."""
        workshop, _ = await self._parts()
        proposal = Proposal(workspace.branch, workspace.base, title, body, draft)
        async with workshop.alone(workspace.branch):
            retarget = workshop.has_new_base(workspace)
            remote = workshop.git.remote
            made = await open_or_find(self._forge, remote, proposal, guard=guard, retarget=retarget, hold=hold)
            workshop.proposed(workspace)
        return made

    async def remove(self, workspace: Workspace) -> Path | None:
        """See GitHub."""
        workshop, _ = await self._parts()
        async with workshop.alone(workspace.branch):
            return await workshop.tear_down(workspace)

    async def worktrees(self) -> tuple[Workspace, ...]:
        """See GitHub."""
        workshop, _ = await self._parts()
        return await workshop.all()

    async def saved(self) -> tuple[Saved, ...]:
        """See GitHub."""
        workshop, _ = await self._parts()
        return await workshop.saving.all()

    async def restore(
        self, branch: str, *, base: str | None = None, name: str | None = None, saved: Checkpoint | None = None
    ) -> Workspace:
        """See GitHub."""
        self._check_ours(branch)
        base = base or self._base
        workshop, origin = await self._parts()
        async with workshop.alone(branch):
            heads = await self._heads(base)
            record = await Comeback(workshop, origin).restored(branch, base, heads, name=name, instead_of=saved)
        return record.workspace

    async def maintain(self) -> None:
        """See GitHub."""
        workshop, _ = await self._parts()
        await pack(workshop.git, self._places, self._clone_lock)

    async def examine(self, *, mend: bool = False, clear: bool = True) -> tuple[Finding, ...]:
        """See GitHub."""
        workshop, _ = await self._parts()
        mended, self._mended = self._mended, ()
        return (*mended, *await Examination(workshop, age_s=self._stale_s).findings(mend=mend, clear=clear))

    def removal_command(self, workspace: Workspace) -> str:
        """See GitHub."""
        home = self._places.clone if self._repo_url else self._repo_dir
        return shlex.join(["git", "-C", str(home), "worktree", "remove", str(workspace.directory), "--force"])

    async def check(self) -> str:
        """See GitHub."""
        self._places.make()
        version = await self._git_version()
        workshop, origin = await self._parts()
        tip = await origin.base_exists()
        allowed = await self._forge.check(workshop.git.remote)
        return f"{workshop.git.remote.name}: {self._base} is at {tip[:12]}; git {version}; {allowed}"

    def _check_ours(self, branch: str) -> None:
        if not _BRANCH.fullmatch(branch) or not PurePosixPath(branch).match(self._pattern):
            raise WorkFailed(f"{branch!r} is no branch that the service works on; it must be like {self._pattern}.")

    async def _git_version(self) -> str:
        done = await run_git("--version", cwd=self._places.root, env=environment(self._operator))
        version = done.text.split()[2] if done.ok else "?"
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if numbers < _OLDEST_GIT:
            raise WorkFailed(f"git {version} is too old: install git {'.'.join(map(str, _OLDEST_GIT))} or later.")
        return version

    async def _parts(self) -> tuple[Workshop, Origin]:
        return self._opened or await self._opening()

    async def _open(self) -> tuple[Workshop, Origin]:
        self._places.make()
        async with self._clone_lock.held():
            git = await open_repository(
                self._places,
                repo_url=self._repo_url,
                repo_dir=self._repo_dir,
                base=self._base,
                credential=self._credential,
                operator=self._operator,
            )
            workshop = Workshop(
                git,
                self._places,
                clone_lock=self._clone_lock,
                checkouts=self._checkouts,
                inspector=self._inspector,
                base=self._base,
                pattern=self._pattern,
            )
            self._mended = await asyncio.to_thread(sweep, git, self._places, workshop.worktrees)
        self._opened = workshop, Origin(git, base=self._base, pattern=self._pattern)
        return self._opened

    async def _heads(self, base: str) -> Heads:
        fetched = self._fetched
        is_fresh = fetched and time.monotonic() - fetched[0] < self._fresh_s
        heads = fetched[1] if fetched and is_fresh else await self._fetching()
        if base == self._base:
            return heads
        _, origin = await self._parts()
        async with self._clone_lock.held():
            return {**heads, base: await origin.fetch_base(base)}

    async def _fetch(self) -> Heads:
        _, origin = await self._parts()
        async with self._clone_lock.held():
            started = time.monotonic()
            heads = dict(await origin.fetch())
        self._fetched = started, heads
        return heads

    async def _list(self) -> tuple[str, ...]:
        _, origin = await self._parts()
        started = time.monotonic()
        names = await origin.branches()
        self._listed = started, names
        return names


async def _both(first: Coroutine[Any, Any, None], second: Awaitable[None] | None) -> None:
    """Both at the same time. When one fails, the other is cancelled and its error is raised."""

    async def awaited(something: Awaitable[None]) -> None:
        await something

    try:
        async with asyncio.TaskGroup() as group:
            if second is not None:
                group.create_task(awaited(second))
            group.create_task(first)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
