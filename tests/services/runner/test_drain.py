"""The worker on its way out: it takes nothing new, waits for what it has begun, and leaves the rest to the next one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from app.models import Job, RunStatus, Ticket, Trigger
from app.results import Outcome
from app.services.checks.mock_client import MockChecks
from app.services.claude_code.mock_client import MockClaudeCode
from app.services.engine import Steps
from app.services.engine.mock_client import Journal, MockEngine
from app.services.gateway.mock_client import MockGateway
from app.services.github.mock_client import MockRepositories
from app.services.langfuse.mock_client import MockLangfuse
from app.services.pipeline import Hands, Pipeline
from app.services.runner import Runner
from app.services.runner.client import Limits, TicketRunner
from app.services.store.mock_client import MockStore
from app.services.tracker.null_client import NoTracker
from tests.contracts.runners import MODELS, OPTIONS
from tests.surroundings import no_sandbox

LIMIT_S = 5.0
FIRST, SECOND = "first", "second"


class Stepping(Pipeline):
    """Two steps, which each wait until they are let go."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []
        self.go = {FIRST: asyncio.Event(), SECOND: asyncio.Event()}

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        for name, go in self.go.items():

            async def body(name: str = name, go: asyncio.Event = go) -> str:
                self.begun.append((job.ticket.key, name))
                await go.wait()
                return name

            await steps.run(name, body, str)
        return Outcome(status=RunStatus.IDLE, sentence="Done.")


class Office:
    """One process after the other on the same store and journal."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store, self.journal, self.pipeline = MockStore(), Journal(), Stepping()
        self.engine = MockEngine(journal=self.journal)

    async def process(self, *, drain_s: float) -> Runner:
        self.engine = MockEngine(journal=self.journal)
        hands = Hands(
            store=self.store,
            sandbox=no_sandbox(self.root),
            gateway=MockGateway(),
            claude_code=MockClaudeCode(),
            repositories=MockRepositories(),
            checks=MockChecks(),
            langfuse=MockLangfuse(),
        )
        runner = TicketRunner(
            hands=hands,
            engine=self.engine,
            pipeline=self.pipeline,
            tracker=NoTracker(),
            options=OPTIONS,
            models=MODELS,
            limits=Limits(drain_s=drain_s),
        )
        await runner.start()
        return runner

    async def status(self, run_id: str) -> RunStatus:
        return (await self.store.run(run_id)).status


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


async def take(runner: Runner, key: str) -> str:
    receipt = await runner.handle_ticket(Ticket(key=key, summary="Add"), trigger=Trigger.WEBHOOK)
    assert receipt.run_id is not None
    return receipt.run_id


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not happened():  # noqa: ASYNC110 - what happens here tells nobody
            await asyncio.sleep(0.001)


async def test_what_is_under_way_ends_and_what_comes_waits_for_the_next_process(office: Office) -> None:
    runner = await office.process(drain_s=LIMIT_S)
    one = await take(runner, "PROJ-1")
    await until(lambda: office.pipeline.begun == [("PROJ-1", FIRST)])
    assert runner.at_work == ("PROJ-1",)
    draining = asyncio.create_task(runner.drain())
    await asyncio.sleep(0)
    two = await take(runner, "PROJ-2")
    for go in office.pipeline.go.values():
        go.set()
    async with asyncio.timeout(LIMIT_S):
        await draining
    await runner.stop()
    assert [await office.status(each) for each in (one, two)] == [RunStatus.IDLE, RunStatus.QUEUED]

    runner = await office.process(drain_s=0)
    await until(lambda: not office.journal.unfinished)
    assert await office.status(two) is RunStatus.IDLE
    await runner.stop()


async def test_no_step_begins_once_the_time_is_over_and_the_next_process_goes_on_with_it(office: Office) -> None:
    runner = await office.process(drain_s=0.5)
    run_id = await take(runner, "PROJ-1")
    await until(lambda: office.pipeline.begun == [("PROJ-1", FIRST)])
    draining = asyncio.create_task(runner.drain())
    await until(office.engine._ending.halted.is_set)
    office.pipeline.go[FIRST].set()
    async with asyncio.timeout(LIMIT_S):
        await draining
    await runner.stop()
    assert office.pipeline.begun == [("PROJ-1", FIRST)]
    assert await office.status(run_id) is RunStatus.RUNNING

    office.pipeline.go[SECOND].set()
    runner = await office.process(drain_s=0)
    await until(lambda: not office.journal.unfinished)
    assert office.pipeline.begun == [("PROJ-1", FIRST), ("PROJ-1", SECOND)]
    assert await office.status(run_id) is RunStatus.IDLE
    await runner.stop()


async def test_a_process_with_nothing_under_way_drains_at_once(office: Office) -> None:
    runner = await office.process(drain_s=1000)
    async with asyncio.timeout(LIMIT_S):
        await runner.drain()
    await runner.stop()


async def test_a_drain_that_is_not_waited_for_ends_with_the_process(office: Office) -> None:
    runner = await office.process(drain_s=1000)
    await take(runner, "PROJ-1")
    await until(lambda: bool(office.pipeline.begun))
    draining = asyncio.create_task(runner.drain())
    await asyncio.sleep(0)
    async with asyncio.timeout(LIMIT_S):
        await runner.stop()
        await asyncio.wait({draining})
