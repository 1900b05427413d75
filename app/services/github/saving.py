"""Work that is nowhere else, kept before its place is cleared: a bundle of the commits and a patch of the files."""

from datetime import UTC, datetime
from pathlib import Path

from app.services.github.content import Content
from app.services.github.git import Desk, Git


class Saving:
    """Writes `<branch>-<time>/` directories under `root`, with `branch.bundle` and `work.patch`."""

    def __init__(self, git: Git, content: Content, root: Path) -> None:
        self._git = git
        self._content = content
        self._root = root

    async def save(self, branch: str, *, tip: str | None, desk: Desk | None, parent: str) -> Path | None:
        """Keep what `tip` and the files hold beyond the forge, and say where; None when that is nothing.

        `tip` is the clone's own branch, `parent` what the files grew from. To have it back:
        `git fetch <bundle> 'refs/saved/*:refs/heads/saved/*'`, or `git apply work.patch` on the parent.
        """
        commits = [tip] if tip and await self._is_unpublished(tip) else []
        patch = b""
        if desk:
            tree = await self._content.snapshot(desk, parent)
            patch = await self._content.patch(parent, tree, binary=True)
            ours = tip or parent
            if patch and await self._content.tree_of(ours) != [tree]:
                commits = [await self._content.commit(tree, f"Unfinished work of {branch}", ours)]
        if not commits and not patch:
            return None
        place = self._new_place(branch)
        if patch:
            (place / "work.patch").write_bytes(patch)
        for commit in commits:
            await self._bundle(branch, commit, place / "branch.bundle")
        return place

    async def _is_unpublished(self, commit: str) -> bool:
        listed = await self._git.private("rev-list", "--max-count=1", commit, "--not", "--remotes")
        return bool(listed.text.strip())

    async def _bundle(self, branch: str, commit: str, path: Path) -> None:
        name = f"refs/saved/{branch}"
        await self._git.private("update-ref", name, commit)
        try:
            await self._git.private("bundle", "create", "--quiet", path, name, "--not", "--remotes")
        finally:
            await self._git.private("update-ref", "-d", name)

    def _new_place(self, branch: str) -> Path:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        place = self._root / f"{branch.replace('/', '-')}-{stamp}"
        place.mkdir(parents=True)
        return place
