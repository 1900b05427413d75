"""Offline stand-in for the whole room: repositories in memory, worktrees in directories, and no git."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from app.config import PROTECTED
from app.domain.inspections import refusal_sentence
from app.domain.protected import ALLOWED_AT, AllowedPaths, ProtectedPaths
from app.errors import BranchMoved, ConfigurationError, NotFound, WorkFailed
from app.models import PullRequest
from app.results import Changes, Checkpoint, Finding, Inspection, Saved, Workspace
from app.services.github.base import GitHub, Guard, Repositories
from app.services.github.conflicts import check_resolved
from app.services.github.forge import Proposal, open_or_find
from app.services.github.inspection import Inspector
from app.services.github.mock_files import (
    Files,
    Texts,
    counted_in,
    differences,
    files_in,
    merged,
    patch_of,
    write_files,
)
from app.services.github.mock_machine import MockMachine
from app.services.github.offline_forge import OFFLINE_HOST, OfflineForge
from app.services.github.patches import shortened
from app.services.github.remote import Remote
from app.services.github.secrets import Kingfisher
from app.services.github.worktrees import remove_empty, settle_on

__all__ = ["MockGitHub", "MockRepositories", "OfflineForge"]


@dataclass(frozen=True)
class _Commit:
    files: Files
    parent: str | None
    said: str | None
    """Its person and subject; None for a commit of the service."""


class MockGitHub(GitHub):
    """One repository that begins with the files of `seed`. Worktrees are plain directories under `root`."""

    def __init__(
        self,
        root: Path,
        seed: Files,
        *,
        name: str = "offline/demo",
        base: str = "main",
        forge: OfflineForge | None = None,
        inspector: Inspector | None = None,
    ) -> None:
        self.name = name
        self.base = base
        self._machine = MockMachine(root, name)
        self._forge = forge or OfflineForge()
        self._inspector = inspector or Inspector(scanner=Kingfisher(), protected=ProtectedPaths(PROTECTED))
        self._remote = Remote(url=f"https://{OFFLINE_HOST}/{name}.git", host=OFFLINE_HOST, slug=name)
        self._commits: dict[str, _Commit] = {}
        self.heads: dict[str, str] = {base: self._new_commit(seed, None, "Ada Human: Begin")}
        """Branches at the forge and their commits."""

    def on_another_machine(self, root: Path) -> "MockGitHub":
        """The same repository at the same forge, seen from a machine with other disks."""
        other = copy(self)
        other._machine = MockMachine(root, self.name)  # noqa: SLF001 - its own
        return other

    @property
    def pull_requests(self) -> list[PullRequest]:
        """All pull requests ever opened."""
        return [made for made in self._forge.pull_requests if made.repository == self.name]

    def files(self, branch: str) -> Files:
        """What a branch holds at the forge."""
        return self._commits[self.heads[branch]].files

    def push_as_human(self, branch: str, files: Files, *, subject: str = "A person's work") -> str:
        """A person's commit on a branch, which begins at the base if it is new. Returns the commit."""
        parent = self.heads.get(branch, self.heads[self.base])
        changed = {**self._commits[parent].files, **files}
        self.heads[branch] = self._new_commit(changed, parent, f"Ada Human: {subject}")
        return self.heads[branch]

    def delete(self, branch: str) -> None:
        """What a person does to a branch that is merged."""
        del self.heads[branch]

    async def start(self) -> None:
        """See GitHub."""

    async def refresh(self) -> None:
        """See GitHub."""

    @property
    def common(self) -> Path | None:
        """See GitHub."""
        return None

    async def branches(self) -> tuple[str, ...]:
        """See GitHub."""
        theirs = (name for name in self.heads if not name.startswith("ticket/"))
        return tuple(sorted(theirs, key=lambda name: (name != self.base, name)))

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
        directory = self._machine.directory(branch)
        fresh = self._fresh(directory, branch, base or self.base)
        if saved:
            self._machine.catch_up(branch, saved, self._files_of)
        known = self._machine.usable(branch)
        workspace, files = self._brought_together(known, fresh) if known else (fresh, self._files_of(fresh.parent))
        workspace = workspace.model_copy(update={"arrived": self._arrived(workspace)})
        if ground and not directory.exists():
            settle_on(ground, directory)
        directory.mkdir(parents=True, exist_ok=True)
        if ground:
            remove_empty(ground)
        if occupied:
            await occupied(directory)
        write_files(directory, files, instead_of=files_in(directory))
        self._machine.workspaces[branch] = workspace
        return workspace

    async def arrive(self, workspace: Workspace, saved: Checkpoint | None) -> Workspace:
        """See GitHub."""
        return self._machine.arrive(workspace, saved, self._files_of)

    async def checkpoint(self, workspace: Workspace) -> Checkpoint | None:
        """See GitHub."""
        return self._machine.checkpoint(workspace, self._files_of)

    async def acknowledge(self, workspace: Workspace) -> None:
        """See GitHub."""
        self._machine.remember(workspace.branch, head=workspace.parent)

    async def read(self, workspace: Workspace, path: str, *, limit_bytes: int = 256 << 10) -> str | None:
        """See GitHub."""
        text = self._files_of(workspace.base_commit).get(path)
        return None if text is None else text.encode()[:limit_bytes].decode(errors="replace")

    async def changes(self, workspace: Workspace, *, patch_bytes: int = 2_000_000) -> Changes:
        """See GitHub."""
        base, files = self._files_of(workspace.base_commit), files_in(workspace.directory)
        names = sorted(name for name in {*base, *files} if base.get(name) != files.get(name))
        patches = {name: patch_of(name, base.get(name), files.get(name)) for name in names}
        return Changes(
            files=tuple(counted_in(name, patch) for name, patch in patches.items()),
            patch=shortened("".join(patches.values()).encode(), patch_bytes),
            unpublished=files != self._files_of(workspace.parent),
        )

    async def commit(self, workspace: Workspace, message: str) -> str | None:  # noqa: ARG002 - nobody reads it here
        """See GitHub."""
        files = files_in(workspace.directory)
        for path in workspace.conflicts:
            check_resolved(path, files.get(path, "").encode())
        await self.acknowledge(workspace)
        if files == self._files_of(workspace.parent):
            return None
        commit = self._new_commit(files, workspace.parent, None)
        self._machine.tips[workspace.branch] = commit
        return commit

    async def inspect(self, workspace: Workspace, commit: str | None = None) -> Inspection:
        """See GitHub."""
        files = self._files_of(commit) if commit else files_in(workspace.directory)
        allowed = self._files_of(self.heads[workspace.base]).get(ALLOWED_AT)
        return await self._inspector.inspect(
            Texts(),
            whole=differences(self._files_of(workspace.base_commit), files),
            brought=[differences(self._files_of(workspace.parent), files)],
            allowed=AllowedPaths(allowed),
        )

    async def push(self, workspace: Workspace, commit: str, *, guard: Guard) -> None:
        """See GitHub."""
        if workspace.branch == workspace.base:
            raise WorkFailed(f"{workspace.branch} is a branch that pull requests go to, so nothing is pushed to it.")
        if refused := refusal_sentence(await self.inspect(workspace, commit)):
            raise WorkFailed(refused)
        if commit not in {self._machine.tips.get(workspace.branch), self.heads.get(workspace.branch)}:
            raise WorkFailed(f"There is no commit {commit[:12]} on this machine.")
        expected = workspace.parent if workspace.on_remote else None
        await guard()
        if self.heads.get(workspace.branch) not in {expected, commit}:
            raise BranchMoved(f"{workspace.branch} moved, so nothing was pushed; run the ticket again.")
        self.heads[workspace.branch] = commit
        pushed = workspace.model_copy(update={"parent": commit, "on_remote": True, "conflicts": ()})
        self._machine.workspaces[workspace.branch] = pushed

    async def open_pull_request(
        self, workspace: Workspace, *, title: str, body: str, draft: bool, hold: bool = False, guard: Guard
    ) -> PullRequest:
        """See GitHub."""
        if workspace.branch not in self.heads:
            raise WorkFailed(f"{workspace.branch} is not at the forge; push it first.")
        proposal = Proposal(workspace.branch, workspace.base, title, body, draft)
        retarget = self._machine.memory(workspace.branch).base not in {None, workspace.base}
        made = await open_or_find(self._forge, self._remote, proposal, guard=guard, retarget=retarget, hold=hold)
        self._machine.remember(workspace.branch, base=workspace.base)
        return made

    async def remove(self, workspace: Workspace) -> Path | None:
        """See GitHub."""
        known = self._machine.workspaces.get(workspace.branch, workspace)
        return self._machine.remove(known, self._files_of)

    async def worktrees(self) -> tuple[Workspace, ...]:
        """See GitHub."""
        return tuple(self._machine.workspaces[branch] for branch in sorted(self._machine.workspaces))

    async def saved(self) -> tuple[Saved, ...]:
        """See GitHub."""
        return self._machine.saved()

    async def restore(
        self, branch: str, *, base: str | None = None, name: str | None = None, saved: Checkpoint | None = None
    ) -> Workspace:
        """See GitHub."""
        work = self._machine.work(branch, name)
        self._machine.keep_aside(branch, self._files_of, unless=work.files)
        workspace = await self.prepare(branch, base=base)
        files, conflicts = merged(self._files_of(work.parent), work.files, self._files_of(workspace.parent))
        write_files(workspace.directory, files, instead_of=files_in(workspace.directory))
        if saved:
            self._machine.follow(saved)
        self._machine.workspaces[branch] = workspace.model_copy(update={"conflicts": conflicts})
        return self._machine.workspaces[branch]

    async def maintain(self) -> None:
        """See GitHub."""

    async def examine(self, *, mend: bool = False, clear: bool = True) -> tuple[Finding, ...]:  # noqa: ARG002
        """See GitHub."""
        gone = [each for each in self._machine.workspaces.values() if not each.directory.is_dir()]
        if mend:
            for workspace in gone:
                self._machine.remove(workspace, self._files_of)
        return tuple(
            Finding(what=f"The worktree {each.directory} is gone, but {each.branch} is still known.", mended=mend)
            for each in gone
        )

    def removal_command(self, workspace: Workspace) -> str:
        """See GitHub."""
        return f"rm -r {workspace.directory}"

    async def check(self) -> str:
        """See GitHub."""
        return f"{self.name}: in memory"

    def _files_of(self, commit: str) -> Files:
        return self._commits[commit].files

    def _new_commit(self, files: Files, parent: str | None, said: str | None) -> str:
        name = hashlib.sha1(f"{len(self._commits)} {parent} {sorted(files.items())}".encode(), usedforsecurity=False)
        self._commits[name.hexdigest()] = _Commit(dict(files), parent, said)
        return name.hexdigest()

    def _fresh(self, directory: Path, branch: str, base: str) -> Workspace:
        """The workspace as it would be without what is in its directory."""
        if base not in self.heads:
            raise WorkFailed(f"{self.name} has no branch {base}; push it there, or choose another base.")
        head = self.heads.get(branch)
        return Workspace(
            repository=self.name,
            directory=directory,
            branch=branch,
            base=base,
            base_commit=self._fork_point(head, base) if head else self.heads[base],
            parent=head or self.heads[base],
            on_remote=head is not None,
        )

    def _fork_point(self, commit: str, base: str) -> str:
        ours = set(self._history(self.heads[base]))
        return next((one for one in self._history(commit) if one in ours), self.heads[base])

    def _history(self, commit: str | None) -> Iterator[str]:
        while commit:
            yield commit
            commit = self._commits[commit].parent

    def _arrived(self, workspace: Workspace) -> tuple[str, ...]:
        known = self._machine.memory(workspace.branch).head or workspace.parent
        old = {*self._history(known), *self._history(self.heads[workspace.base])}
        new = [commit for commit in self._history(workspace.parent) if workspace.on_remote and commit not in old]
        lines = [f"{commit[:7]} {said}" for commit in new if (said := self._commits[commit].said)]
        if not lines:
            self._machine.remember(workspace.branch, head=workspace.parent)
        return tuple(reversed(lines))

    def _brought_together(self, known: Workspace, fresh: Workspace) -> tuple[Workspace, Files]:
        ours = files_in(known.directory)
        is_as_it_was = fresh.on_remote == known.on_remote and (fresh.parent == known.parent or not fresh.on_remote)
        if is_as_it_was and (fresh.on_remote or fresh.base == known.base):
            marked = tuple(name for name in known.conflicts if "<<<<<<< " in ours.get(name, ""))
            base = {} if fresh.base == known.base else {"base": fresh.base, "base_commit": fresh.base_commit}
            return known.model_copy(update={"conflicts": marked, **base}), ours
        files, conflicts = merged(self._files_of(known.parent), ours, self._files_of(fresh.parent))
        return fresh.model_copy(update={"conflicts": conflicts}), files


class MockRepositories(Repositories):
    """Repositories in memory, the first of them the default."""

    def __init__(self, *repositories: MockGitHub) -> None:
        self._repositories = {repository.name: repository for repository in repositories}

    @property
    def names(self) -> tuple[str, ...]:
        """See Repositories."""
        return tuple(self._repositories)

    @property
    def default(self) -> str:
        """See Repositories."""
        if not self._repositories:
            raise ConfigurationError("There is no repository to work on; set REPO_URL.")
        return self.names[0]

    def of(self, name: str) -> MockGitHub:
        """See Repositories."""
        if name not in self._repositories:
            raise NotFound(f"There is no repository {name} here; add it to REPOSITORIES.")
        return self._repositories[name]

    def base_of(self, name: str) -> str:
        """See Repositories."""
        return self.of(name).base

    async def start(self) -> None:
        """See Repositories."""

    async def check(self) -> str:
        """See Repositories."""
        self.default  # noqa: B018 - raises where there is none
        return "; ".join([await repository.check() for repository in self._repositories.values()])
