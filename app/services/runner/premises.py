"""Who works in one WORKSPACE_DIR: services share a lock there as long as they live, and whoever mends has it alone.

The database says who works on the tickets. This is about the disk: what one process left behind, and what another one
has only just made, look alike.
"""

import asyncio
import fcntl
import os
import time
from pathlib import Path

from app.errors import ConfigurationError

_LOOK_AGAIN_S = 0.1


class Premises:
    """The lock of `workspace`. The kernel frees it with its process."""

    def __init__(self, *, workspace: Path, wait_s: float = 60.0) -> None:
        self._path = workspace.absolute() / ".at-work"
        self._wait_s = wait_s
        self._descriptor: int | None = None

    def take_alone(self) -> bool:
        """Take it, if nobody else has it: nothing on this disk is in use then, and nobody begins to use it."""
        return self._locked(fcntl.LOCK_EX)

    async def share(self) -> None:
        """Have it together with others; who mends alone is waited for.

        Raises ConfigurationError when that does not end.
        """
        give_up = time.monotonic() + self._wait_s
        while not self._locked(fcntl.LOCK_SH):
            if time.monotonic() >= give_up:
                self.leave()
                raise ConfigurationError(
                    f"`auto-code doctor --mend` works on {self._path.parent}. Wait for its end, or stop it."
                )
            await asyncio.sleep(_LOOK_AGAIN_S)

    def leave(self) -> None:
        """Let go; nothing happens when nothing is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _locked(self, how: int) -> bool:
        if self._descriptor is None:
            self._descriptor = self._opened()
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _opened(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{self._path} cannot be written: {error.strerror}. Let the service's user write WORKSPACE_DIR."
            raise ConfigurationError(message) from error
