"""One process works on an embedded database; the lock that says so is free as soon as its holder is gone."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.services.engine.ownership import FileOwnership

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
)


@contextmanager
def another_process_with(lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


async def test_a_second_process_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    with another_process_with(tmp_path / "auto-code.lock"), pytest.raises(ConfigurationError) as refused:
        await FileOwnership(tmp_path / "auto-code.lock", wait_s=0.2).take()
    expected = f"Another auto-code process works on {tmp_path}. Stop it, or give this one another WORKSPACE_DIR."
    assert str(refused.value) == expected


async def test_a_killed_process_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    ownership = FileOwnership(tmp_path / "auto-code.lock", wait_s=20)
    with another_process_with(tmp_path / "auto-code.lock") as other:
        waiting = asyncio.create_task(ownership.take())
        await asyncio.sleep(0)
        other.kill()
        await waiting
    await ownership.release()


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing/auto-code.lock cannot be written: No such file"):
        await FileOwnership(tmp_path / "missing" / "auto-code.lock", wait_s=0).take()


async def test_releasing_what_is_not_held_changes_nothing(tmp_path: Path) -> None:
    await FileOwnership(tmp_path / "auto-code.lock", wait_s=0).release()
