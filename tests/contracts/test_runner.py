"""Every runner takes, stops and retries alike, whether or not anybody works."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import Conflict, NotFound, StoreUnavailable
from app.models import PipelineOptions, RunFilter, RunStatus, Ticket, Trigger
from app.results import Worker, WorkerState
from app.services.runner import Delivery, Runner
from app.services.store.mock_client import MockStore
from tests.contracts.runners import KINDS, OPTIONS, runner_of

LIMIT_S = 20.0
TICKET = Ticket(key="PROJ-1", summary="Add dark mode")


@pytest.fixture
def store() -> MockStore:
    return MockStore()


@pytest.fixture(params=KINDS)
async def runner(request: pytest.FixtureRequest, store: MockStore, tmp_path: Path) -> AsyncIterator[Runner]:
    """A runner of each kind, started."""
    made = runner_of(request.param, store, tmp_path)
    await made.start()
    yield made
    await made.stop()


async def taken(runner: Runner, ticket: Ticket = TICKET) -> str:
    receipt = await runner.handle_ticket(ticket, trigger=Trigger.WEBHOOK)
    assert (receipt.status, receipt.ticket) == ("accepted", ticket.key)
    assert receipt.run_id is not None
    return receipt.run_id


async def test_a_taken_ticket_is_an_active_run(runner: Runner, store: MockStore) -> None:
    run_id = await taken(runner)
    assert await store.in_work() == ((run_id, run_id),)
    assert [run.id for run in (await runner.runs(RunFilter())).runs] == [run_id]
    assert (await runner.run(run_id)).ticket == "PROJ-1"
    assert [event.seq for event in await runner.events(run_id, after=0, limit=1)] == [1]


async def test_options_are_the_settings_unless_given(runner: Runner, store: MockStore) -> None:
    usual = await taken(runner)
    given = PipelineOptions(review=True, dry_run=True)
    other = await runner.handle_ticket(Ticket(key="PROJ-2", summary="x"), trigger=Trigger.COMMAND, options=given)
    assert other.run_id is not None
    assert (await store.job(usual)).options == OPTIONS
    assert (await store.job(other.run_id)).options == given


async def test_a_ticket_or_a_delivery_that_comes_again_is_a_duplicate(runner: Runner) -> None:
    delivery = Delivery(id="one", digest="body")
    first = await runner.handle_ticket(TICKET, trigger=Trigger.WEBHOOK, delivery=delivery)
    assert first.run_id is not None
    assert (await runner.handle_ticket(TICKET, trigger=Trigger.WEBHOOK)).status == "duplicate"
    await runner.stop_run(first.run_id, by="Ada")
    again = [Delivery(id="one"), Delivery(digest="body"), Delivery(id="two", digest="body")]
    for each in again:
        receipt = await runner.handle_ticket(TICKET, trigger=Trigger.WEBHOOK, delivery=each)
        assert (receipt.status, receipt.run_id) == ("duplicate", first.run_id)


async def test_a_stopped_run_is_idle_and_names_who_stopped_it(runner: Runner) -> None:
    run = await runner.stop_run(run_id := await taken(runner), by="Ada")
    assert (run.id, run.status, run.outcome) == (run_id, RunStatus.IDLE, "Stopped by Ada. The work so far is kept.")
    with pytest.raises(Conflict, match=r"has ended \(idle\); there is nothing to stop"):
        await runner.stop_run(run_id, by="Ada")


async def test_who_follows_a_run_hears_of_its_end(runner: Runner) -> None:
    run_id = await taken(runner)
    following = runner.follow(run_id)
    assert (await anext(following)).payload == {"status": "queued", "trigger": "webhook", "mode": "implement"}
    await runner.stop_run(run_id, by="Ada")
    async with asyncio.timeout(LIMIT_S):
        last = [event async for event in following][-1]
    assert (last.payload["status"], last.payload["by"]) == ("idle", "Ada")


async def test_a_run_that_was_stopped_or_failed_is_retried_as_a_new_one(runner: Runner, store: MockStore) -> None:
    first = await taken(runner)
    await runner.stop_run(first, by="Ada")
    second = await runner.retry_run(first)
    assert (second.status, second.run_id != first) == ("accepted", True)
    assert second.run_id is not None
    assert (await store.job(second.run_id)).ticket == TICKET
    assert (await runner.retry_run(first)).status == "duplicate"


async def test_an_active_run_cannot_be_retried(runner: Runner) -> None:
    run_id = await taken(runner)
    with pytest.raises(Conflict, match="only one that ended without a pull request can be retried"):
        await runner.retry_run(run_id)


async def test_an_unknown_run_is_not_found(runner: Runner) -> None:
    for asked in (
        runner.run("none"),
        runner.events("none", after=0, limit=1),
        anext(runner.follow("none")),
        runner.stop_run("none", by="Ada"),
        runner.retry_run("none"),
    ):
        with pytest.raises(NotFound):
            await asked


async def test_while_the_database_is_away_nothing_is_taken(runner: Runner, store: MockStore) -> None:
    await runner.check()
    store.away = True
    for asked in (runner.check(), runner.handle_ticket(TICKET, trigger=Trigger.WEBHOOK)):
        with pytest.raises(StoreUnavailable):
            await asked
    store.away = False
    await taken(runner)


# The process


async def test_a_runner_that_drains_says_so_and_still_takes_tickets(runner: Runner, store: MockStore) -> None:
    assert (runner.state, dict(await runner.hindrances())) == (WorkerState.WORKING, {})
    async with asyncio.timeout(LIMIT_S):
        await runner.drain()
        await runner.drain()
    assert (runner.state, list(await runner.hindrances())) == (WorkerState.DRAINING, ["draining"])
    run_id = await taken(runner)
    assert (await store.run(run_id)).status is RunStatus.QUEUED
    assert runner.at_work == ()


async def test_a_runner_without_its_database_can_begin_nothing(runner: Runner, store: MockStore) -> None:
    store.away = True
    assert list(await runner.hindrances()) == ["database"]
    store.away = False
    assert dict(await runner.hindrances()) == {}


async def test_workers_are_listed_while_they_are_alive(runner: Runner, store: MockStore) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    other = Worker(id="far", host="far", state=WorkerState.FULL, note="No room.", started_at=at, seen_at=at)
    await store.beat(other)
    (found,) = [worker for worker in await runner.workers() if worker.id == "far"]
    assert (found.state, found.note) == (WorkerState.FULL, "No room.")
    await store.leave("far")
    assert "far" not in [worker.id for worker in await runner.workers()]
