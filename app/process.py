"""The one place that starts a program.

A program gets an argument list, an exact environment, a time limit and a process group of its own, or a launcher that
watches over it. It refuses to use a shell, to inherit the service's environment, and to leave a child of its group
behind.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What programs of the operator's machine need to work there: tools, certificates, proxies, locale. No secret is here.
_OPERATOR_VARIABLES = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM", "USER", "LOGNAME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip

_DRAIN_LIMIT_S = 2.0
_GUARD_KILLS_AFTER_S = 2
_GUARD_WAITS_S = 60
"""The guard's own limit is never met while this process lives, which ends the program at its limit."""


@dataclass(frozen=True)
class Completed:
    """What a program left: its exit status (None when it was ended at its limit) and its kept output."""

    argv: tuple[str, ...]
    code: int | None
    stdout: bytes
    stderr: bytes
    duration_s: float

    @property
    def ok(self) -> bool:
        """The program ended by itself with status 0."""
        return self.code == 0

    @property
    def timed_out(self) -> bool:
        """The program was ended because its time was up."""
        return self.code is None

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")

    @property
    def error_text(self) -> str:
        """Standard error as text; bytes that are not UTF-8 are replaced."""
        return self.stderr.decode(errors="replace")


def operator_environment(*more: str) -> dict[str, str]:
    """The variables of this process that programs may see: an allow-list, and the names in `more`."""
    return {name: os.environ[name] for name in (*_OPERATOR_VARIABLES, *more) if name in os.environ}


async def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    limit_s: float,
    stdin: bytes = b"",
    keep_bytes: int = 64 << 20,
    merge: bool = False,
    alone: bool = False,
    launcher: Path | None = None,
) -> Completed:
    """Run a program to its end, or end it and its process group after `limit_s` seconds.

    Of each output stream at most `keep_bytes` are kept, half from its head and half from its tail. With `merge`
    standard error goes into standard output. Raises FileNotFoundError when there is no such program or
    directory. A program that is `alone`, because it starts no others, is started with less ado. A `launcher` is a
    program that runs the one of its arguments, and upon TERM, or when this process dies, ends it and whatever it left.
    """
    arguments = tuple(str(part) for part in argv)
    if launcher is None:
        command = _dies_with_this_process(arguments, cwd, env, limit_s, alone=alone)
    else:
        command = (str(launcher), _found(arguments[0], cwd, env), *arguments[1:])
    started = time.monotonic()
    starting = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            lambda: _Child(keep_bytes),
            *command,
            cwd=cwd,
            env=dict(env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if merge else asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    code: int | None = None
    try:
        transport, child = await asyncio.shield(starting)
        _feed(transport, stdin)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await child.exited.wait()
                code = transport.get_returncode()
    finally:
        # A start that is cut off in the middle would leave a program that nobody ends: it is waited for, and only it.
        transport, child = await starting
        # The group goes first and without an await, so that nothing survives a second cancellation.
        with contextlib.suppress(ProcessLookupError):
            if launcher is None:
                os.killpg(transport.get_pid(), signal.SIGKILL)
            else:
                transport.terminate()
        # Shielded, so that also a second cancellation leaves no process unwaited for.
        await asyncio.shield(child.bury(transport))
    return Completed(arguments, code, child.out.kept(), child.err.kept(), time.monotonic() - started)


def _dies_with_this_process(
    argv: tuple[str, ...], cwd: Path, env: Mapping[str, str], limit_s: float, *, alone: bool
) -> tuple[str, ...]:
    """The same command, ended with everything it started when this process dies without a chance to end it.

    The kernel tells only the process that we start, so that is `timeout`, which passes the signal on to its whole
    group. Linux with util-linux and coreutils; elsewhere the command as it is.
    """
    setpriv, timeout = shutil.which("setpriv"), shutil.which("timeout")
    if setpriv is None or timeout is None:
        return argv
    program = _found(argv[0], cwd, env)
    if alone:
        return (setpriv, "--pdeathsig", "KILL", "--", program, *argv[1:])
    guard = (timeout, f"--kill-after={_GUARD_KILLS_AFTER_S}", str(limit_s + _GUARD_WAITS_S))
    return (setpriv, "--pdeathsig", "TERM", "--", *guard, program, *argv[1:])


def _found(name: str, cwd: Path, env: Mapping[str, str]) -> str:
    """The program's file. Asked here, because who starts it for us would turn its lack into an exit status."""
    # `./check` is the directory's, as for any program that is started there.
    named = str(cwd.absolute() / name) if "/" in name else name
    program = shutil.which(named, path=env.get("PATH", os.defpath))
    if program is None:
        raise FileNotFoundError(name)
    return program


class _HeadAndTail:
    """Keeps the first and the last half of a stream and drops what is between."""

    def __init__(self, keep_bytes: int) -> None:
        self._half = max(1, keep_bytes // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, chunk: bytes) -> None:
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * self._half:  # trimmed rarely, so that each byte is moved once at most
            self._trim()

    def kept(self) -> bytes:
        self._trim()
        gap = f"\n… {self._dropped:,} bytes left out …\n".encode() if self._dropped else b""
        return bytes(self._head) + gap + bytes(self._tail)

    def _trim(self) -> None:
        if (excess := len(self._tail) - self._half) > 0:
            del self._tail[:excess]
            self._dropped += excess


class _Child(asyncio.SubprocessProtocol):
    """Keeps the output of a program, and tells its own end apart from the end of whoever inherited its pipes."""

    def __init__(self, keep_bytes: int) -> None:
        self.out, self.err = _HeadAndTail(keep_bytes), _HeadAndTail(keep_bytes)
        self.exited, self.closed = asyncio.Event(), asyncio.Event()

    async def bury(self, transport: asyncio.SubprocessTransport) -> None:
        """Return when all output is here, or whoever else holds the pipes had its time."""
        try:
            async with asyncio.timeout(_DRAIN_LIMIT_S):
                await self.closed.wait()
        except TimeoutError:
            await self.exited.wait()
        finally:
            transport.close()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.out if fd == 1 else self.err).add(data)

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.closed.set()


def _feed(transport: asyncio.SubprocessTransport, data: bytes) -> None:
    pipe = transport.get_pipe_transport(0)
    if isinstance(pipe, asyncio.WriteTransport):
        pipe.write(data)
        pipe.close()
