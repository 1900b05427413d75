"""The target repository's own commands: install its dependencies, lint it, test it.

The room knows toolchains. It refuses to use a shell and to give a command any secret of the service.
"""

from abc import ABC, abstractmethod
from pathlib import Path

from app.results import CheckResult, Commands


class Checks(ABC):
    """Runs a repository's commands in a worktree. Results are values: a failing check is no exception."""

    @abstractmethod
    async def run_setup(self, directory: Path, commands: Commands) -> CheckResult:
        """Install what lint and tests need; `skipped` where nothing is to be installed."""

    @abstractmethod
    async def run_lint(self, directory: Path, commands: Commands) -> CheckResult:
        """Lint the tree."""

    @abstractmethod
    async def run_tests(self, directory: Path, commands: Commands) -> CheckResult:
        """Test the tree."""
