"""Taking turns: between processes on one volume, and between tasks that want the same answer."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar

from app.errors import TemporarilyFailed

Answer = TypeVar("Answer")

_LONGEST_TURN_S = 1800.0
_FIRST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.05


class FileLock:
    """A lock that tasks and processes share by the path of a file. The kernel frees it when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the lock and hold it. Raises TemporarilyFailed after half an hour of waiting."""
        async with self._turn:  # so that at most one task of this process polls
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                await self._taken(descriptor)
                yield
            finally:
                os.close(descriptor)

    async def _taken(self, descriptor: int) -> None:
        # Polled, because a blocking flock cannot be cancelled.
        pause = _FIRST_PAUSE_S
        try:
            async with asyncio.timeout(_LONGEST_TURN_S):
                while not _locked(descriptor):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
        except TimeoutError:
            message = (
                f"{self._path} was held by another process for {_LONGEST_TURN_S / 60:.0f} minutes; end that process."
            )
            raise TemporarilyFailed(message) from None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class SingleFlight(Generic[Answer]):
    """Callers at the same time share one call. It is cancelled when the last of them is."""

    def __init__(self, function: Callable[[], Awaitable[Answer]]) -> None:
        self._function = function
        self._flight: asyncio.Future[Answer] | None = None
        self._waiting = 0

    async def __call__(self) -> Answer:
        """What the call returns or raises."""
        if self._flight is None or self._flight.done():
            self._flight, self._waiting = asyncio.ensure_future(self._function()), 0
        flight = self._flight
        self._waiting += 1
        try:
            return await asyncio.shield(flight)
        finally:
            if flight is self._flight:
                self._waiting -= 1
                if not self._waiting and not flight.done():
                    flight.cancel()
                    await asyncio.wait([flight])
