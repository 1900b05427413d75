import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app import process
from app.config import Settings
from app.errors import WorkFailed
from app.results import CheckOutcome, CheckResult, Commands
from app.sandbox import Sandbox
from app.services.checks.client import ChecksClient

SYSTEM_PATH = "/usr/bin:/bin"
ROOM = "conversation"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory for programs, first on the search path of the checks."""
    directory = tmp_path / "programs"
    directory.mkdir()
    return directory


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    directory = tmp_path / "worktree"
    directory.mkdir()
    return directory


def checks_of(
    workspace: Path, environment: Mapping[str, str] | None, *, limit_s: float = 30, **more: Any
) -> ChecksClient:
    facts = {"workspace_dir": workspace, "agent_network": "none", **more}
    sandbox = Sandbox.of(Settings(_env_file=None, **facts), environment=environment)
    return ChecksClient(limit_s=limit_s, sandbox=sandbox)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Where the rooms are."""
    return tmp_path / "workspace"


@pytest.fixture
def checks(workspace: Path, programs: Path) -> ChecksClient:
    return checks_of(workspace, {"PATH": f"{programs}:{SYSTEM_PATH}"})


def script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


def python(code: str) -> str:
    return shlex.join([str(Path(sys.executable).resolve()), "-c", code])


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def lint(*commands: str) -> Commands:
    return Commands(lint=commands)


async def test_the_toolchain_of_the_repository_is_run(checks: ChecksClient, programs: Path, worktree: Path) -> None:
    script(programs / "pnpm", 'echo "pnpm $* in $(pwd)"')
    (worktree / "package.json").write_text('{"scripts": {"lint": "eslint .", "test": "vitest"}}')
    (worktree / "pnpm-lock.yaml").write_text("")
    results = [
        await checks.run_setup(worktree, Commands(), room=ROOM),
        await checks.run_lint(worktree, Commands(), room=ROOM),
        await checks.run_tests(worktree, Commands(), room=ROOM),
    ]
    assert [(result.outcome, result.command, result.output) for result in results] == [
        (CheckOutcome.PASSED, "pnpm install --frozen-lockfile", "pnpm install --frozen-lockfile in ."),
        (CheckOutcome.PASSED, "pnpm lint", "pnpm lint in ."),
        (CheckOutcome.PASSED, "pnpm test", "pnpm test in ."),
    ]


async def test_named_commands_win_over_the_toolchain_gate_by_gate(
    checks: ChecksClient, programs: Path, worktree: Path
) -> None:
    script(programs / "go", 'echo "go $1"')
    script(programs / "tidy", "echo tidy")
    (worktree / "go.mod").write_text("module x")
    assert (await checks.run_lint(worktree, lint("tidy"), room=ROOM)).output == "tidy"
    assert (await checks.run_tests(worktree, lint("tidy"), room=ROOM)).output == "go test"


async def test_commands_run_in_order_and_stop_at_the_first_that_fails(checks: ChecksClient, worktree: Path) -> None:
    fails = python("print('two'); raise SystemExit(3)")
    result = await checks.run_lint(worktree, lint("echo one", fails, "touch three"), room=ROOM)
    assert (result.outcome, result.command) == (CheckOutcome.FAILED, fails)
    assert result.output == "two\n(exit status 3)"
    assert not (worktree / "three").exists()


async def test_passed_commands_are_shown_together(checks: ChecksClient, worktree: Path) -> None:
    result = await checks.run_tests(worktree, Commands(test=("echo one", "echo two")), room=ROOM)
    assert result.model_copy(update={"duration_s": 0.0}) == CheckResult(
        outcome=CheckOutcome.PASSED, command="echo one && echo two", output="one\ntwo"
    )
    assert result.duration_s > 0


async def test_both_streams_are_kept_in_their_order_and_made_readable(checks: ChecksClient, worktree: Path) -> None:
    script(
        worktree / "noisy.sh",
        r"printf '\033[31mfirst\033[0m\n' >&2",
        "echo second",
        r"printf 'a\rb\000\n' >&2",
        "exit 1",
    )
    result = await checks.run_lint(worktree, lint("./noisy.sh"), room=ROOM)
    assert result.output == "first\nsecond\nb\n(exit status 1)"


