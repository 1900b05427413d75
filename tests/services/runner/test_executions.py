"""How long a run may be worked on, over all its executions."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import pytest

from app.errors import ClaimLost, WorkFailed
from app.models import PipelineOptions, Ticket, Trigger
from app.services.engine.base import Said, Steps
from app.services.runner.executions import Executions
from app.services.store import Claim
from app.services.store.mock_client import MockStore

LIMIT_S = 5.0
TICK_S = 0.01


class Idling(Steps):
    """Steps of which there are none. They wait for something as long as a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = False

    @property
    def waiting(self) -> bool:
        return self.idle

    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        raise NotImplementedError

    async def _advanced(self) -> None:
        raise NotImplementedError

    async def _park(self) -> NoReturn:
        raise NotImplementedError


async def a_run(store: MockStore) -> str:
    claim = Claim(ticket=Ticket(key="PROJ-1", summary="Add"), trigger=Trigger.WEBHOOK, options=PipelineOptions())
    receipt = await store.claim(claim, lambda _transaction, _work: None)
    assert receipt.run_id is not None
    return receipt.run_id


async def until_worked(store: MockStore, run_id: str, seconds: float) -> None:
    async with asyncio.timeout(LIMIT_S):
        while await store.worked(run_id, 0.0) < seconds:  # noqa: ASYNC110 - what is counted tells nobody
            await asyncio.sleep(TICK_S)


async def for_ever(ended: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


async def test_a_run_that_takes_too_long_is_cancelled_and_told_what_to_do() -> None:
    store, ended = MockStore(), asyncio.Event()
    run_id = await a_run(store)
    executions = Executions(store=store, limit_s=5 * TICK_S, tick_s=TICK_S)
    with pytest.raises(WorkFailed, match=r"MAX_JOB_MINUTES allows\. Its work is kept: retry the run"):
        async with asyncio.timeout(LIMIT_S), executions.of(run_id, "PROJ-1", Idling()):
            await for_ever(ended)
    assert ended.is_set()
    assert executions.tickets == ()


async def test_what_was_worked_before_a_crash_counts() -> None:
    store = MockStore()
    run_id = await a_run(store)
    await store.worked(run_id, 100.0)
    with pytest.raises(WorkFailed):
        async with asyncio.timeout(LIMIT_S), Executions(store=store, limit_s=99.0).of(run_id, "PROJ-1", Idling()):
            await asyncio.Event().wait()


async def test_time_in_which_a_run_only_waits_is_not_counted() -> None:
    store, steps = MockStore(), Idling()
    run_id = await a_run(store)
    executions = Executions(store=store, limit_s=1000.0, tick_s=TICK_S)
    async with executions.of(run_id, "PROJ-1", steps):
        await until_worked(store, run_id, 3 * TICK_S)
        assert executions.tickets == ("PROJ-1",)
        steps.idle = True
        await asyncio.sleep(TICK_S)
        before = await store.worked(run_id, 0.0)
        await asyncio.sleep(10 * TICK_S)
        assert await store.worked(run_id, 0.0) <= before + TICK_S
    assert not executions.tickets


async def test_an_execution_whose_run_another_worker_took_ends_with_that() -> None:
    store = MockStore()
    run_id = await a_run(store)
    await store.take(run_id, "me")
    await MockStore(beside=store).take(run_id, "other")
    with pytest.raises(ClaimLost):
        async with asyncio.timeout(LIMIT_S), Executions(store=store, limit_s=1000.0).of(run_id, "PROJ-1", Idling()):
            await asyncio.Event().wait()


async def test_the_time_of_a_database_that_is_away_is_not_counted_and_ends_nothing() -> None:
    store = MockStore()
    run_id = await a_run(store)
    async with Executions(store=store, limit_s=1000.0, tick_s=TICK_S).of(run_id, "PROJ-1", Idling()):
        store.away = True
        await asyncio.sleep(5 * TICK_S)
        store.away = False
        await until_worked(store, run_id, TICK_S)


async def test_what_goes_wrong_inside_comes_out_as_it_is() -> None:
    store = MockStore()
    run_id = await a_run(store)
    with pytest.raises(TimeoutError, match="of its own"):
        async with Executions(store=store, limit_s=1000.0).of(run_id, "PROJ-1", Idling()):
            raise TimeoutError("of its own")
