"""Every engine takes works in order and within limits, and lets go of what is cancelled."""

import asyncio

from app.models import Work
from app.services.engine import Steps
from tests.contracts.engines import Place, idle, is_unfinished, until
from tests.contracts.records import LIMIT_S, Record

SOON_S = 2.0
"""How fast a cancelled step must go."""


# Queueing


async def test_what_was_queued_in_a_rolled_back_transaction_never_runs(place: Place) -> None:
    record = Record("step")
    engine = await place.start(record)
    await place.enqueue(engine, "rolled back", commit=False)
    await place.enqueue(engine, "committed")
    await record.until(lambda: "committed" in record.results)
    await idle(engine)
    assert set(record.results) == {"committed"}


async def test_a_run_that_is_queued_twice_runs_once(place: Place) -> None:
    record = Record("step")
    engine = await place.start(record)
    await place.enqueue(engine, "run")
    await place.enqueue(engine, "run")
    await record.until(lambda: "run" in record.results)
    await idle(engine)
    await place.enqueue(engine, "run", "other")
    await record.until(lambda: "other" in record.results)
    assert record.begun.count(("run", "step")) == 1


async def test_never_more_runs_at_once_than_allowed(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=2)
    await place.enqueue(engine, *(f"run {number}" for number in range(6)))
    await record.until_at_work(2)
    await asyncio.sleep(0.25)  # time to do it wrong; on a slow machine the test is too kind at most
    for ended in range(6):
        await record.until_at_work(min(2, 6 - ended))
        await record.let_go(next(iter(record.at_work)))
        await record.until_ended(ended + 1)
    assert record.most_at_work == 2


async def test_what_waits_and_what_is_worked_onis_unfinished(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=1)
    await place.enqueue(engine, "first", "second")
    await record.until(lambda: len(record.begun) == 1)
    assert await engine.unfinished() == {"first": engine.worker_id, "second": None}
    await record.let_go()
    await record.until(lambda: len(record.results) == 2)
    await idle(engine)


async def test_people_come_first_then_what_is_urgent_then_what_is_old(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=1)
    await place.enqueue(engine, "first")
    await record.until_at_work(1)
    for work_id, priority in (("late", 5), ("old", 3), ("urgent", 1), ("said", 0), ("young", 3)):
        await place.enqueue(engine, Work(id=work_id, bucket="PROJ", priority=priority))
        await asyncio.sleep(0.002)  # age is told in milliseconds
    await record.let_go()
    await record.until_ended(6)
    assert [work for work, _ in record.begun] == ["first", "said", "urgent", "old", "young", "late"]


async def test_no_bucket_keeps_another_one_waiting(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=2)
    await place.enqueue(engine, *(Work(id=f"bulk {number}", bucket="BULK", priority=1) for number in range(5)))
    await record.until_at_work(2)
    await place.enqueue(engine, Work(id="single", bucket="ONE", priority=5))
    await record.let_go(record.begun[0][0])
    await record.until(lambda: len(record.begun) == 3)
    assert record.begun[2] == ("single", "step")


async def test_never_more_works_of_a_bucket_or_in_all_than_allowed(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=4, total=3, per_bucket=2)
    bulk = [Work(id=f"bulk {number}", bucket="BULK", priority=3) for number in range(3)]
    await place.enqueue(engine, *bulk, *(Work(id=name, bucket=name, priority=3) for name in ("A", "B")))
    await record.until_at_work(3)
    await asyncio.sleep(0.25)  # time to do it wrong; on a slow machine the test is too kind at most
    assert len(record.begun) == 3
    await record.let_go("A", "B", "bulk 0")
    await record.until(lambda: len(record.begun) == 5)
    assert sum(work.startswith("bulk") for work in record.at_work) <= 2
    await record.let_go()
    await record.until_ended(5)


async def test_a_worker_that_pauses_begins_nothing_until_it_resumes(place: Place) -> None:
    record = Record("one", "two", held=frozenset({"one"}))
    engine = await place.start(record)
    await place.enqueue(engine, "first")
    await record.until_at_work(1)
    engine.pause()
    await place.enqueue(engine, "second")
    await record.let_go()
    await record.until_ended(1)
    await until(lambda: is_unfinished(engine, {"second"}))
    engine.resume()
    await record.until_ended(2)


# Cancelling


async def test_a_cancelled_run_ends_in_its_step_and_makes_room(place: Place) -> None:
    record = Record("one", "two", held=frozenset({"one"}))
    engine = await place.start(record, concurrency=1)
    await place.enqueue(engine, "first", "second")
    await record.until(lambda: record.begun == [("first", "one")])
    async with asyncio.timeout(SOON_S):
        await engine.cancel("first")
        await record.until(lambda: ("second", "one") in record.begun)
    assert record.cancelled == [("first", "one")]
    assert set(await engine.unfinished()) == {"second"}
    await record.let_go()
    await record.until(lambda: "second" in record.results)
    assert ("first", "two") not in record.begun


async def test_after_a_cancellation_no_further_step_begins_whatever_the_run_does(place: Place) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    after = list[str]()

    async def stubborn() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "as if nothing had happened"
        return "never"

    async def clean_up() -> str:
        after.append("step")
        return "done"

    async def workflow(run_id: str, steps: Steps) -> None:
        if run_id == "second":
            return ended.set()
        try:
            await steps.run("stubborn", stubborn, str)
            after.append("result")
        finally:
            await steps.run("clean up", clean_up, str)

    engine = await place.start(workflow, concurrency=1)
    await place.enqueue(engine, "first", "second")
    async with asyncio.timeout(LIMIT_S):
        await begun.wait()
        await engine.cancel("first")
        await ended.wait()
    assert after == []


async def test_a_waiting_run_that_is_cancelled_never_begins(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=1)
    await place.enqueue(engine, "first", "second", "third")
    await record.until(lambda: len(record.begun) == 1)
    await engine.cancel("second")
    await record.let_go()
    await record.until(lambda: "third" in record.results)
    assert {run_id for run_id, _ in record.begun} == {"first", "third"}


async def test_cancelling_what_is_unknown_or_done_changes_nothing(place: Place) -> None:
    record = Record("step")
    engine = await place.start(record)
    await place.enqueue(engine, "run")
    await record.until(lambda: "run" in record.results)
    await idle(engine)
    await engine.cancel("run")
    await engine.cancel("nobody")
    assert await engine.unfinished() == {}
