"""The order of one run: one at a time for each ticket, and one end."""

import asyncio
from collections.abc import Callable

import pytest

from app.errors import ClaimLost, WorkFailed
from app.models import Job, PipelineOptions, RunStatus, Ticket, Trigger, Work
from app.results import Outcome
from app.services.engine import Steps
from app.services.engine.mock_client import MockEngine
from app.services.langfuse.mock_client import MockLangfuse
from app.services.pipeline import Pipeline
from app.services.runner.executions import Executions
from app.services.runner.run_workflow import run_workflow
from app.services.store import Claim
from app.services.store.mock_client import MockStore

LIMIT_S = 5.0


class Lingering(Pipeline):
    """Works until it is cancelled, and then takes its time to go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_go = asyncio.Event()

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        self.begun.append(job.run_id)
        try:
            return await steps.run("work", _for_ever, Outcome)
        finally:
            async with asyncio.timeout(LIMIT_S):
                await self.may_go.wait()


async def _for_ever() -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError("for ever is over")


class Ending(Pipeline):
    """Ends as it is told."""

    def __init__(self, end: Outcome | Exception) -> None:
        self._end = end

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


class Office:
    """A store, an engine and tracing around a pipeline."""

    def __init__(self) -> None:
        self.store, self.engine, self.langfuse = MockStore(), MockEngine(), MockLangfuse()
        self.limit_s = 1000.0

    async def start(self, pipeline: Pipeline) -> None:
        workflow = run_workflow(
            store=self.store,
            pipeline=pipeline,
            langfuse=self.langfuse,
            enqueue=self.engine.enqueue,
            executions=Executions(store=self.store, limit_s=self.limit_s, tick_s=0.01),
            worker=self.engine.worker_id,
        )
        await self.engine.open()
        await self.engine.start(workflow)

    async def take(self, key: str) -> str:
        receipt = await self.store.claim(claim_of(key), self.engine.enqueue)
        assert receipt.run_id is not None
        return receipt.run_id

    async def stop_run(self, run_id: str) -> None:
        await self.store.move(run_id, RunStatus.IDLE, by="Ada")
        await self.engine.cancel(run_id)


def claim_of(key: str) -> Claim:
    return Claim(ticket=Ticket(key=key, summary="Add"), trigger=Trigger.WEBHOOK, options=PipelineOptions())


@pytest.fixture
def office() -> Office:
    return Office()


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not happened():  # noqa: ASYNC110 - what happens here tells nobody
            await asyncio.sleep(0)


async def test_a_run_waits_until_the_stopped_one_before_it_has_left_the_worktree(office: Office) -> None:
    await office.start(pipeline := Lingering())
    first = await office.take("PROJ-1")
    await until(lambda: pipeline.begun == [first])
    await office.stop_run(first)
    second, other = await office.take("PROJ-1"), await office.take("PROJ-2")
    await until(lambda: other in pipeline.begun)
    assert pipeline.begun == [first, other]
    pipeline.may_go.set()
    await until(lambda: second in pipeline.begun)
    await office.engine.stop()


async def test_a_run_that_is_stopped_while_it_waits_for_another_never_begins(office: Office) -> None:
    await office.start(pipeline := Lingering())
    first = await office.take("PROJ-1")
    await until(lambda: pipeline.begun == [first])
    await office.stop_run(first)
    second = await office.take("PROJ-1")
    await office.store.move(second, RunStatus.IDLE, by="Ada")  # the engine has not heard of it yet
    pipeline.may_go.set()
    await until(lambda: second not in office.engine.journal.unfinished)
    assert pipeline.begun == [first]
    assert (await office.store.run(second)).started_at is None


@pytest.mark.parametrize(
    ("end", "status", "sentence"),
    [
        (Outcome(status=RunStatus.PR_OPENED, sentence="Opened 1."), RunStatus.PR_OPENED, "Opened 1."),
        (Outcome(status=RunStatus.IDLE, sentence="No changes."), RunStatus.IDLE, "No changes."),
        (WorkFailed("No network."), RunStatus.FAILED, "No network."),
    ],
)
async def test_the_end_of_a_run_is_said_to_people_and_to_tracing(
    office: Office, end: Outcome | Exception, status: RunStatus, sentence: str
) -> None:
    await office.start(Ending(end))
    run_id = await office.take("PROJ-1")
    await until(lambda: bool(office.langfuse.ended))
    run = await office.store.run(run_id)
    assert (run.status, run.error or run.outcome) == (status, sentence)
    assert (run.error is None) == (status is not RunStatus.FAILED)
    assert office.langfuse.ended == [(run_id, Outcome(status=status, sentence=sentence))]


async def test_a_stopped_run_is_not_ended_a_second_time(office: Office) -> None:
    await office.start(pipeline := Lingering())
    run_id = await office.take("PROJ-1")
    await until(lambda: pipeline.begun == [run_id])
    await office.stop_run(run_id)
    before = await office.store.events(run_id)
    pipeline.may_go.set()
    await office.engine.stop()
    assert await office.store.events(run_id) == before
    assert office.langfuse.ended == []


# Runs of many workers


async def test_a_run_is_taken_before_anything_is_said_of_it(office: Office) -> None:
    await office.start(Lingering())
    run_id = await office.take("PROJ-1")
    await until_running(office, run_id)
    await MockStore(beside=office.store).take(run_id, "another")
    with pytest.raises(ClaimLost):
        await office.store.check_claim(run_id)
    await office.engine.stop()


@pytest.mark.parametrize("lost_at", ["its work", "its end"])
async def test_who_has_lost_a_run_says_nothing_of_its_end(office: Office, lost_at: str) -> None:
    class Losing(Pipeline):
        async def execute(self, job: Job, steps: Steps) -> Outcome:
            office.engine.journal.holders[job.run_id] = "another"
            await MockStore(beside=office.store).take(job.run_id, "another")
            if lost_at == "its work":
                await office.store.check_claim(job.run_id)
            return Outcome(status=RunStatus.PR_OPENED, sentence="Opened 1.")

    await office.start(Losing())
    run_id = await office.take("PROJ-1")
    await until(lambda: not office.engine.under_way)
    run = await office.store.run(run_id)
    assert (run.status, run.outcome, run.error) == (RunStatus.RUNNING, None, None)
    assert office.langfuse.ended == []


async def test_a_work_that_is_not_the_runs_turn_takes_it_from_nobody(office: Office) -> None:
    await office.start(pipeline := Lingering())
    other, engine = MockStore(beside=office.store), office.engine
    run_id = str((await other.claim(claim_of("PROJ-1"), lambda _transaction, _work: None)).run_id)
    await other.take(run_id, "another")
    late = Work(id=f"{run_id}.2", bucket="PROJ", priority=0)
    await other.claim(claim_of("PROJ-2"), lambda transaction, _work: engine.enqueue(transaction, late))
    await until(lambda: late.id in engine.journal.ended)
    await other.check_claim(run_id)
    assert pipeline.begun == []


async def test_a_run_that_takes_too_long_fails_with_its_work_kept(office: Office) -> None:
    office.limit_s = 0.02
    await office.start(pipeline := Lingering())
    pipeline.may_go.set()
    run_id = await office.take("PROJ-1")
    await until(lambda: bool(office.langfuse.ended))
    run = await office.store.run(run_id)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert "Its work is kept: retry the run" in run.error


async def until_running(office: Office, run_id: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        async for event in office.store.follow(run_id):
            if event.payload.get("status") == RunStatus.RUNNING:
                return
