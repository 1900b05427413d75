"""Every engine is as durable: queued work is done to its end, finished steps are not done again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from app.errors import BranchMoved, ConfigurationError, Overloaded, Parked, TemporarilyFailed, WorkFailed
from app.results import CheckOutcome, CheckResult, Verdict
from app.services.engine import Engine, Steps
from tests.contracts.engines import LIMIT_S, PATIENCE_S, Place, Record

SOON_S = 2.0
"""How fast a cancelled step must go."""


async def idle(engine: Engine) -> None:
    """Return when the engine has nothing left to do."""
    async with asyncio.timeout(LIMIT_S):
        while await engine.unfinished():  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.01)


async def in_one_run(place: Place, workflow: Callable[[Steps], Awaitable[None]]) -> None:
    """Do this as a run, and return when it is done or raise what it raised."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(_run_id: str, steps: Steps) -> None:
        try:
            await workflow(steps)
        except (AssertionError, ValueError) as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)

    engine = await place.start(run)
    await place.enqueue(engine, "run")
    async with asyncio.timeout(LIMIT_S):
        await ended


# Steps


async def test_a_queued_run_is_worked_on_step_by_step(place: Place) -> None:
    record = Record("one", "two")
    engine = await place.start(record)
    await place.enqueue(engine, "run")
    await record.until(lambda: "run" in record.results)
    assert record.results["run"] == ["one of run, begun as number 1", "two of run, begun as number 2"]
    await idle(engine)


async def test_a_steps_result_is_what_its_type_says(place: Place) -> None:
    given = [
        (CheckResult(outcome=CheckOutcome.FAILED, output="ünï"), CheckResult),
        (("a", "b"), tuple[str, ...]),
        (None, str | None),
        (True, bool),
        ({"verdict": Verdict(has_issues=True)}, dict[str, Verdict]),
    ]

    async def workflow(steps: Steps) -> None:
        for number, (value, kind) in enumerate(given):
            assert await steps.run(f"step {number}", partial(_given, value), kind) == value

    await in_one_run(place, workflow)


async def test_what_is_not_json_is_refused_as_a_result(place: Place) -> None:
    async def workflow(steps: Steps) -> None:
        with pytest.raises(Exception, match="Unable to serialize"):
            await steps.run("step", lambda: _given(object()), Any)

    await in_one_run(place, workflow)


async def test_a_failure_is_the_end_of_its_step(place: Place) -> None:
    tries = list[str]()

    async def fail() -> str:
        tries.append("try")
        raise BranchMoved("Somebody pushed.")

    async def workflow(steps: Steps) -> None:
        with pytest.raises(WorkFailed, match=r"^Somebody pushed\.$"):
            await steps.run("step", fail, str)
        assert await steps.run("next", lambda: _given("went on"), str) == "went on"

    await in_one_run(place, workflow)
    assert tries == ["try"]


async def test_a_passing_fault_is_tried_again(place: Place) -> None:
    faults = [TemporarilyFailed("502"), TemporarilyFailed("503")]

    async def step() -> str:
        if faults:
            raise faults.pop()
        return "there"

    async def workflow(steps: Steps) -> None:
        assert await steps.run("step", step, str) == "there"

    await in_one_run(place, workflow)


async def test_a_fault_that_does_not_pass_fails_its_step(place: Place) -> None:
    tries = list[str]()

    async def step() -> str:
        tries.append("try")
        raise TemporarilyFailed("The network is away.")

    async def workflow(steps: Steps) -> None:
        with pytest.raises(WorkFailed, match="The network is away"):
            await steps.run("step", step, str)

    await in_one_run(place, workflow)
    assert len(tries) == 4


async def test_a_parked_step_waits_for_its_time_however_often(place: Place) -> None:
    tries = list[str]()

    async def step() -> str:
        tries.append("try")
        if len(tries) < 9:
            raise Parked("The limit is reached.", until=datetime.now(UTC) + timedelta(milliseconds=2))
        return "there"

    async def workflow(steps: Steps) -> None:
        assert await steps.run("step", step, str) == "there"

    await in_one_run(place, workflow)


async def test_an_overload_is_waited_for_as_long_as_the_patience_lasts(place: Place) -> None:
    began = time.monotonic()

    async def step() -> str:
        raise Overloaded("The API is overloaded.", until=datetime.now(UTC) + timedelta(milliseconds=5))

    async def workflow(steps: Steps) -> None:
        with pytest.raises(WorkFailed, match="overloaded"):
            await steps.run("step", step, str)

    await in_one_run(place, workflow)
    assert time.monotonic() - began >= PATIENCE_S


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


async def test_what_waits_and_what_is_worked_on_is_unfinished(place: Place) -> None:
    record = Record("step", held=frozenset({"step"}))
    engine = await place.start(record, concurrency=1)
    await place.enqueue(engine, "first", "second")
    await record.until(lambda: len(record.begun) == 1)
    assert await engine.unfinished() == {"first", "second"}
    await record.let_go()
    await record.until(lambda: len(record.results) == 2)
    await idle(engine)


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
    assert await engine.unfinished() == {"second"}
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
    assert await engine.unfinished() == frozenset()


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
            await steps.run("another", lambda: _given("it"), str)
        said.set()

    await place.start(other)
    async with asyncio.timeout(LIMIT_S):
        await said.wait()


async def test_a_second_engine_is_refused_while_the_first_has_the_database(place: Place) -> None:
    await place.start(Record("step"))
    second = place.engine()
    with pytest.raises(ConfigurationError, match=r"Another .* works on"):
        await second.open()
    await place.stop()
    await second.open()
    await second.release()


async def _given(value: Any) -> Any:
    return value
