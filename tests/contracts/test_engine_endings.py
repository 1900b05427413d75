"""Every engine is as durable: what one leaves, in order or cut off, the next one goes on with."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import ClaimLost, ConfigurationError, Parked, StoreUnavailable, TemporarilyFailed, WorkFailed
from app.services.engine import Steps
from tests.contracts.engines import Place, given, idle, is_unfinished, nothing_under_way, until
from tests.contracts.records import LIMIT_S, Record

# Draining and halting


async def test_what_is_under_way_is_known(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=1)
    await place.enqueue(engine, "first", "second")
    await record.until_at_work(1)
    assert engine.under_way == record.at_work
    await record.let_go()
    await record.until_ended(2)
    await idle(engine)
    assert engine.under_way == frozenset()


async def test_a_draining_engine_ends_what_it_has_and_begins_nothing(place: Place) -> None:
    before, after = Record("one", "two", held=frozenset({"one"})), Record("one", "two")
    engine = await place.start(before, concurrency=1)
    await place.enqueue(engine, "first")
    await before.until_at_work(1)
    await place.enqueue(engine, "second")
    engine.drain()
    engine.resume()
    await before.let_go()
    await before.until_ended(1)
    await nothing_under_way(engine)
    await place.stop()
    assert set(before.results) == {"first"}
    await place.start(after)
    await after.until_ended(1)
    assert set(after.results) == {"second"}


async def test_a_halted_engine_leaves_a_work_where_its_step_ends(place: Place) -> None:
    before, after = Record("one", "two", held=frozenset({"one"})), Record("one", "two")
    engine = await place.start(before)
    await place.enqueue(engine, "work")
    await before.until_at_work(1)
    engine.halt()
    await before.let_go()
    await nothing_under_way(engine)
    assert await engine.unfinished() == {"work": None}
    await place.stop()
    await place.start(after)
    await after.until_ended(1)
    assert (before.begun, after.begun) == ([("work", "one")], [("work", "two")])


async def test_a_work_that_only_waits_is_left_at_once_by_an_engine_that_drains(place: Place) -> None:
    seen = list[Steps]()

    async def wait() -> str:
        raise Parked("Nothing goes.", until=datetime.max.replace(tzinfo=UTC))

    async def workflow(_work_id: str, steps: Steps) -> None:
        seen.append(steps)
        await steps.run("waiting", wait, str)

    engine = await place.start(workflow)
    await place.enqueue(engine, "work")
    await until(lambda: given(bool(seen) and seen[0].waiting))
    engine.drain()
    await nothing_under_way(engine)
    assert await engine.unfinished() == {"work": None}


async def test_each_execution_has_steps_of_its_own_which_wait_or_work(place: Place) -> None:
    seen, free, working = dict[str, Steps](), asyncio.Event(), asyncio.Event()

    async def work() -> str:
        working.set()
        await free.wait()
        return "done"

    async def workflow(work_id: str, steps: Steps) -> None:
        seen[work_id] = steps
        await steps.run("working", work, str)

    engine = await place.start(workflow)
    await place.enqueue(engine, "one", "other")
    await until(lambda: given(len(seen) == 2 and working.is_set()))
    assert seen["one"] is not seen["other"]
    assert not seen["one"].waiting
    free.set()
    await idle(engine)


# Forgetting


async def test_works_that_were_done_before_are_forgotten_and_no_others(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record)
    await place.enqueue(engine, "done", "held")
    await record.let_go("done")
    await record.until_ended(1)
    await until(lambda: is_unfinished(engine, {"held"}))
    assert await engine.forget(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await engine.forget(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert await engine.forget(datetime.now(UTC) + timedelta(hours=1)) == 0
    await record.let_go()
    await record.until_ended(2)


# Ends and beginnings


async def test_the_next_engine_goes_on_with_the_step_that_was_cut_off(place: Place) -> None:
    before, after = Record("one", "two", "three", held=frozenset({"two"})), Record("one", "two", "three")
    engine = await place.start(before)
    await place.enqueue(engine, "run")
    await before.until(lambda: ("run", "two") in before.begun)
    await place.stop()
    assert before.results == {}
    engine = await place.start(after)
    await after.until(lambda: "run" in after.results)
    assert after.begun == [("run", "two"), ("run", "three")]
    assert after.results["run"][0] == "one of run, begun as number 1"
    await idle(engine)


async def test_a_failure_is_raised_again_when_its_run_goes_on(place: Place) -> None:
    tries, raised, stuck = list[str](), list[str](), asyncio.Event()

    async def fail() -> str:
        tries.append("try")
        raise TemporarilyFailed("The network is away.")

    async def workflow(_run_id: str, steps: Steps) -> None:
        try:
            await steps.run("failing", fail, str)
        except WorkFailed as error:
            raised.append(f"{type(error).__name__}: {error}")
        stuck.set()
        await steps.run("holding", asyncio.Event().wait, bool)

    await place.enqueue(await place.start(workflow), "run")
    for _ in range(2):
        async with asyncio.timeout(LIMIT_S):
            await stuck.wait()
        await place.stop()
        stuck.clear()
        if len(raised) < 2:
            await place.start(workflow)
    assert raised == ["WorkFailed: The network is away."] * 2
    assert len(tries) == 4


async def test_what_was_queued_while_nobody_worked_is_worked_on_later(place: Place) -> None:
    record = Record("step")
    await place.start(record)
    await place.stop()
    await place.enqueue(place.engine(), "run")
    await place.start(record)
    await record.until(lambda: "run" in record.results)


async def test_steps_that_are_others_than_recorded_are_refused(place: Place) -> None:
    record, said = Record("one", "two", held=frozenset({"two"})), asyncio.Event()
    await place.enqueue(await place.start(record), "run")
    await record.until(lambda: len(record.begun) == 2)
    await place.stop()

    async def other(_run_id: str, steps: Steps) -> None:
        with pytest.raises(Exception, match=r"one.* was recorded|recorded .*one"):
            await steps.run("another", lambda: given("it"), str)
        said.set()

    await place.start(other)
    async with asyncio.timeout(LIMIT_S):
        await said.wait()


@pytest.mark.parametrize("lost_in", ["a step", "between steps"])
@pytest.mark.parametrize("why", [ClaimLost("Another worker has the run."), StoreUnavailable("It does not answer.")])
async def test_a_work_that_was_left_is_begun_again_where_nobody_has_it(
    place: Place, lost_in: str, why: Exception
) -> None:
    tries, ended = list[str](), asyncio.Event()

    async def lose() -> str:
        tries.append("try")
        if len(tries) == 1 and lost_in == "a step":
            raise why
        return "done"

    async def workflow(_run_id: str, steps: Steps) -> None:
        assert await steps.run("step", lose, str) == "done"
        if lost_in == "between steps" and not ended.is_set():
            ended.set()
            raise why
        ended.set()

    engine = await place.start(workflow)
    await place.enqueue(engine, "run")
    await idle(engine)
    assert ended.is_set()
    assert len(tries) == (2 if lost_in == "a step" else 1)


async def test_a_second_engine_is_refused_while_the_first_has_the_database(lone_place: Place) -> None:
    await lone_place.start(Record("step"))
    second = lone_place.engine()
    with pytest.raises(ConfigurationError, match=r"Another .* works on"):
        await second.open()
    await lone_place.stop()
    await second.open()
    await second.release()
