"""The clone's list of worktrees: added to by git, read and mended as the files that gitrepository-layout(5) describes.

Everything here is done while the clone's lock is held. A person's own worktrees are never touched.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from app.errors import WorkFailed
from app.services.github.git import Git
from app.trees import remove_tree

_UNKNOWN = Path()


@dataclass(frozen=True)
class Entry:
    """One worktree as the clone knows it. `admin` is its directory inside the clone."""

    admin: Path
    directory: Path
    branch: str | None


class Worktrees:
    """The worktrees of one clone that lie under `root`."""

    def __init__(self, git: Git, root: Path) -> None:
        self._git = git
        self._root = root

    def entries(self) -> list[Entry]:
        """What the clone knows, half-made ones included."""
        folder = self._git.clone_dir / "worktrees"
        return [_entry(admin) for admin in sorted(folder.iterdir())] if folder.is_dir() else []

    def is_good(self, directory: Path, admin: Path) -> bool:
        """Git still knows the worktree by this administrative directory."""
        return _text(admin / "gitdir") == f"{directory}/.git" and (admin / "commondir").is_file()

    def mend(self, directory: Path, admin: Path, branch: str) -> None:
        """Point worktree and clone at each other again, whatever was written over that."""
        for name in ("index.lock", "HEAD.lock", "locked"):
            (admin / name).unlink(missing_ok=True)
        _write(admin / "HEAD", f"ref: refs/heads/{branch}\n")
        link = directory / ".git"
        if link.is_dir() and not link.is_symlink():
            link.rename(admin / f"replaced-{uuid4().hex}")
        _write(link, f"gitdir: {admin}\n")

    def clear(self, directory: Path, branch: str) -> None:
        """Make room: forget entries of ours that hold the branch or the directory.

        Raises WorkFailed when a person's own worktree holds the branch.
        """
        if _text(self._git.clone_dir / "HEAD") == f"ref: refs/heads/{branch}":
            raise WorkFailed(f"{branch} is checked out in {self._git.clone_dir.parent}; switch that to another branch.")
        for entry in self.entries():
            if entry.directory != directory and entry.branch != branch:
                continue
            if not self._is_ours(entry):
                raise WorkFailed(
                    f"{branch} is checked out in {entry.directory}; remove that worktree or switch its branch."
                )
            remove_tree(entry.admin)

    def ours(self) -> list[Entry]:
        """Those that are not a person's."""
        return [entry for entry in self.entries() if self._is_ours(entry)]

    def vanished(self) -> list[Entry]:
        """Those of ours whose directory is gone, or that were being made when their process died."""
        return [
            entry for entry in self.ours() if entry.directory == _UNKNOWN or not (entry.directory / ".git").exists()
        ]

    def _is_ours(self, entry: Entry) -> bool:
        if entry.directory == _UNKNOWN:  # half made; in a person's clone it may be theirs, in the making
            return self._git.clone_dir.is_relative_to(self._root.parent)
        return entry.directory.is_relative_to(self._root)

    async def add(self, directory: Path, branch: str, start: str, *, reset: bool = False) -> Path | None:
        """Add a worktree without files and return its administrative directory. The directory may exist, if empty.

        The branch is new; None when it is there already. With `reset` an old branch is moved to `start`.
        """
        directory.parent.mkdir(parents=True, exist_ok=True)
        flags = ("--quiet", "--no-track", "--no-checkout", "-B" if reset else "-b")
        done = await self._git.clone("worktree", "add", *flags, branch, "--", directory, start, check=False)
        if done.ok:
            return self._admin_of(directory)
        if reset or (await self.tip(branch)) is None:
            raise self._git.failed(f"add the worktree {directory}", done)
        return None

    def _admin_of(self, directory: Path) -> Path:
        # Asked of the clone: what the directory itself says, a program that works in it may have written.
        place = directory.resolve()
        return next(entry.admin for entry in self.entries() if entry.directory == place)

    async def tip(self, branch: str) -> str | None:
        """The commit of the clone's own branch; None without one."""
        done = await self._git.clone("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}", check=False)
        return done.text.strip() or None

    async def tip_and_tree(self, branch: str) -> tuple[str, str] | None:
        """The same, and its files."""
        name = f"refs/heads/{branch}"
        done = await self._git.clone("rev-parse", f"{name}^{{commit}}", f"{name}^{{tree}}", check=False)
        if not done.ok:
            return None
        commit, tree = done.text.split()
        return commit, tree

    def adopt(self, staging: Path, admin: Path, directory: Path, branch: str) -> None:
        """Turn the worktree just added at `staging` into that of `directory`, which has files already."""
        _write(admin / "gitdir", f"{directory}/.git\n")
        self.mend(directory, admin, branch)
        remove_tree(staging)


def settle_on(ground: Path, directory: Path) -> None:
    """Move an empty directory to where a worktree is to be. Nothing happens when it is none, or on another volume."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        if not ground.is_symlink() and not any(ground.iterdir()):
            ground.rename(directory)


def remove_empty(directory: Path) -> None:
    """Delete a directory that has nothing in it; anything else stays."""
    with contextlib.suppress(OSError):
        directory.rmdir()


def _entry(admin: Path) -> Entry:
    head = _text(admin / "HEAD")
    branch = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None
    return Entry(admin, Path(_text(admin / "gitdir")).parent, branch)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    if path.is_symlink() or _text(path) != text.strip():
        path.unlink(missing_ok=True)
        path.write_text(text)
