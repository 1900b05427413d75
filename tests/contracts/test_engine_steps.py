"""In every engine a step gives what it gave, fails and waits alike."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from app.errors import BranchMoved, Overloaded, Parked, TemporarilyFailed, WorkFailed
from app.results import CheckOutcome, CheckResult, Verdict
from app.services.engine import Steps
from tests.contracts.engines import PATIENCE_S, Place, given, idle
from tests.contracts.records import LIMIT_S, Record


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


async def test_a_queued_run_is_worked_on_step_by_step(place: Place) -> None:
    record = Record("one", "two")
    engine = await place.start(record)
    await place.enqueue(engine, "run")
    await record.until(lambda: "run" in record.results)
    assert record.results["run"] == ["one of run, begun as number 1", "two of run, begun as number 2"]
    await idle(engine)


async def test_a_steps_result_is_what_its_type_says(place: Place) -> None:
    pairs = [
        (CheckResult(outcome=CheckOutcome.FAILED, output="ünï"), CheckResult),
        (("a", "b"), tuple[str, ...]),
        (None, str | None),
        (True, bool),
        ({"verdict": Verdict(has_issues=True)}, dict[str, Verdict]),
    ]

    async def workflow(steps: Steps) -> None:
        for number, (value, kind) in enumerate(pairs):
            assert await steps.run(f"step {number}", partial(given, value), kind) == value

    await in_one_run(place, workflow)


async def test_what_is_not_json_is_refused_as_a_result(place: Place) -> None:
    async def workflow(steps: Steps) -> None:
        with pytest.raises(Exception, match="Unable to serialize"):
            await steps.run("step", lambda: given(object()), Any)

    await in_one_run(place, workflow)


async def test_a_failure_is_the_end_of_its_step(place: Place) -> None:
    tries = list[str]()

    async def fail() -> str:
        tries.append("try")
        raise BranchMoved("Somebody pushed.")

    async def workflow(steps: Steps) -> None:
        with pytest.raises(WorkFailed, match=r"^Somebody pushed\.$"):
            await steps.run("step", fail, str)
        assert await steps.run("next", lambda: given("went on"), str) == "went on"

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
