"""Work that is nowhere else, kept before its place is cleared: a bundle of the commits and a patch of the files."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

from app.results import Saved
from app.services.github.bundles import LONGEST_HEADER, Header, header_of, make, size_of
from app.services.github.content import Content
from app.services.github.git import Git

_STAMP = "%Y%m%dT%H%M%S%fZ"
_PLACE = re.compile(r".+-(\d{8}T\d{12}Z)")
_PREFIX = "refs/saved/"
_BUNDLE, _PATCH = "branch.bundle", "work.patch"


class Saving:
    """Writes `<branch>-<time>/` directories under `root`, with `branch.bundle` and `work.patch`, and reads them."""

    def __init__(self, git: Git, content: Content, root: Path) -> None:
        self._git = git
        self._content = content
        self._root = root

    async def save(self, branch: str, *, tip: str | None, tree: str | None = None, parent: str) -> Path | None:
        """Keep what `tip` and the files hold beyond the forge, and say where; None when that is nothing.

        `tip` is the clone's own branch, `tree` has the files, `parent` is what they grew from. To have it back by hand:
        `git fetch <bundle> 'refs/saved/*:refs/heads/saved/*'`, or `git apply work.patch` on the parent.
        """
        commit, ours = tip, tip or parent
        if tree and [tree] not in (await self._content.tree_of(parent), await self._content.tree_of(ours)):
            commit = await self._content.commit(tree, f"Unfinished work of {branch}", ours)
        if commit is None or not await size_of(self._git, commit, "--remotes"):
            return None
        patch = await self._content.patch(parent, tree, binary=True) if tree else b""
        place = self._new_place(branch)
        if patch:
            (place / _PATCH).write_bytes(patch)
        await make(self._git, f"{_PREFIX}{branch}", commit, "--remotes", to=place / _BUNDLE)
        return place

    async def all(self) -> tuple[Saved, ...]:
        """What is saved, the newest first."""
        return await asyncio.to_thread(self._listed)

    def _listed(self) -> tuple[Saved, ...]:
        found = (self._read(place) for place in self._root.iterdir())
        return tuple(sorted((each for each in found if each), key=lambda each: (each.at, each.name), reverse=True))

    def _read(self, place: Path) -> Saved | None:
        stamp, header = _PLACE.fullmatch(place.name), _header(place)
        if stamp is None or header is None:
            return None
        patch = place / _PATCH
        files = _count(patch) if patch.is_file() else 0
        return Saved(
            name=place.name,
            repository=self._git.remote.slug,
            branch=header.name.removeprefix(_PREFIX),
            at=datetime.strptime(stamp[1], _STAMP).replace(tzinfo=UTC),
            size=sum(path.stat().st_size for path in place.iterdir()),
            what=f"{files} file{'' if files == 1 else 's'}" if files else "commits",
            place=place,
        )

    def _new_place(self, branch: str) -> Path:
        stamp = datetime.now(UTC).strftime(_STAMP)
        place = self._root / f"{branch.replace('/', '-')}-{stamp}"
        place.mkdir(parents=True)
        return place


def bundle_of(saved: Saved) -> bytes:
    """Its commits."""
    return (saved.place / _BUNDLE).read_bytes()


def _header(place: Path) -> Header | None:
    try:
        with (place / _BUNDLE).open("rb") as bundle:
            return header_of(bundle.read(LONGEST_HEADER))
    except OSError:
        return None


def _count(patch: Path) -> int:
    with patch.open("rb") as lines:
        return sum(line.startswith(b"diff --git ") for line in lines)
