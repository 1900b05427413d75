"""Which processes work on a database: one on an embedded database, any number on a server's. Each is shown by a lock
that is free as soon as its holder dies.

The works of a dead process are taken over by those that live. That a process is dead is said by its lock, and by no
clock.
"""

import asyncio
import contextlib
import fcntl
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from app.errors import ConfigurationError

ONLY_WORKER = "auto-code"
"""Names the one worker of an embedded database, and was the name of every process in earlier versions."""

_LOOK_AGAIN_S = 0.1


class Ownership(ABC):
    """A process' place among those that work on one database. `worker_id` is what the others know it by."""

    def __init__(self, *, worker_id: str, wait_s: float) -> None:
        self.worker_id = worker_id
        self._wait_s = wait_s

    async def take(self) -> None:
        """Hold the lock; the process before may take a while to end. Raises ConfigurationError when it does not."""
        give_up = time.monotonic() + self._wait_s
        while not await self._try():
            if time.monotonic() >= give_up:
                await self.release()
                raise ConfigurationError(self._refusal())
            await asyncio.sleep(_LOOK_AGAIN_S)

    @abstractmethod
    async def release(self) -> None:
        """Let go; nothing happens when nothing is held."""

    @property
    @abstractmethod
    def may_judge(self) -> bool:
        """Whether a free lock means a dead process: not when what freed it may only have cut its connection."""

    @abstractmethod
    def is_dead(self, connection: sa.Connection, worker: str) -> bool:
        """Whether this other worker is dead. Until the transaction ends nobody else finds so, and it does not return.

        Blocks.
        """

    @abstractmethod
    async def _try(self) -> bool:
        """Take the lock if it is free."""

    @abstractmethod
    def _refusal(self) -> str:
        """What to say when another process keeps it."""


class FileOwnership(Ownership):
    """A lock file, which has one holder. The kernel frees it with its process."""

    def __init__(self, path: Path, *, wait_s: float) -> None:
        super().__init__(worker_id=ONLY_WORKER, wait_s=wait_s)
        self._path = path
        self._file: TextIO | None = None

    async def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def may_judge(self) -> bool:
        return True

    def is_dead(self, connection: sa.Connection, worker: str) -> bool:  # noqa: ARG002 - this one is the only one
        return True

    async def _try(self) -> bool:
        self._file = self._file or self._opened()
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _opened(self) -> TextIO:
        try:
            return self._path.open("w")
        except OSError as error:
            message = f"{self._path} cannot be written: {error.strerror}. Let the service's user write WORKSPACE_DIR."
            raise ConfigurationError(message) from error

    def _refusal(self) -> str:
        return (
            f"Another auto-code process works on {self._path.parent}. Stop it, or give this one another WORKSPACE_DIR."
        )
