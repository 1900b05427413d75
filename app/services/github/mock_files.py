"""Directories of text files, compared and brought together without git: what the mock has instead of `content`."""

import difflib
import fnmatch
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from app.models import FileChange
from app.services.github.differences import Difference, Entry, Kind

Files = Mapping[str, str]
"""Paths and texts of a commit."""


def merged(old: Files, ours: Files, theirs: Files) -> tuple[Files, tuple[str, ...]]:
    """Two sides that grew from `old`, and the names of the files where they contradict each other."""
    both, conflicts = dict[str, str](), []
    for name in sorted({*old, *ours, *theirs}):
        before, mine, their = old.get(name), ours.get(name), theirs.get(name)
        text = their if mine == before else mine
        if before not in {mine, their} and mine != their:
            text = f"<<<<<<< pushed\n{their or ''}=======\n{mine or ''}>>>>>>> work\n"
            conflicts.append(name)
        if text is not None:
            both[name] = text
    return both, tuple(conflicts)


def files_in(directory: Path) -> Files:
    """The texts of a directory, without what its .gitignore names."""
    ignore = directory / ".gitignore"
    patterns = [line.strip("/") for line in ignore.read_text().split()] if ignore.is_file() else []

    def is_ignored(path: Path) -> bool:
        return any(fnmatch.fnmatch(part, pattern) for part in path.parts for pattern in patterns)

    found = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    names = ((path.relative_to(directory), path) for path in found)
    return {str(name): path.read_text(errors="replace") for name, path in names if not is_ignored(name)}


def write_files(directory: Path, files: Files, *, instead_of: Files) -> None:
    """Make the files of a directory these. `instead_of` is what it has."""
    for name in instead_of.keys() - files.keys():
        (directory / name).unlink()
    for name, text in files.items():
        if instead_of.get(name) != text:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)


def patch_of(name: str, old: str | None, new: str | None) -> str:
    """The unified diff of one file; empty when it is the same."""
    if old == new:
        return ""
    before, after = (f"a/{name}" if old is not None else "/dev/null"), (f"b/{name}" if new is not None else "/dev/null")
    lines = difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), before, after, lineterm="")
    return "".join(f"{line}\n" for line in (f"diff --git a/{name} b/{name}", *lines))


def differences(old: Files, new: Files) -> list[Difference]:
    """How two directories differ. The text of a file is its own blob."""
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return [Difference(name, _entry(old.get(name)), _entry(new.get(name))) for name in names]


class Texts:
    """Gives back the texts of `differences`."""

    async def contents(self, entries: Iterable[Entry]) -> AsyncIterator[Mapping[str, bytes]]:
        """All at once."""
        yield {entry.blob: entry.blob.encode() for entry in entries}


def _entry(text: str | None) -> Entry | None:
    return None if text is None else Entry(Kind.FILE, text, len(text.encode()))


def counted_in(name: str, patch: str) -> FileChange:
    """The lines that a patch adds and removes."""
    lines = patch.splitlines()[3:]  # after the names
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return FileChange(path=name, added=added, removed=removed)
