"""A worker among others: what it says of itself, what it does when its disk is full, and for whom it stands in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.results import Worker, WorkerState
from app.services.engine.mock_client import MockEngine
from app.services.runner.disk import Disk
from app.services.runner.presence import Presence
from app.services.store.mock_client import MockStore

AT = datetime(2026, 1, 2, tzinfo=UTC)
LIMIT_S = 5.0
GB = 1_000_000_000


class Standing(MockEngine):
    """An engine that tells what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.taken_over: list[str] = []

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    async def take_over(self, workers: Collection[str]) -> None:
        self.taken_over += workers


class Register(MockStore):
    """Where some workers were seen long ago."""

    def __init__(self) -> None:
        super().__init__()
        self.silent_s: dict[str, float] = {}

    async def workers(self) -> tuple[tuple[Worker, float], ...]:
        known = await super().workers()
        return tuple((worker, self.silent_s.get(worker.id, ago_s)) for worker, ago_s in known)


class Office:
    """A worker whose disk and clock a test turns."""

    def __init__(self) -> None:
        self.store, self.engine = Register(), Standing()
        self.free = 10 * GB
        self.at = 0.0
        self.presence = Presence(
            store=self.store,
            engine=self.engine,
            disk=Disk(directory=Path(), min_free_gb=2, free=lambda _: self.free),
            beat_s=0.001,
            now=lambda: self.at,
        )

    async def known(self) -> dict[str, tuple[WorkerState, str]]:
        return {worker.id: (worker.state, worker.note) for worker, _ in await self.store.workers()}

    async def meet(self, name: str, state: WorkerState = WorkerState.WORKING, *, note: str = "") -> None:
        """Another worker, which is seen once."""
        await self.store.beat(Worker(id=name, host=name, state=state, note=note, started_at=AT, seen_at=AT))

    async def pass_time(self, seconds: int) -> None:
        for _ in range(0, seconds, 5):
            self.at += 5
            await self.presence.beat()


@pytest.fixture
def office() -> Office:
    return Office()


@contextlib.asynccontextmanager
async def present(office: Office) -> AsyncIterator[str]:
    await office.presence.start()
    try:
        yield office.engine.worker_id
    finally:
        await office.presence.stop()


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not happened():  # noqa: ASYNC110 - what happens here tells nobody
            await asyncio.sleep(0.001)


async def test_a_worker_is_known_from_its_start_until_it_takes_leave(office: Office) -> None:
    async with present(office) as me:
        assert await office.known() == {me: (WorkerState.WORKING, "")}
        office.presence.drain()
        await office.presence.beat()
        assert await office.known() == {me: (WorkerState.DRAINING, "")}
    assert await office.known() == {}


async def test_it_takes_leave_also_while_the_database_is_away(office: Office) -> None:
    async with present(office):
        office.store.away = True
    office.store.away = False


async def test_nothing_begins_while_the_disk_is_full_and_everybody_reads_why(office: Office) -> None:
    async with present(office) as me:
        office.free = GB
        await until(lambda: office.engine.paused)
        assert office.presence.state is WorkerState.FULL
        assert "1.0 GB are free" in office.presence.shortage
        assert office.presence.shortage in office.presence.notice
        await office.presence.beat()
        assert await office.known() == {me: (WorkerState.FULL, office.presence.shortage)}

        office.free = 3 * GB
        await until(lambda: not office.engine.paused)
        assert (office.presence.state, office.presence.notice) == (WorkerState.WORKING, "")


async def test_a_disk_that_is_full_at_the_start_lets_nothing_begin(office: Office) -> None:
    office.free = GB
    async with present(office):
        assert office.engine.paused


async def test_another_workers_full_disk_is_shown_too(office: Office) -> None:
    async with present(office):
        await office.meet("far", WorkerState.FULL, note="1.2 GB are free.")
        await office.presence.beat()
        assert office.presence.notice == "No new run begins on far: 1.2 GB are free."


async def test_a_worker_that_hangs_is_stood_in_for_once_and_may_come_back(office: Office) -> None:
    async with present(office) as me:
        await office.meet("frozen")
        office.store.silent_s["frozen"] = 61.0
        await office.pass_time(55)
        assert office.engine.taken_over == [], "who has just come judges nobody"
        await office.pass_time(20)
        assert office.engine.taken_over == ["frozen"]
        assert set(await office.known()) == {me}

        await office.meet("frozen")
        assert set(await office.known()) == {me, "frozen"}


async def test_who_missed_heartbeats_judges_nobody_for_a_minute(office: Office) -> None:
    async with present(office):
        await office.meet("frozen")
        await office.pass_time(65)
        office.store.away = True
        await office.pass_time(5)
        office.store.away = False
        office.store.silent_s["frozen"] = 70.0
        await office.pass_time(55)
        assert office.engine.taken_over == []
        await office.pass_time(10)
        assert office.engine.taken_over == ["frozen"]


async def test_people_hear_when_no_worker_takes_anything_for_a_while(office: Office) -> None:
    async with present(office):
        office.presence.drain()
        assert office.presence.notice == "", "a restart is no news"
        office.at += 61
        assert office.presence.notice.startswith("No worker is running")
        await office.meet("another")
        await office.presence.beat()
        assert office.presence.notice == ""
