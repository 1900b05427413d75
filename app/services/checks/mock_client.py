"""Checks without programs: outcomes by script. They refuse what the real ones refuse."""

from collections.abc import Sequence
from pathlib import Path

from app.errors import InvalidInput, WorkFailed
from app.results import CheckOutcome, CheckResult, Commands
from app.services.checks.base import Checks
from app.services.checks.commands import Gate, argument_lists, shown


def passed(output: str = "") -> CheckResult:
    """A check that found nothing."""
    return CheckResult(outcome=CheckOutcome.PASSED, output=output)


def failed(output: str) -> CheckResult:
    """A check that found something."""
    return CheckResult(outcome=CheckOutcome.FAILED, output=output)


def skipped(reason: str = "Nothing to run.") -> CheckResult:
    """A repository that has no such check."""
    return CheckResult(outcome=CheckOutcome.SKIPPED, output=reason)


def unavailable(reason: str) -> CheckResult:
    """A command that cannot be run here."""
    return CheckResult(outcome=CheckOutcome.UNAVAILABLE, output=reason)


class MockChecks(Checks):
    """Gives the scripted results of each gate in their order, and the last one again and again.

    `calls` holds what was asked: gate, directory, and the commands that the repository named for the gate; `rooms` for
    each of them its room, and what could be read there besides.
    """

    def __init__(
        self,
        *,
        setup: Sequence[CheckResult] = (),
        lint: Sequence[CheckResult] = (),
        tests: Sequence[CheckResult] = (),
    ) -> None:
        self.calls: list[tuple[Gate, Path, tuple[str, ...]]] = []
        self.rooms: list[tuple[str, tuple[Path, ...]]] = []
        self._scripts: dict[Gate, list[CheckResult]] = {
            "setup": list(setup) or [passed()],
            "lint": list(lint) or [passed()],
            "test": list(tests) or [passed()],
        }

    async def run_setup(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        self.rooms.append((room, tuple(reads)))
        return self._check("setup", directory, commands.setup)

    async def run_lint(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        self.rooms.append((room, tuple(reads)))
        return self._check("lint", directory, commands.lint)

    async def run_tests(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        self.rooms.append((room, tuple(reads)))
        return self._check("test", directory, commands.test)

    def _check(self, gate: Gate, directory: Path, named: tuple[str, ...]) -> CheckResult:
        self.calls.append((gate, directory, named))
        if not directory.is_dir():
            raise WorkFailed(f"The worktree {directory} is gone. Start the run again.")
        try:
            command = shown(argument_lists(named))
        except InvalidInput as error:
            return CheckResult(outcome=CheckOutcome.UNAVAILABLE, command=error.field, output=error.message)
        script = self._scripts[gate]
        result = script.pop(0) if len(script) > 1 else script[0]
        return (
            result if result.outcome is CheckOutcome.SKIPPED else result.model_copy(update={"command": command or gate})
        )
