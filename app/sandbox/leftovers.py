"""Programs of rooms that outlived what watched over them: a supervisor that was killed itself could not end them.

They are known by the home directory that every program of a room starts with. Only Linux says so much of processes.
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SUPERVISOR = b"from entry.main import main"
"""Part of the command line that every launcher starts its interpreter with."""


@dataclass(frozen=True)
class Leftover:
    """A process that nobody watches over. `began` is in ticks since the machine started: a number is used again."""

    pid: int
    began: int
    room: str
    program: str


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    began: int
    program: str
    watches: bool


class Leftovers:
    """Looks for them among the processes of `proc`. `root` is the directory of all rooms (see `Sandbox.room`)."""

    def __init__(self, *, root: Path, proc: Path = Path("/proc")) -> None:
        self._root = os.fsencode(root.absolute())
        self._proc = proc

    @property
    def can_look(self) -> bool:
        """Whether this system tells of processes."""
        return (self._proc / "self" / "stat").exists()

    def find(self) -> frozenset[Leftover]:
        """Those that are there at this moment.

        A process whose parent dies in this moment may look like one: look twice before you believe it.
        """
        known = {process.pid: process for process in self._processes()}
        return frozenset(
            Leftover(process.pid, process.began, room, process.program)
            for process in known.values()
            if (room := self._room_of(process.pid)) is not None and not _is_watched(process, known)
        )

    def rooms(self) -> frozenset[str]:
        """Names of the rooms that programs are in, whoever watches over them."""
        found = (self._room_of(process.pid) for process in self._processes())
        return frozenset(room for room in found if room is not None)

    def end(self, leftover: Leftover) -> bool:
        """Kill it, if it is still the same; whether it was there."""
        try:
            descriptor = os.pidfd_open(leftover.pid)
        except OSError:
            return False
        try:
            same = self._read(leftover.pid)
            if same is None or same.began != leftover.began or self._room_of(leftover.pid) != leftover.room:
                return False
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _processes(self) -> Iterator[_Process]:
        with contextlib.suppress(OSError):
            for name in os.listdir(self._proc):  # noqa: PTH208 - names are all that is wanted
                if name.isdigit() and (process := self._read(int(name))) is not None:
                    yield process

    def _read(self, pid: int) -> _Process | None:
        try:
            # The name, in brackets, may hold anything.
            head, _, rest = (self._proc / str(pid) / "stat").read_bytes().rpartition(b")")
            watches = _SUPERVISOR in (self._proc / str(pid) / "cmdline").read_bytes()
        except OSError:
            return None
        fields = rest.split()
        program = head.partition(b"(")[2].decode(errors="replace")
        return _Process(pid, parent=int(fields[1]), began=int(fields[19]), program=program, watches=watches)

    def _room_of(self, pid: int) -> str | None:
        """The room that the process started in; None for everybody else's, also those of other users."""
        try:
            environment = (self._proc / str(pid) / "environ").read_bytes()
        except OSError:
            return None
        home = next((each[5:] for each in environment.split(b"\0") if each.startswith(b"HOME=")), b"")
        room, _, last = home.removeprefix(self._root + b"/").partition(b"/")
        is_one = home.startswith(self._root + b"/") and last == b"home"
        return room.decode(errors="replace") if is_one else None


def _is_watched(process: _Process, known: Mapping[int, _Process]) -> bool:
    seen: set[int] = set()
    while process.pid not in seen:
        if process.watches:
            return True
        seen.add(process.pid)
        if process.parent not in known:
            return False
        process = known[process.parent]
    return False
