"""Starts one program, and stays beside it: what it starts counts together, and ends with it.

It ends the program, and whatever that left behind in whichever session, when the program ends, when it is told to by
TERM or INT, or when the service dies. It refuses to be the reader or the writer of the program's pipes.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from . import processes
from .kernel import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl
from .statuses import CANNOT_ENTER

_PARENT_DIED = signal.SIGHUP
_STOP = frozenset({signal.SIGTERM, signal.SIGINT})
_AWAITED = frozenset({signal.SIGCHLD, _PARENT_DIED, *_STOP})

_GRACE_S = 2.0
"""What a program that is told to end has for it."""
_LOOK_EVERY_S = 0.5

Told = Mapping[str, Any]


def supervise(told: Told, *, program: Callable[[], NoReturn]) -> NoReturn:
    """Run `program` in a child to its end, and end this process as that ended.

    Of what is told, it heeds `service`, the process to end with; `memory_mb` and `max_processes` of all of them
    together; and `how`, since a program in bubblewrap is a child's child.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, _PARENT_DIED)
    prctl(PR_SET_DUMPABLE, 0)  # the environment that it came with is nobody's to read
    if os.getpid() != os.getsid(0):
        os.setsid()
    if os.getppid() != told["service"]:
        sys.exit(CANNOT_ENTER)  # it died before its death would have been told
    own = os.getpid()
    child = os.fork()
    if child == 0:
        _follow(own)
        program()
    _let_go_of_pipes()
    status = _Watch(told, program=child).to_the_end()
    if not processes.end_all():
        say("something that the program started does not end")
    _end_like(status)


def say(text: str) -> None:
    """A line on standard error, unless nobody takes it: that must not hold up an end."""
    if select.select([], [2], [], 0)[1]:
        os.write(2, f"auto-code: {text}\n".encode())


def _follow(supervisor: int) -> None:
    """Make this child one that ends with its supervisor, and that signals reach as any other."""
    prctl(PR_SET_DUMPABLE, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(CANNOT_ENTER)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not signal.SIG_DFL:  # what Python made of it, or whoever started the service
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()


def _let_go_of_pipes() -> None:
    """Hold no end of what the program reads and writes, so that each side sees the other's end, and no directory."""
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.closerange(3, nothing + 1)


class _Watch:
    """Waits for the program's end, and holds its processes to their limits."""

    def __init__(self, told: Told, *, program: int) -> None:
        self._memory = int(told["memory_mb"]) << 20
        self._most = int(told["max_processes"])
        self._wrapped = told["how"] == "bwrap"
        self._service = int(told["service"])
        self._program = program
        self._kill_at: float | None = None

    def to_the_end(self) -> int:
        """The program's wait status."""
        look_at = time.monotonic() + _LOOK_EVERY_S
        while True:
            heard = signal.sigtimedwait(_AWAITED, max(0.0, look_at - time.monotonic()))
            if (status := self._ended()) is not None:
                return status
            if os.getppid() != self._service or (heard is not None and heard.si_signo in _STOP):
                self._stop(signal.SIGTERM if heard is None else heard.si_signo)
            if time.monotonic() >= look_at:
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    processes.send(self._program, signal.SIGKILL)
                self._hold_to_limits()
                look_at = time.monotonic() + _LOOK_EVERY_S

    def _ended(self) -> int | None:
        """The program's status if it ended; who else ended is buried."""
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in {0, self._program}:
                return status if pid else None

    def _stop(self, number: int) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + _GRACE_S
            passed_on = number if number in _STOP else signal.SIGTERM
            # bubblewrap would not pass it on, but end everything in it at once.
            for pid in (each.pid for each in processes.below(self._program)) if self._wrapped else (self._program,):
                processes.send(pid, passed_on)

    def _hold_to_limits(self) -> None:
        living = processes.below(os.getpid())
        excess = len(living) - self._most
        if excess > 0:
            self._end(sorted(living, key=lambda process: process.began)[-excess:])
            say(f"more than {self._most} processes; the youngest were ended (AGENT_MAX_PROCESSES)")
        used = sum(process.memory for process in living)
        if used > self._memory:
            self._end(self._biggest(living, used - self._memory))
            say(f"more than {self._memory >> 20} MiB of memory; the biggest process was ended (AGENT_MEMORY_MB)")

    def _biggest(self, living: list[processes.Process], excess: int) -> list[processes.Process]:
        """The biggest that hold what is too much; the program itself comes last."""
        chosen: list[processes.Process] = []
        for process in sorted(living, key=lambda each: (each.pid == self._program, -each.memory)):
            if excess <= 0:
                break
            chosen.append(process)
            excess -= process.memory
        return chosen

    @staticmethod
    def _end(chosen: list[processes.Process]) -> None:
        for process in chosen:
            processes.send(process.pid, signal.SIGKILL)


def _end_like(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
