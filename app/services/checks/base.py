"""The target repository's own commands: install its dependencies, lint it, test it.

It knows toolchains. It refuses to use a shell, and to run a command outside the room of its conversation.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from app.results import CheckResult, Commands


class Checks(ABC):
    """Runs a repository's commands in a worktree. Results are values: a failing check is no exception.

    `room` names the room that they are kept in, which is the conversation's session. Beside the worktree they see
    `reads`: what it needs that lies elsewhere, such as its repository's `.git`.
    """

    @abstractmethod
    async def run_setup(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        """Install what lint and tests need; `skipped` where nothing is to be installed."""

    @abstractmethod
    async def run_lint(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        """Lint the tree."""

    @abstractmethod
    async def run_tests(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        """Test the tree."""
