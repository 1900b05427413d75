"""Offline stand-ins: a forge in memory for real git, and the whole room in memory and directories, without git."""

import difflib
import fnmatch
import hashlib
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import BranchMoved, WorkFailed
from app.models import PullRequest
from app.results import Changes, Workspace
from app.services.github.base import GitHub
from app.services.github.conflicts import check_resolved
from app.services.github.forge import Forge, Found, Proposal, open_or_find
from app.services.github.remote import Remote

Files = Mapping[str, str]
"""Paths and texts of a commit."""

_REMOTE = Remote(url="https://offline.invalid/offline/demo.git", host="offline.invalid", slug="offline/demo")


class OfflineForge(Forge):
    """Keeps pull requests in memory. `pull_requests` has them in the order of their opening, the closed ones too."""

    def __init__(self) -> None:
        self.pull_requests: list[PullRequest] = []
        self.proposals: list[Proposal] = []
        self._open: dict[str, int] = {}

    async def find(self, remote: Remote, branch: str) -> Found | None:  # noqa: ARG002 - there is one repository
        """See Forge."""
        if (number := self._open.get(branch)) is None:
            return None
        proposal = self.proposals[number - 1]
        return Found(self.pull_requests[number - 1], proposal.title, proposal.body)

    async def create(self, remote: Remote, proposal: Proposal) -> PullRequest:
        """See Forge."""
        number = len(self.pull_requests) + 1
        url = f"https://{remote.host or _REMOTE.host}/{remote.slug}/pull/{number}"
        made = PullRequest(url=url, number=number, repository=remote.slug, draft=proposal.draft)
        self.pull_requests.append(made)
        self.proposals.append(proposal)
        self._open[proposal.branch] = number
        return made

    async def update(self, remote: Remote, number: int, proposal: Proposal) -> None:  # noqa: ARG002
        """See Forge."""
        self.proposals[number - 1] = proposal

    async def check(self, remote: Remote) -> str:
        """See Forge."""
        return f"pull requests of {remote.slug} stay offline"

    def close(self, number: int) -> None:
        """What a person does to a pull request."""
        self._open = {branch: other for branch, other in self._open.items() if other != number}


@dataclass(frozen=True)
class _Commit:
    files: Files
    parent: str | None


