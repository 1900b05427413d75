"""The order of one run: one at a time for each ticket, and one end."""

import asyncio
from collections.abc import Callable

import pytest

from app.errors import WorkFailed
from app.models import Job, PipelineOptions, RunStatus, Ticket, Trigger
from app.results import Outcome
from app.services.engine import Steps
from app.services.engine.mock_client import MockEngine
from app.services.langfuse.mock_client import MockLangfuse
from app.services.pipeline import Pipeline
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

    async def start(self, pipeline: Pipeline) -> None:
        workflow = run_workflow(
            store=self.store, pipeline=pipeline, langfuse=self.langfuse, enqueue=self.engine.enqueue
        )
        await self.engine.start(workflow)

    async def take(self, key: str) -> str:
        claim = Claim(ticket=Ticket(key=key, summary="Add"), trigger=Trigger.WEBHOOK, options=PipelineOptions())
        receipt = await self.store.claim(claim, self.engine.enqueue)
        assert receipt.run_id is not None
        return receipt.run_id

    async def stop_run(self, run_id: str) -> None:
        await self.store.move(run_id, RunStatus.IDLE, by="Ada")
        await self.engine.cancel(run_id)


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
