"""Two trees compared entry by entry: what is a link, a submodule or a file, how large it is, and what it holds."""

import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.services.github.git import Git

_NOTHING = "000000"
_AT_ONCE_BYTES = 16 << 20
"""Contents that one command gives; more than 64 MB of output would be cut."""


class Kind(StrEnum):
    """What git keeps of an entry of a tree, by its mode."""

    FILE = "100644"
    PROGRAM = "100755"
    LINK = "120000"
    SUBMODULE = "160000"


@dataclass(frozen=True)
class Entry:
    """One side of a difference. `blob` names its content, which a submodule does not have."""

    kind: Kind
    blob: str
    size: int = 0


@dataclass(frozen=True)
class Difference:
    """A path that two trees have not alike; None is the side that does not have it. A moved file is two of them."""

    path: str
    old: Entry | None
    new: Entry | None


class Differences:
    """Compares trees of one repository, and reads what they hold."""

    def __init__(self, git: Git) -> None:
        self._git = git

    async def between(self, old: str, new: str) -> list[Difference]:
        """How two trees differ, by path. Nothing that the repository says hides an entry."""
        flags = ("-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules=none")
        listed = await self._git.private("diff-tree", *flags, old, new)
        lines = list(_lines(listed.stdout))
        blobs = {blob for _, *sides in lines for mode, blob in sides if mode not in {_NOTHING, Kind.SUBMODULE}}
        sizes = await self._sizes(blobs)
        return [Difference(path, _entry(*old_side, sizes), _entry(*side, sizes)) for path, old_side, side in lines]

    async def contents(self, entries: Iterable[Entry]) -> AsyncIterator[Mapping[str, bytes]]:
        """What these entries hold, by their blobs, some megabytes at a time."""
        for some in _batches({entry.blob: entry.size for entry in entries}):
            asked = await self._git.private("cat-file", "--batch", stdin=_joined(some))
            yield dict(_contents(asked.stdout))

    async def _sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        asked = await self._git.private(
            "cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer", stdin=_joined(blobs)
        )
        pairs = (line.split() for line in asked.text.splitlines())
        return {blob: int(size) for blob, size in pairs}


def _lines(raw: bytes) -> Iterator[tuple[str, tuple[str, str], tuple[str, str]]]:
    """Path, and mode and blob of both sides, of each pair of `:modes blobs status NUL path NUL`."""
    parts = raw.split(b"\0")
    for facts, path in zip(parts[::2], parts[1::2], strict=False):
        old_mode, mode, old_blob, blob, _ = facts.decode().removeprefix(":").split()
        yield os.fsdecode(path), (old_mode, old_blob), (mode, blob)


def _entry(mode: str, blob: str, sizes: Mapping[str, int]) -> Entry | None:
    return None if mode == _NOTHING else Entry(Kind(mode), blob, sizes.get(blob, 0))


def _batches(sizes: Mapping[str, int]) -> Iterator[Sequence[str]]:
    some: list[str] = []
    total = 0
    for blob, size in sizes.items():
        if some and total + size > _AT_ONCE_BYTES:
            yield some
            some, total = [], 0
        some.append(blob)
        total += size
    if some:
        yield some


def _contents(output: bytes) -> Iterator[tuple[str, bytes]]:
    """Blobs and contents of each `blob type size LF content LF`."""
    place = 0
    while place < len(output):
        end = output.index(b"\n", place)
        blob, _, size = output[place:end].split()
        content = output[end + 1 : end + 1 + int(size)]
        yield blob.decode(), content
        place = end + 1 + int(size) + 1


def _joined(blobs: Iterable[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()
