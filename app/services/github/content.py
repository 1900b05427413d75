"""The files of a worktree as git objects: checked out, taken in, compared, brought together.

Nothing here starts a program that the worktree names. `git add` is not used for that reason: in a repository embedded
in the worktree it runs `git status`, which obeys that repository's own configuration.
"""

import asyncio
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.errors import WorkFailed
from app.models import FileChange
from app.services.github.git import Desk, Git
from app.services.github.patches import counted

_COMPARED = ("-r", "--no-ext-diff", "--no-textconv", "--find-renames")
_REGULAR = {b"100644", b"100755"}
_EMBEDDED = b"/"
_CONFLICT_MARKER = b"<<<<<<< "
_LARGEST_SEARCHED = 4 << 20


class Content:
    """Content of worktrees, through their private indexes."""

    def __init__(self, git: Git) -> None:
        self._git = git

    async def check_out(self, desk: Desk, tree: str) -> None:
        """Make the files those of `tree`. Files that the index knows and the tree lacks are deleted, others stay."""
        _unlock(desk.index)
        await self._git.private("read-tree", "--reset", "-u", tree, desk=desk)

    async def snapshot(self, desk: Desk, parent: str) -> str:
        """The tree of the worktree's files, new ones included, ignored ones not. `parent` is what they grew from.

        The files of an embedded repository are taken as plain files: a link to a repository that is nowhere else would
        lose them.
        """
        if desk.directory.is_symlink() or not desk.directory.is_dir():
            raise WorkFailed(f"The worktree {desk.directory} is not there any more; start the run again.")
        _unlock(desk.index)
        if not desk.index.exists():
            await self._git.private("read-tree", parent, desk=desk)
        flags = ("--others", "--exclude-standard", "--modified", "--deleted")
        listed = await self._git.private("ls-files", "-z", *flags, desk=desk)
        names = {name for name in listed.stdout.split(b"\0") if name}
        embedded = {name for name in names if name.endswith(_EMBEDDED)}
        names -= embedded
        if embedded:
            names |= await self._files_of_embedded(desk, embedded)
        await self._take_in(desk, names)
        return (await self._git.private("write-tree", desk=desk)).text.strip()

    async def _take_in(self, desk: Desk, names: set[bytes]) -> None:
        # What lies behind a symbolic link is not in the worktree any more, whatever the link shows.
        hidden = {name for name in names if _behind_a_link(desk.directory, name)}
        if hidden:
            await self._git.private("update-index", "--force-remove", "-z", "--stdin", desk=desk, stdin=_joined(hidden))
        if names := names - hidden:
            flags = ("--add", "--remove", "--replace", "-z", "--stdin")
            await self._git.private("update-index", *flags, desk=desk, stdin=_joined(names))

    async def _files_of_embedded(self, desk: Desk, embedded: Iterable[bytes]) -> set[bytes]:
        root = os.fsencode(desk.directory)
        found = await asyncio.to_thread(lambda: {name for top in embedded for name in _files_under(root, top)})
        ignored = await self._git.private("check-ignore", "-z", "--stdin", desk=desk, stdin=_joined(found), check=False)
        if ignored.code not in {0, 1}:  # 1: none is ignored
            raise self._git.failed(f"look through {desk.directory}", ignored)
        return found - set(ignored.stdout.split(b"\0"))

    async def tree_of(self, *commits: str) -> list[str]:
        """The trees of commits, in order."""
        asked = await self._git.private("rev-parse", *(f"{commit}^{{tree}}" for commit in commits))
        return asked.text.split()

    async def file(self, commit: str, path: str) -> bytes | None:
        """A regular file of a commit; None when there is none of that path."""
        listed = await self._git.private("ls-tree", "-z", "--full-tree", commit, "--", path, check=False)
        entries = [line.split(b"\t", 1) for line in listed.stdout.split(b"\0") if line]
        for facts, name in entries:
            mode, _, blob = facts.split()
            if name == os.fsencode(path) and mode in _REGULAR:
                return (await self._git.private("cat-file", "blob", blob.decode())).stdout
        return None

    async def files(self, old: str, new: str) -> tuple[FileChange, ...]:
        """Files that differ between two trees, sorted; a moved file by its new name."""
        return counted((await self._git.private("diff-tree", "--numstat", "-z", *_COMPARED, old, new)).stdout)

    async def patch(self, old: str, new: str, *, binary: bool = False) -> bytes:
        """The unified diff between two trees. Binary files are named only, unless `binary`."""
        flags = ("-p", "--no-color", "--full-index", *(["--binary"] if binary else []))
        return (await self._git.private("diff-tree", *flags, *_COMPARED, old, new)).stdout

    async def commit(self, tree: str, message: str, *parents: str) -> str:
        """A new commit; no branch knows it yet."""
        flags = [flag for parent in parents for flag in ("-p", parent)]
        text = f"{message.strip()}\n".encode()
        return (await self._git.private("commit-tree", tree, *flags, "-F", "-", stdin=text)).text.strip()

    async def merged(self, *, parent: str, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        """The tree of two trees that both grew from `parent`, and its files in conflict."""
        # Commits of our own give the merge its base, also where `theirs` was rewritten and no longer holds `parent`.
        old, new = await self.tree_of(parent, theirs)
        root = await self.commit(old, "parent")
        pushed = await self.commit(new, "pushed", root)
        work = await self.commit(ours, "work", root)
        done = await self._git.private(
            "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", pushed, work, check=False
        )
        if done.code not in {0, 1}:
            raise self._git.failed("bring the unpushed work together with what was pushed", done)
        tree, *conflicts = [part for part in done.stdout.split(b"\0") if part]
        return tree.decode(), _readable(conflicts)


def show_to_git(desk: Desk, admin: Path) -> None:
    """Give the worktree's own git the private index, so that `git status` in it tells the truth."""
    copy = admin / "index.auto-code"
    try:
        shutil.copyfile(desk.index, copy)
        copy.replace(admin / "index")
    except OSError:  # only a courtesy: the private index is what counts
        copy.unlink(missing_ok=True)


def still_in_conflict(directory: Path, files: Iterable[str]) -> tuple[str, ...]:
    """Those of `files` that hold a conflict marker."""
    return tuple(name for name in files if _has_marker(directory / name))


def _has_marker(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_SEARCHED:
        return False
    return any(line.startswith(_CONFLICT_MARKER) for line in path.read_bytes().splitlines())


def _files_under(root: bytes, top: bytes) -> Iterator[bytes]:
    for directory, folders, files in os.walk(os.path.join(root, top)):  # noqa: PTH118 - names that are not UTF-8
        folders[:] = [name for name in folders if name != b".git"]
        links = [name for name in folders if os.path.islink(os.path.join(directory, name))]  # noqa: PTH114, PTH118
        for name in (*files, *links):
            path = os.path.join(directory, name)  # noqa: PTH118
            if name != b".git" and (os.path.islink(path) or os.path.isfile(path)):  # noqa: PTH113, PTH114
                yield os.path.relpath(path, root)


def _behind_a_link(directory: Path, name: bytes) -> bool:
    path = os.fsencode(directory)
    for part in name.split(b"/")[:-1]:
        path += b"/" + part
        if os.path.islink(path):  # noqa: PTH114
            return True
    return False


def _readable(names: Iterable[bytes]) -> tuple[str, ...]:
    # Never with surrogates, because the names go into JSON.
    return tuple(sorted({name.decode(errors="replace") for name in names if name}))


def _unlock(index: Path) -> None:
    # Whoever made this lock is dead: the branch's lock is held around every use of the index.
    index.with_name(f"{index.name}.lock").unlink(missing_ok=True)


def _joined(names: Iterable[bytes]) -> bytes:
    return b"".join(name + b"\0" for name in sorted(names))
