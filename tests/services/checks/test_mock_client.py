from pathlib import Path

from app.results import CheckOutcome, Commands
from app.services.checks.mock_client import MockChecks, failed, passed, skipped, unavailable


async def test_everything_passes_until_a_script_says_otherwise(tmp_path: Path) -> None:
    checks = MockChecks()
    gates = (checks.run_setup, checks.run_lint, checks.run_tests)
    assert {(await gate(tmp_path, Commands(), room="c")).outcome for gate in gates} == {CheckOutcome.PASSED}


async def test_each_gate_has_its_own_script_and_repeats_its_last_line(tmp_path: Path) -> None:
    checks = MockChecks(setup=[unavailable("no npm")], lint=[failed("E1"), passed()], tests=[skipped()])
    lint = [(await checks.run_lint(tmp_path, Commands(), room="c")).outcome for _ in range(3)]
    assert lint == [CheckOutcome.FAILED, CheckOutcome.PASSED, CheckOutcome.PASSED]
    assert (await checks.run_setup(tmp_path, Commands(), room="c")).output == "no npm"
    assert (await checks.run_tests(tmp_path, Commands(), room="c")).outcome is CheckOutcome.SKIPPED


async def test_what_was_asked_is_recorded(tmp_path: Path) -> None:
    checks = MockChecks()
    await checks.run_lint(tmp_path, Commands(lint=("ruff check .",), test=("pytest",)), room="c")
    await checks.run_tests(tmp_path, Commands(), room="c")
    assert checks.calls == [("lint", tmp_path, ("ruff check .",)), ("test", tmp_path, ())]
