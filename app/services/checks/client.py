"""The real checks: a repository's commands as programs of this machine, in the worktree, one after the other."""

import asyncio
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

from app.domain.excerpts import excerpt
from app.errors import InvalidInput, WorkFailed
from app.process import Completed, run
from app.results import CheckOutcome, CheckResult, Commands
from app.sandbox import CANNOT_ENTER, Room, Sandbox
from app.services.checks.base import Checks
from app.services.checks.commands import Argv, Gate, argument_lists, shown
from app.services.checks.toolchains import detect
from app.services.checks.tree import read_tree

# No colours, no questions, no watching for changes, and no bytecode that a repository forgot to ignore. FORCE_COLOR=0
# is not here: rich takes any value of it for a terminal.
_QUIET = {
    "CI": "true",
    "NO_COLOR": "1",
    "CLICOLOR": "0",
    "TERM": "dumb",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
}

_KEEP_BYTES = 1 << 20
_CANNOT_START = frozenset({126, 127})
"""The statuses of shells, and so of package scripts, for a program that may not be started or is not there."""


class ChecksClient(Checks):
    """Commands named by the repository win over those of its toolchain. Each may take `limit_s` seconds.

    Raises WorkFailed when the worktree is gone, or a room cannot be entered.
    """

    def __init__(self, *, limit_s: float, sandbox: Sandbox) -> None:
        self._limit_s = limit_s
        self._sandbox = sandbox

    async def run_setup(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        return await self._check("setup", directory, commands.setup, self._room(room, directory, reads))

    async def run_lint(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        return await self._check("lint", directory, commands.lint, self._room(room, directory, reads))

    async def run_tests(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        return await self._check("test", directory, commands.test, self._room(room, directory, reads))

    def _room(self, name: str, directory: Path, reads: Sequence[Path]) -> Room:
        return self._sandbox.room(name, writes=[directory], reads=reads)

    async def _check(self, gate: Gate, directory: Path, named: tuple[str, ...], room: Room) -> CheckResult:
        plan = await asyncio.to_thread(_plan, gate, directory, named)
        if isinstance(plan, CheckResult):
            return plan
        outputs: list[str] = []
        duration_s = 0.0
        for argv in plan:
            result = await self._run(argv, directory, room)
            duration_s += result.duration_s
            if result.outcome is not CheckOutcome.PASSED:
                return result.model_copy(update={"duration_s": duration_s})
            outputs.append(result.output)
        return CheckResult(
            outcome=CheckOutcome.PASSED,
            command=shown(plan),
            output=excerpt("\n".join(outputs)),
            duration_s=duration_s,
        )

    async def _run(self, argv: Argv, directory: Path, room: Room) -> CheckResult:
        command = shlex.join(argv)
        environment = {**self._sandbox.environment(room), **_QUIET}
        try:
            done = await run(
                (_program(argv[0], directory), *argv[1:]),
                cwd=directory,
                env=self._sandbox.entrance(room, env=environment),
                limit_s=self._limit_s,
                keep_bytes=_KEEP_BYTES,
                merge=True,
                launcher=self._sandbox.launcher,
            )
        except OSError as error:
            return CheckResult(outcome=CheckOutcome.UNAVAILABLE, command=command, output=_cannot_start(argv[0], error))
        if done.code == CANNOT_ENTER and done.text.startswith("auto-code: "):
            raise WorkFailed(f"The repository's commands cannot be run: {done.text.strip()}")
        return CheckResult(
            outcome=_outcome(done),
            command=command,
            output=excerpt(f"{_relative(done.text, directory).rstrip()}\n{self._ending(done)}"),
            duration_s=done.duration_s,
        )

    def _ending(self, done: Completed) -> str:
        """How a command ended, where its output may not say so."""
        if done.code is None:
            return f"(ended after {self._limit_s:g} s, its time limit)"
        if done.code < 0:
            return f"(ended by signal {-done.code}: {signal.strsignal(-done.code)})"
        return f"(exit status {done.code})" if done.code else ""


def _plan(gate: Gate, directory: Path, named: tuple[str, ...]) -> tuple[Argv, ...] | CheckResult:
    """What to run for a gate, or the result where there is nothing to run."""
    if not directory.is_dir():
        raise WorkFailed(f"The worktree {directory} is gone. Start the run again.")
    if named:
        try:
            return argument_lists(named)
        except InvalidInput as error:
            return CheckResult(outcome=CheckOutcome.UNAVAILABLE, command=error.field, output=error.message)
    try:
        toolchain = detect(read_tree(directory))
    except InvalidInput as error:  # most likely the author's own doing, so a fixer shall see it
        return CheckResult(outcome=CheckOutcome.FAILED, command=f"read {error.field}", output=error.message)
    if argvs := toolchain.commands(gate):
        return argvs
    known = f"{toolchain.name} has no {gate} command here" if toolchain.name else "no toolchain was found at its root"
    reason = f"Nothing to run: {known}. `{gate}:` in WORKFLOW.md can name one."
    return CheckResult(outcome=CheckOutcome.SKIPPED, output=reason)


def _outcome(done: Completed) -> CheckOutcome:
    if done.code in _CANNOT_START:
        return CheckOutcome.UNAVAILABLE
    return CheckOutcome.PASSED if done.ok else CheckOutcome.FAILED


def _program(name: str, directory: Path) -> str:
    # A path is meant from the worktree, and would be looked for from the service's own directory.
    return str(directory / name) if "/" in name else name


def _cannot_start(program: str, error: OSError) -> str:
    if "/" not in program and isinstance(error, FileNotFoundError):
        return f"{program} is not installed on this machine: install it, or name other commands in WORKFLOW.md."
    return f"{program} cannot be started: it must be an executable file of the repository. Mend it, or WORKFLOW.md."


def _relative(text: str, directory: Path) -> str:
    return text.replace(str(directory.resolve()), ".").replace(str(directory), ".")
