"""Starts `auto-code` as a process of its own, quickly: forked from a server that has imported it already.

What the program costs to start is two CPU seconds of imports, a hundred times in a run of the tests.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import Popen
from typing import Protocol

_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of linux/prctl.h
_FORKS = multiprocessing.get_context("forkserver")
_LATE = (
    *("app.cli.life", "app.services.claude_code.client", "anyio._backends._asyncio", "fastapi.telemetry._runtime"),
    *("dbos._sys_db_sqlite", "httpcore", "sqlalchemy.dialects.postgresql.psycopg", "uvicorn.lifespan.on"),
    *("uvicorn.loops.asyncio", "uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto"),
)
"""What the program imports only once it runs."""
_FORKS.set_forkserver_preload(["app.main", *_LATE, __name__])


class Program(Protocol):
    """A process that was started."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""

    def wait(self, timeout: float) -> int:
        """That status, which is waited for."""


class Launch(Protocol):
    """A way to start `auto-code`."""

    def __call__(self, arguments: Sequence[str], *, env: Mapping[str, str], directory: Path, log: Path) -> Program:
        """Start it with these arguments and exactly this environment, its output appended to `log`."""


def start(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    directory: Path,
    log: Path,
    before: Callable[[], object] | None = None,
) -> "Forked":
    """`auto-code` with these arguments, its output appended to `log`. `env` is its whole environment.

    `before` is called in the process before anything of the program runs; it must be one that can be pickled.
    """
    return Forked(_FORKS.Process(target=_be, args=(tuple(arguments), dict(env), directory, log, before)))


def start_fresh(arguments: Sequence[str], *, env: Mapping[str, str], directory: Path, log: Path) -> Popen[bytes]:
    """The same by the installed program: with that environment from its first moment on."""
    program = Path(sys.executable).with_name("auto-code")
    with log.open("ab") as output:
        return Popen([program, *arguments], cwd=directory, env=env, stdout=output, stderr=output)


class Forked:
    """A process that is waited for as one of `subprocess` is."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        process.start()
        assert process.pid is not None
        self.pid: int = process.pid

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """That status. Raises TimeoutError when it does not end in so many seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"Process {self.pid} did not end within {timeout} s.")
        return self._process.exitcode


def _be(
    arguments: tuple[str, ...], env: dict[str, str], directory: Path, log: Path, before: Callable[[], object] | None
) -> None:
    """Become the program. It ends with the server that forked it, which ends with the tests, however those end."""
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # among them what would keep the server at work without its tests
    os.environ.clear()
    os.environ.update(env)
    os.chdir(directory)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    sys.argv = ["auto-code", *arguments]
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - for the process's life
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if before is not None:
        before()
    from app.cli import main  # noqa: PLC0415 - only here it is the program

    main()
