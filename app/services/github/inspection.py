"""Looks at a change before it is pushed, and decides what of it may not leave, or needs a person.

It sees what git would publish and nothing else: no worktree, no configuration of the target repository, and no program.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from app.domain.protected import AllowedPaths, ProtectedPaths
from app.results import Inspection, Refusal, RefusalReason
from app.services.github.differences import Difference, Entry, Kind
from app.services.github.secrets import Hit, SecretScanner

LARGEST_FILE = 10 << 20

_LONGEST_PLACE = 200
_MOST_KEPT = 500
"""Of refusals and of protected paths; people are told of ten."""


class Contents(Protocol):
    """Where the content of entries can be had."""

    def contents(self, entries: Iterable[Entry]) -> AsyncIterator[Mapping[str, bytes]]:
        """What these entries hold, by their blobs, some at a time."""
        ...


class Inspector:
    """The rules of what may be published. `blocks` refuses changes of protected paths, else they are only named."""

    def __init__(self, *, scanner: SecretScanner, protected: ProtectedPaths, blocks: bool = False) -> None:
        self._scanner = scanner
        self._protected = protected
        self._blocks = blocks

    def load_soon(self) -> None:
        """Load the scanner beside other work. A thread that nobody waits for, because it may take seconds."""
        threading.Thread(target=self._scanner.load, daemon=True).start()

    async def inspect(
        self,
        contents: Contents,
        *,
        whole: Sequence[Difference],
        brought: Sequence[Sequence[Difference]],
        allowed: AllowedPaths,
    ) -> Inspection:
        """What is found in a change. `whole` is all of it against its base, as the pull request shows it.

        `brought` is what the forge does not have yet, a list for each commit that it would get: only that is refused,
        so that people may push what they want themselves.
        """
        ours = [difference for commit in brought for difference in commit]
        added = _shown(difference.path for difference in ours if self._is_protected(difference))
        refusals = [_refused(RefusalReason.PROTECTED, path) for path in added] if self._blocks else []
        refusals += [refusal for difference in ours if (refusal := _misfit(difference)) is not None]
        refusals += [refusal async for refusal in self._bad_links(contents, ours)]
        refusals += await self._secrets(contents, ours, allowed)
        return Inspection(
            protected=_shown(difference.path for difference in whole if self._is_protected(difference)),
            adds_protected=bool(added),
            refusals=tuple(dict.fromkeys(refusals))[:_MOST_KEPT],
        )

    def _is_protected(self, difference: Difference) -> bool:
        sides = [side for side in (difference.old, difference.new) if side]
        return self._protected.covers(
            difference.path, is_link=any(side.kind in {Kind.LINK, Kind.SUBMODULE} for side in sides)
        )

    async def _bad_links(self, contents: Contents, ours: Sequence[Difference]) -> AsyncIterator[Refusal]:
        links = [(each.path, each.new) for each in ours if each.new and each.new.kind is Kind.LINK]
        async for targets in contents.contents(link for _, link in links if link.size <= LARGEST_FILE):
            for path, link in links:
                if link.blob in targets and leads_out(path, targets[link.blob]):
                    yield _refused(RefusalReason.SYMLINK, path)

    async def _secrets(
        self, contents: Contents, ours: Sequence[Difference], allowed: AllowedPaths
    ) -> Sequence[Refusal]:
        """Secrets that the change adds: those that one of its files had before are no news, also where they moved."""
        known: set[bytes] = set()
        async for _, hits in self._searched(contents, ((each.path, each.old) for each in ours)):
            known |= {hit.identity for hit in hits}
        new = [(each.path, each.new) for each in ours if not allowed.cover(each.path)]
        found: list[Refusal] = []
        async for path, hits in self._searched(contents, new):
            found += [_refused(RefusalReason.SECRET, path, hit) for hit in hits if hit.identity not in known]
        names = "\n".join(path for path, side in new if side).encode(errors="replace")
        if await asyncio.to_thread(self._scanner.search, "", names):
            found.append(Refusal(reason=RefusalReason.SECRET, place="the name of a file"))
        return found

    async def _searched(
        self, contents: Contents, sides: Iterable[tuple[str, Entry | None]]
    ) -> AsyncIterator[tuple[str, Sequence[Hit]]]:
        files: dict[str, list[str]] = {}
        entries: dict[str, Entry] = {}
        for path, side in sides:
            if side and side.kind is not Kind.SUBMODULE and side.size <= LARGEST_FILE:
                entries[side.blob] = side
                files.setdefault(side.blob, []).append(path)
        async for some in contents.contents(entries.values()):
            asked = [(path, content) for blob, content in some.items() for path in files[blob]]
            for found in await asyncio.to_thread(self._search_all, asked):
                yield found

    def _search_all(self, files: Iterable[tuple[str, bytes]]) -> list[tuple[str, Sequence[Hit]]]:
        return [(path, self._scanner.search(path, content)) for path, content in files]


def leads_out(path: str, target: bytes) -> bool:
    """Whether a symbolic link at `path` leads out of its repository, or into what git keeps beside the files.

    It may go up only at its beginning: further on, what it goes up from could itself be a link to somewhere.
    """
    parts = [part for part in target.split(b"/") if part not in {b"", b"."}]
    ups = next((place for place, part in enumerate(parts) if part != b".."), len(parts))
    return (
        target.startswith(b"/")
        or ups > path.count("/")
        or b".." in parts[ups:]
        or any(part.lower() == b".git" for part in parts)
    )


def _misfit(difference: Difference) -> Refusal | None:
    old, new = difference.old, difference.new
    if any(side and side.kind is Kind.SUBMODULE for side in (old, new)):
        return _refused(RefusalReason.SUBMODULE, difference.path)
    if new and new.size > LARGEST_FILE:
        return _refused(RefusalReason.LARGE_FILE, difference.path)
    return None


def _refused(reason: RefusalReason, path: str, hit: Hit | None = None) -> Refusal:
    place = _printable(path)
    return (
        Refusal(reason=reason, place=f"{place}:{hit.line}", what=hit.kind)
        if hit
        else Refusal(reason=reason, place=place)
    )


def _shown(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({_printable(path) for path in paths}))[:_MOST_KEPT]


def _printable(path: str) -> str:
    # Names are anybody's text: they go into messages, pages and JSON. Also a name that looks like another is told.
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape", "replace").decode() for each in path)
    return shown if len(shown) <= _LONGEST_PLACE else f"…{shown[-_LONGEST_PLACE:]}"
