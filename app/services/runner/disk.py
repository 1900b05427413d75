"""Whether the disk of the worktrees has room for another run."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

_GB = 1_000_000_000


def free_bytes(directory: Path) -> int:
    """Free space where the directory is, or will be made. Raises OSError."""
    there = next(place for place in (directory, *directory.parents) if place.exists())
    return shutil.disk_usage(there).free


class Disk:
    """The disk where `directory` is, of which `min_free_gb` GB (10⁹ bytes) must stay free for what is at work."""

    def __init__(self, *, directory: Path, min_free_gb: float, free: Callable[[Path], int] = free_bytes) -> None:
        self._directory = directory.absolute()
        self._min_free_gb = min_free_gb
        self._free = free

    async def shortage(self) -> str:
        """Why nothing new should begin, in sentences that say what to do; empty while there is room."""
        try:
            free_gb = await asyncio.to_thread(self._free, self._directory) / _GB
        except OSError as error:
            return f"WORKSPACE_DIR cannot be looked at: {error.strerror}. Mend it: runs begin by themselves then."
        if free_gb >= self._min_free_gb:
            return ""
        return (
            f"{free_gb:.1f} GB are free where WORKSPACE_DIR is, less than MIN_FREE_GB={self._min_free_gb:g}. "
            "Free some space: runs begin by themselves then."
        )