async def test_output_is_shortened_and_keeps_its_head_and_tail(checks: ChecksClient, worktree: Path) -> None:
    result = await checks.run_lint(
        worktree, lint(python("for i in range(400_000): print('line', i)\nraise SystemExit(1)")), room=ROOM
    )
    assert len(result.output) <= 12_000
    assert result.output.startswith("line 0\nline 1\n")
    assert result.output.endswith("line 399999\n(exit status 1)")


async def test_the_place_of_the_worktree_is_not_part_of_the_output(checks: ChecksClient, worktree: Path) -> None:
    result = await checks.run_lint(worktree, lint(f"echo {worktree}/src/app.py:3"), room=ROOM)
    assert result.output == "./src/app.py:3"


async def test_a_command_beyond_its_time_has_failed_and_says_so(worktree: Path, workspace: Path) -> None:
    checks = checks_of(workspace, {"PATH": SYSTEM_PATH}, limit_s=0.3)
    result = await checks.run_tests(worktree, Commands(test=("sh -c 'sleep 60'",)), room=ROOM)
    assert result.outcome is CheckOutcome.FAILED
    assert result.output.endswith("(ended after 0.3 s, its time limit)")


async def test_a_command_ended_by_a_signal_has_failed_and_says_so(checks: ChecksClient, worktree: Path) -> None:
    result = await checks.run_tests(worktree, Commands(test=("sh -c 'kill -KILL $$'",)), room=ROOM)
    assert (result.outcome, result.output) == (CheckOutcome.FAILED, "(ended by signal 9: Killed)")


async def test_a_missing_program_is_unavailable_with_what_to_do(
    programs: Path, worktree: Path, workspace: Path
) -> None:
    checks = checks_of(workspace, {"PATH": str(programs)})
    (worktree / "Cargo.toml").write_text("")
    result = await checks.run_lint(worktree, Commands(), room=ROOM)
    assert (result.outcome, result.command) == (CheckOutcome.UNAVAILABLE, "cargo clippy --all-targets -- -D warnings")
    assert result.output == "cargo is not installed on this machine: install it, or name other commands in WORKFLOW.md."


async def test_a_program_that_a_script_misses_is_unavailable_too(checks: ChecksClient, worktree: Path) -> None:
    result = await checks.run_lint(worktree, lint("sh -c 'no-such-linter .'"), room=ROOM)
    assert result.outcome is CheckOutcome.UNAVAILABLE
    assert "no-such-linter" in result.output


@pytest.mark.parametrize("name", ["./missing.sh", "./plain.txt", "scripts"])
async def test_a_script_that_cannot_be_started_is_unavailable(checks: ChecksClient, worktree: Path, name: str) -> None:
    (worktree / "plain.txt").write_text("echo hello")
    (worktree / "scripts").mkdir()
    result = await checks.run_lint(worktree, lint(name), room=ROOM)
    assert result.outcome is CheckOutcome.UNAVAILABLE
    assert result.output.startswith(name)


async def test_a_broken_manifest_is_a_failure_that_a_fixer_can_read(checks: ChecksClient, worktree: Path) -> None:
    (worktree / "package.json").write_text('{"scripts": ')
    for result in (
        await checks.run_setup(worktree, Commands(), room=ROOM),
        await checks.run_tests(worktree, Commands(), room=ROOM),
    ):
        assert result.outcome is CheckOutcome.FAILED
        assert result.output.startswith("package.json: cannot be read: Expecting value: line 1")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "Nothing to run: no toolchain was found at its root. `lint:` in WORKFLOW.md can name one."),
        (["test_a.py"], "Nothing to run: python has no lint command here. `lint:` in WORKFLOW.md can name one."),
    ],
)
async def test_nothing_to_run_is_skipped_with_the_reason(
    checks: ChecksClient, worktree: Path, files: list[str], reason: str
) -> None:
    for name in files:
        (worktree / name).write_text("")
    assert await checks.run_lint(worktree, Commands(), room=ROOM) == CheckResult(
        outcome=CheckOutcome.SKIPPED, output=reason
    )


async def test_commands_get_a_quiet_environment_and_a_home_of_their_own(worktree: Path, workspace: Path) -> None:
    checks = checks_of(workspace, {"PATH": SYSTEM_PATH, "HOME": "/home/me", "TZ": "UTC", "TERM": "xterm"})
    result = await checks.run_lint(worktree, lint("env"), room=ROOM)
    seen = dict(line.split("=", 1) for line in result.output.split("\n"))
    assert (seen["HOME"], seen["TZ"]) == (str(workspace / "claude" / ROOM / "home"), "UTC")
    assert (seen["CI"], seen["NO_COLOR"], seen["TERM"], seen["PYTHONDONTWRITEBYTECODE"]) == ("true", "1", "dumb", "1")
    assert seen.keys().isdisjoint({"FORCE_COLOR", "VIRTUAL_ENV", "GIT_CONFIG_GLOBAL", "GH_TOKEN", "AUTO_CODE_ROOM"})


