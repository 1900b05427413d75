"""What every implementation of `Checks` does."""

import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from app.config import Settings
from app.errors import WorkFailed
from app.results import CheckOutcome, CheckResult, Commands
from app.sandbox import Sandbox
from app.services.checks import Checks
from app.services.checks.client import ChecksClient
from app.services.checks.mock_client import MockChecks, failed, passed

Gate = Literal["setup", "lint", "test"]
GATES: tuple[Gate, ...] = ("setup", "lint", "test")


def real(workspace: Path, *outcomes: bool) -> tuple[Checks, str]:
    """Checks, and a command that passes or fails by turns; the last turn lasts."""
    code = (
        "import pathlib, sys; turn = pathlib.Path('turn'); n = int(turn.read_text()) if turn.exists() else 0; "
        f"turn.write_text(str(n + 1)); ok = {outcomes}[min(n, {len(outcomes) - 1})]; "
        "print('fine' if ok else 'broken'); sys.exit(not ok)"
    )
    settings = Settings(_env_file=None, workspace_dir=workspace, agent_network="none")
    program = [str(Path(sys.executable).resolve()), "-c", code]
    return ChecksClient(limit_s=30, sandbox=Sandbox.of(settings)), shlex.join(program)


def mock(_: Path, *outcomes: bool) -> tuple[Checks, str]:
    results = [passed("fine") if ok else failed("broken") for ok in outcomes]
    return MockChecks(setup=results, lint=results, tests=results), "check-it"


Make = Callable[..., tuple[Checks, str]]


@pytest.fixture(params=[real, mock])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return partial(request.param, tmp_path / "workspace")


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    directory = tmp_path / "worktree"
    directory.mkdir()
    return directory


async def check(checks: Checks, gate: Gate, directory: Path, *commands: str) -> CheckResult:
    named = Commands(**{gate: commands})
    runs = {"setup": checks.run_setup, "lint": checks.run_lint, "test": checks.run_tests}
    return await runs[gate](directory, named, room="conversation")


@pytest.mark.parametrize("gate", GATES)
async def test_a_passed_check_names_its_command_and_keeps_its_output(make: Make, gate: Gate, worktree: Path) -> None:
    checks, command = make(True)
    result = await check(checks, gate, worktree, command)
    assert (result.outcome, result.command, result.output) == (CheckOutcome.PASSED, command, "fine")


@pytest.mark.parametrize("gate", GATES)
async def test_a_failed_check_is_a_value_that_says_what_failed(make: Make, gate: Gate, worktree: Path) -> None:
    checks, command = make(False)
    result = await check(checks, gate, worktree, command)
    assert (result.outcome, result.command) == (CheckOutcome.FAILED, command)
    assert "broken" in result.output


async def test_a_check_is_made_anew_each_time(make: Make, worktree: Path) -> None:
    checks, command = make(False, True)
    results = [await check(checks, "lint", worktree, command) for _ in range(3)]
    assert [result.outcome for result in results] == [CheckOutcome.FAILED, CheckOutcome.PASSED, CheckOutcome.PASSED]


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("command", ["make lint | tee log", "a && b", "echo $(id)", "echo 'open"])
async def test_a_command_that_needs_a_shell_is_unavailable(
    make: Make, gate: Gate, command: str, worktree: Path
) -> None:
    checks, _ = make(True)
    result = await check(checks, gate, worktree, command)
    assert (result.outcome, result.command) == (CheckOutcome.UNAVAILABLE, command)
    assert result.output.startswith(f"{command}: ")


async def test_a_worktree_that_is_gone_fails_the_work(make: Make, tmp_path: Path) -> None:
    checks, command = make(True)
    with pytest.raises(WorkFailed, match="is gone"):
        await check(checks, "test", tmp_path / "gone", command)
