"""What people pushed to a branch since whoever works on it was last told."""

from app.results import Workspace
from app.services.github.git import AUTHOR, Git
from app.services.github.records import Records

_MOST = 20
_MOST_LOOKED_AT = 100
_LONGEST_LINE = 200


class Arrivals:
    """Compares a branch with what is remembered of it, which a crash or a removed worktree does not change."""

    def __init__(self, git: Git, records: Records) -> None:
        self._git = git
        self._records = records

    async def since(self, workspace: Workspace, base_head: str) -> tuple[str, ...]:
        """A line for each commit that arrived, oldest first, the newest 20. The same again until `acknowledge`.

        What came with the base, and the service's own commits, do not count.
        """
        known = self._records.memory(workspace.branch).head
        lines: tuple[str, ...] = ()
        if known and workspace.on_remote and known != workspace.parent:
            lines = await self._lines(workspace.parent, but_of=(known, base_head))
        if not lines:
            self.acknowledge(workspace.branch, workspace.parent)
        return lines

    def acknowledge(self, branch: str, head: str) -> None:
        """Everything up to `head` is known."""
        memory = self._records.memory(branch)
        self._records.remember(branch, memory.model_copy(update={"head": head}))

    async def _lines(self, head: str, *, but_of: tuple[str, ...]) -> tuple[str, ...]:
        facts = "--format=%H%x00%ce%x00%an: %s"
        order = ("--topo-order", f"--max-count={_MOST_LOOKED_AT}", "--no-commit-header")
        # Fails where somebody's gc took the commit that is remembered: nothing can be said then.
        listed = await self._git.private("rev-list", *order, facts, head, "--not", *but_of, check=False)
        commits = (line.split("\0", 2) for line in listed.text.split("\n") if line) if listed.ok else ()
        theirs = [_printable(f"{commit[:7]} {said}") for commit, committer, said in commits if committer != AUTHOR[1]]
        return tuple(reversed(theirs[:_MOST]))


def _printable(text: str) -> str:
    # Names and subjects are anybody's text: escape sequences and invisible characters say nothing worth showing.
    return "".join(character for character in text if character.isprintable())[:_LONGEST_LINE]