class MockGitHub(GitHub):
    """One repository that begins with the files of `seed`. Worktrees are plain directories under `root`."""

    def __init__(self, root: Path, seed: Files, *, base: str = "main", forge: OfflineForge | None = None) -> None:
        self._root = root
        self._base = base
        self._forge = forge or OfflineForge()
        self._commits: dict[str, _Commit] = {}
        self._workspaces: dict[str, Workspace] = {}
        self.heads: dict[str, str] = {base: self._new_commit(seed, None)}
        """Branches at the forge and their commits."""

    @property
    def pull_requests(self) -> list[PullRequest]:
        """All pull requests ever opened."""
        return self._forge.pull_requests

    def files(self, branch: str) -> Files:
        """What a branch holds at the forge."""
        return self._commits[self.heads[branch]].files

    def push_as_human(self, branch: str, files: Files) -> str:
        """A person's commit on a branch, which begins at the base if it is new. Returns the commit."""
        parent = self.heads.get(branch, self.heads[self._base])
        self.heads[branch] = self._new_commit({**self._commits[parent].files, **files}, parent)
        return self.heads[branch]

    async def start(self) -> None:
        """See GitHub."""

    async def refresh(self) -> None:
        """See GitHub."""

    async def prepare(self, branch: str, *, occupied: Callable[[Path], Awaitable[None]] | None = None) -> Workspace:
        """See GitHub."""
        directory = self._root / "worktrees" / branch
        head = self.heads.get(branch)
        fresh = Workspace(
            directory=directory,
            branch=branch,
            base=self._base,
            base_commit=self._fork_point(head) if head else self.heads[self._base],
            parent=head or self.heads[self._base],
            on_remote=head is not None,
        )
        known = self._workspaces.get(branch) if directory.is_dir() else None
        workspace, files = self._brought_together(known, fresh) if known else (fresh, self._files_of(fresh.parent))
        directory.mkdir(parents=True, exist_ok=True)
        if occupied:
            await occupied(directory)
        _write(directory, files, instead_of=_read(directory))
        self._workspaces[branch] = workspace
        return workspace

    async def read(self, workspace: Workspace, path: str, *, limit_bytes: int = 256 << 10) -> str | None:
        """See GitHub."""
        text = self._files_of(workspace.base_commit).get(path)
        return None if text is None else text.encode()[:limit_bytes].decode(errors="replace")

    async def changes(self, workspace: Workspace, *, patch_bytes: int = 200_000) -> Changes:
        """See GitHub."""
        base, files = self._files_of(workspace.base_commit), _read(workspace.directory)
        names = tuple(sorted(name for name in {*base, *files} if base.get(name) != files.get(name)))
        patch = "".join(_patch(name, base.get(name), files.get(name)) for name in names)
        if len(patch) > patch_bytes:
            patch = f"{patch[:patch_bytes]}\n[The patch is cut here: {len(patch):,} bytes in all.]\n"
        return Changes(files=names, patch=patch, unpublished=files != self._files_of(workspace.parent))

    async def commit(self, workspace: Workspace, message: str) -> str | None:  # noqa: ARG002 - nobody reads it here
        """See GitHub."""
        files = _read(workspace.directory)
        for path in workspace.conflicts:
            check_resolved(path, files.get(path, "").encode())
        return None if files == self._files_of(workspace.parent) else self._new_commit(files, workspace.parent)

    async def push(self, workspace: Workspace, commit: str) -> None:
        """See GitHub."""
        expected = workspace.parent if workspace.on_remote else None
        if self.heads.get(workspace.branch) not in {expected, commit}:
            raise BranchMoved(f"{workspace.branch} moved, so nothing was pushed; run the ticket again.")
        self.heads[workspace.branch] = commit
        pushed = workspace.model_copy(update={"parent": commit, "on_remote": True, "conflicts": ()})
        self._workspaces[workspace.branch] = pushed

    async def open_pull_request(self, workspace: Workspace, *, title: str, body: str, draft: bool) -> PullRequest:
        """See GitHub."""
        if workspace.branch not in self.heads:
            raise WorkFailed(f"{workspace.branch} is not at the forge; push it first.")
        return await open_or_find(self._forge, _REMOTE, Proposal(workspace.branch, workspace.base, title, body, draft))

    async def remove(self, workspace: Workspace) -> Path | None:
        """See GitHub."""
        known = self._workspaces.pop(workspace.branch, workspace)
        place = None
        if workspace.directory.is_dir():
            theirs, files = self._files_of(known.parent), _read(workspace.directory)
            if files != theirs:
                place = self._root / "saved" / workspace.branch.replace("/", "-")
                place.mkdir(parents=True, exist_ok=True)
                patches = (_patch(name, theirs.get(name), files.get(name)) for name in sorted({*theirs, *files}))
                (place / "work.patch").write_text("".join(patches))
            shutil.rmtree(workspace.directory)
        return place

    def removal_command(self, workspace: Workspace) -> str:
        """See GitHub."""
        return f"rm -r {workspace.directory}"

    async def check(self) -> str:
        """See GitHub."""
        return f"{_REMOTE.slug}: in memory"

    def _files_of(self, commit: str) -> Files:
        return self._commits[commit].files

    def _new_commit(self, files: Files, parent: str | None) -> str:
        name = hashlib.sha1(f"{len(self._commits)} {parent} {sorted(files.items())}".encode(), usedforsecurity=False)
        self._commits[name.hexdigest()] = _Commit(dict(files), parent)
        return name.hexdigest()

    def _fork_point(self, commit: str) -> str:
        ours = set(self._history(self.heads[self._base]))
        return next((one for one in self._history(commit) if one in ours), self.heads[self._base])

    def _history(self, commit: str | None) -> Iterator[str]:
        while commit:
            yield commit
            commit = self._commits[commit].parent

    def _brought_together(self, known: Workspace, fresh: Workspace) -> tuple[Workspace, Files]:
        ours = _read(known.directory)
        if fresh.on_remote == known.on_remote and (fresh.parent == known.parent or not fresh.on_remote):
            marked = tuple(name for name in known.conflicts if "<<<<<<< " in ours.get(name, ""))
            return known.model_copy(update={"conflicts": marked}), ours
        old, theirs = self._files_of(known.parent), self._files_of(fresh.parent)
        merged, conflicts = dict[str, str](), []
        for name in sorted({*old, *ours, *theirs}):
            before, mine, their = old.get(name), ours.get(name), theirs.get(name)
            text = their if mine == before else mine
            if before not in {mine, their} and mine != their:
                text = f"<<<<<<< pushed\n{their or ''}=======\n{mine or ''}>>>>>>> work\n"
                conflicts.append(name)
            if text is not None:
                merged[name] = text
        return fresh.model_copy(update={"conflicts": tuple(conflicts)}), merged


def _read(directory: Path) -> Files:
    """The texts of a directory, without what its .gitignore names."""
    ignore = directory / ".gitignore"
    patterns = [line.strip("/") for line in ignore.read_text().split()] if ignore.is_file() else []

    def is_ignored(path: Path) -> bool:
        return any(fnmatch.fnmatch(part, pattern) for part in path.parts for pattern in patterns)

    found = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    names = ((path.relative_to(directory), path) for path in found)
    return {str(name): path.read_text(errors="replace") for name, path in names if not is_ignored(name)}


def _write(directory: Path, files: Files, *, instead_of: Files) -> None:
    for name in instead_of.keys() - files.keys():
        (directory / name).unlink()
    for name, text in files.items():
        if instead_of.get(name) != text:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)


def _patch(name: str, old: str | None, new: str | None) -> str:
    if old == new:
        return ""
    before, after = (f"a/{name}" if old is not None else "/dev/null"), (f"b/{name}" if new is not None else "/dev/null")
    lines = difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), before, after, lineterm="")
    return "".join(f"{line}\n" for line in (f"diff --git a/{name} b/{name}", *lines))
