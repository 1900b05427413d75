"""The processes below this one: who they are, and their end."""

import contextlib
import os
import signal
import time
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
_END_LIMIT_S = 10.0
_LOOK_AGAIN_S = 0.05


class Process(NamedTuple):
    """A process as the kernel last told of it; `memory` in bytes."""

    pid: int
    parent: int
    began: int
    memory: int


def below(root: int) -> list[Process]:
    """The living processes that `root` started, and those that they started."""
    children: dict[int, list[Process]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and (process := _read(name)) is not None:
            children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    parents = [root]
    while parents:
        own = children.pop(parents.pop(), [])
        found += own
        parents += [process.pid for process in own]
    return found


def end_all() -> bool:
    """End and bury everything below this process, which inherits what loses its parent; False where that fails."""
    until = time.monotonic() + _END_LIMIT_S
    while time.monotonic() < until:
        stopped: set[int] = set()
        # Who is stopped starts no more, so that this meets an end also where programs multiply.
        while new := {process.pid for process in below(os.getpid())} - stopped:
            for pid in new:
                send(pid, signal.SIGSTOP)
            stopped |= new
        for pid in stopped:
            send(pid, signal.SIGKILL)
        if not _bury():
            return True
        signal.sigtimedwait({signal.SIGCHLD}, _LOOK_AGAIN_S)
    return False


def send(pid: int, number: int) -> None:
    """A signal to a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _bury() -> bool:
    """Take in the ends of children; whether some are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _read(name: str) -> Process | None:
    try:
        with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - here a path object is slow
            # The name, in brackets, may hold anything.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in {b"Z", b"X"}:
        return None
    return Process(pid=int(name), parent=int(fields[1]), began=int(fields[19]), memory=int(fields[21]) * _PAGE)
