"""A change as people read it: its files with their lines counted, and a patch of bearable length."""

import re

from app.models import FileChange

_COUNTED = re.compile(rb"(\d+|-)\t(\d+|-)\t(?:([^\0]+)\0|\0[^\0]*\0([^\0]*)\0)")


def counted(numstat: bytes) -> tuple[FileChange, ...]:
    """The files of `git diff --numstat -z`, sorted by name; a moved file by its new name."""
    found = (match.groups() for match in _COUNTED.finditer(numstat))
    # Never with surrogates, because the names go into JSON.
    files = (
        FileChange(path=(kept or moved_to).decode(errors="replace"), added=_lines(added), removed=_lines(removed))
        for added, removed, kept, moved_to in found
    )
    return tuple(sorted(files, key=lambda file: file.path))


def shortened(patch: bytes, limit: int) -> str:
    """The patch as text: whole, or its first lines within `limit` bytes and a note."""
    if len(patch) <= limit:
        return patch.decode(errors="replace")
    kept = patch[:limit].rpartition(b"\n")[0].decode(errors="replace")
    return f"{kept}\n[The patch is cut here: {len(patch):,} bytes in all. The worktree has the files.]\n"


def _lines(number: bytes) -> int | None:
    return None if number == b"-" else int(number)
