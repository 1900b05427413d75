"""One process works on a database; the lock that says so is free as soon as its holder is gone."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import ConfigurationError
from app.services.engine.ownership import FileOwnership, SessionOwnership
from tests.postgres import Postgres

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
    await SessionOwnership("postgresql+psycopg://nobody@127.0.0.1:1/none", wait_s=0).release()


async def test_a_database_that_is_away_is_told_so() -> None:
    away = SessionOwnership("postgresql+psycopg://nobody:secret@127.0.0.1:1/none", wait_s=0)
    with pytest.raises(ConfigurationError) as refused:
        await away.take()
    assert str(refused.value) == "The database at DATABASE_URL does not answer. Start it, or mend the URL."


async def test_whoever_loses_its_session_stops_at_once(postgres: Postgres) -> None:
    url, lost = postgres.url(postgres.database()), asyncio.Event()
    first = SessionOwnership(url, wait_s=0, watch_s=0.02, on_loss=lost.set)
    await first.take()
    with pytest.raises(ConfigurationError, match=r"works on the database at DATABASE_URL"):
        await SessionOwnership(url, wait_s=0).take()
    await asyncio.to_thread(_end_sessions, url)
    async with asyncio.timeout(20):
        await lost.wait()
    second = SessionOwnership(url, wait_s=0)
    await second.take()
    for each in (first, second):
        await each.release()


def _end_sessions(url: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(others))