async def test_the_environment_of_this_process_is_not_passed_on(worktree: Path, workspace: Path) -> None:
    result = await checks_of(workspace, None).run_lint(worktree, lint("env"), room=ROOM)
    names = {line.partition("=")[0] for line in result.output.split("\n")}
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert names.isdisjoint({"PYTEST_CURRENT_TEST", "VIRTUAL_ENV"})


async def test_the_python_of_this_service_is_not_the_repositorys(worktree: Path, workspace: Path) -> None:
    own = Path(sys.prefix) / "bin"
    checks = checks_of(workspace, {"PATH": str(own)})
    assert own.joinpath("pytest").exists()
    assert (await checks.run_lint(worktree, lint("pytest --version"), room=ROOM)).outcome is CheckOutcome.UNAVAILABLE


async def test_commands_are_kept_in_the_conversations_room(
    checks: ChecksClient, worktree: Path, workspace: Path
) -> None:
    neighbour, common = workspace / "worktrees" / "other", workspace / "repository" / ".git"
    for place in (neighbour, common):
        place.mkdir(parents=True)
        (place / "file").write_text("theirs")
    look = python(f"for place in {[str(neighbour), str(common)]}: print(open(place + '/file').read())")
    shut = await checks.run_tests(worktree, Commands(test=(look,)), room=ROOM, reads=[common])
    assert "PermissionError" in shut.output
    assert "theirs" not in shut.output
    read = await checks.run_tests(worktree, Commands(test=(f"cat {common}/file",)), room=ROOM, reads=[common])
    assert read.output == "theirs"


async def test_a_room_that_cannot_be_entered_fails_the_work(
    checks: ChecksClient, worktree: Path, workspace: Path
) -> None:
    (workspace / "claude" / ROOM).mkdir(parents=True)
    (workspace / "claude" / ROOM / "home").symlink_to("/etc")
    with pytest.raises(WorkFailed, match="the room cannot be entered"):
        await checks.run_tests(worktree, Commands(test=("true",)), room=ROOM)


async def test_a_command_that_reads_its_input_finds_its_end(checks: ChecksClient, worktree: Path) -> None:
    assert (await checks.run_lint(worktree, lint("cat"), room=ROOM)).outcome is CheckOutcome.PASSED


@pytest.mark.parametrize("locked", [True, False])
async def test_uv_works_without_leaving_a_lock_file(worktree: Path, workspace: Path, locked: bool) -> None:
    (worktree / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.11"\n')
    (worktree / "test_a.py").write_text(
        "import unittest\nclass T(unittest.TestCase):\n def test_it(self): self.assertTrue(True)\n"
    )
    if locked:
        lock = ("uv", "lock", "--offline", "--python", sys.executable)
        assert (await process.run(lock, cwd=worktree, env=process.operator_environment(), limit_s=60)).ok
    before = names_in(worktree)
    checks = checks_of(workspace, None, limit_s=100)
    setup = await checks.run_setup(worktree, Commands(), room=ROOM)
    tests = await checks.run_tests(worktree, Commands(), room=ROOM)
    assert (setup.outcome, tests.outcome) == (CheckOutcome.PASSED, CheckOutcome.PASSED), setup.output + tests.output
    assert "Ran 1 test" in tests.output
    assert names_in(worktree) - before == {".venv"}
    assert (worktree / ".venv" / ".gitignore").read_text() == "*"


async def test_tests_that_fail_are_shown_to_the_fixer(worktree: Path, workspace: Path) -> None:
    (worktree / "test_a.py").write_text(
        "import unittest\nclass T(unittest.TestCase):\n def test_it(self): self.assertEqual(1, 2)\n"
    )
    result = await checks_of(workspace, None).run_tests(worktree, Commands(), room=ROOM)
    assert (result.outcome, result.command) == (CheckOutcome.FAILED, "python3 -m unittest")
    assert "AssertionError: 1 != 2" in result.output
    assert 'File "./test_a.py", line 3' in result.output
    assert not (worktree / "__pycache__").exists()
