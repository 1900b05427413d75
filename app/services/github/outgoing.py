"""What a push would bring to the forge, compared with what is there."""

from collections.abc import Sequence

from app.domain.protected import ALLOWED_AT, AllowedPaths
from app.results import Inspection, Workspace
from app.services.github.content import Content
from app.services.github.differences import Differences
from app.services.github.git import Git
from app.services.github.inspection import Inspector
from app.services.github.origin import TRACKED


class Outgoing:
    """Has every commit looked at that the forge would get, not only the last: a secret stays in each of them."""

    def __init__(self, git: Git, content: Content, inspector: Inspector) -> None:
        self._git = git
        self._content = content
        self._differences = Differences(git)
        self._inspector = inspector

    async def inspect_commit(self, workspace: Workspace, commit: str) -> Inspection:
        """What is found in all that pushing `commit` would publish."""
        listed = await self._git.private("rev-list", "--reverse", commit, "--not", workspace.parent)
        return await self._inspect(workspace, listed.text.split(), end=commit)

    async def inspect_tree(self, workspace: Workspace, tree: str) -> Inspection:
        """The same of files that are not committed."""
        return await self._inspect(workspace, [tree], end=tree)

    async def _inspect(self, workspace: Workspace, brought: Sequence[str], *, end: str) -> Inspection:
        # From the base as it is at the forge: a maintainer may have put it there since the branch began.
        allowed = await self._content.file(f"{TRACKED}{workspace.base}", ALLOWED_AT)
        between = self._differences.between
        return await self._inspector.inspect(
            self._differences,
            whole=await between(workspace.base_commit, end),
            brought=[await between(workspace.parent, each) for each in brought],
            allowed=AllowedPaths(None if allowed is None else allowed.decode(errors="replace")),
        )
