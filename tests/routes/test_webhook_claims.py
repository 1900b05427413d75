"""From the door to the database: the real conductor, engine and store take each ticket once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from app.database import Database, sqlite_url
from app.models import Job, PipelineOptions, RunFilter, RunStatus
from app.results import Outcome
from app.services.checks.mock_client import MockChecks
from app.services.claude_code.mock_client import MockClaudeCode
from app.services.engine import Engine, Steps
from app.services.engine.client import DbosEngine
from app.services.engine.mock_client import MockEngine
from app.services.gateway.mock_client import MockGateway
from app.services.github.mock_client import MockGitHub, MockRepositories
from app.services.langfuse.mock_client import MockLangfuse
from app.services.pipeline import Hands, Pipeline
from app.services.runner import Runner
from app.services.runner.client import TicketRunner
from app.services.store import Store
from app.services.store.client import DatabaseStore
from app.services.store.mock_client import MockStore
from app.services.tracker.null_client import NoTracker
from tests.builders import jira_body
from tests.routes.service import LIMIT_S, Service, serving
from tests.surroundings import no_sandbox

MODELS = {"claude-sonnet-4-6": "Sonnet 4.6"}

Place = Callable[[], AbstractAsyncContextManager[Service]]


class GatedPipeline(Pipeline):
    """Works on a run until `open` is set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        async def work() -> Outcome:
            await self.open.wait()
            return Outcome(status=RunStatus.IDLE, sentence="Nothing to do.")

        return await steps.run("work", work, Outcome)


@pytest.fixture
def pipeline() -> GatedPipeline:
    """The work, which ends when a test wants it to."""
    return GatedPipeline()


@pytest.fixture(params=["memory", "database"])
def place(request: pytest.FixtureRequest, tmp_path: Path, pipeline: GatedPipeline) -> Place:
    """Opens the service over that kind of store and engine."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Service]:
        store: Store = MockStore()
        engine: Engine = MockEngine()
        if request.param == "database":
            database = Database(url=sqlite_url(tmp_path / "auto-code.db"))
            store, engine = DatabaseStore(database=database), DbosEngine(database=database, concurrency=2)
        async with serving(store, runner_of(tmp_path, store, engine, pipeline)) as service:
            yield service

    return opened


def runner_of(directory: Path, store: Store, engine: Engine, pipeline: Pipeline) -> Runner:
    """The conductor over these, with hands that touch nothing outside."""
    hands = Hands(
        store=store,
        sandbox=no_sandbox(directory),
        gateway=MockGateway(),
        claude_code=MockClaudeCode(),
        repositories=MockRepositories(MockGitHub(directory, {"README.md": "# Widgets\n"})),
        checks=MockChecks(),
        langfuse=MockLangfuse(),
    )
    return TicketRunner(
        hands=hands, engine=engine, pipeline=pipeline, tracker=NoTracker(), options=PipelineOptions(), models=MODELS
    )


async def ended(service: Service, run_id: str) -> None:
    """Return when the run has ended."""
    async with asyncio.timeout(LIMIT_S):
        async for _ in service.runner.follow(run_id):
            pass


async def test_of_200_equal_webhooks_at_once_one_run_is_made(place: Place) -> None:
    async with place() as service:
        answers = await asyncio.gather(*(service.deliver(jira_body(key="PROJ-1")) for _ in range(200)))
        assert {answer.status_code for answer in answers} == {202}
        assert sorted(answer.json()["status"] for answer in answers) == ["accepted"] + ["duplicate"] * 199
        (run,) = (await service.store.runs(RunFilter())).runs
        assert {answer.json()["run_id"] for answer in answers} == {run.id}


async def test_a_ticket_that_was_worked_on_is_taken_again_but_not_by_a_redelivery(
    place: Place, pipeline: GatedPipeline
) -> None:
    async with place() as service:
        first = await service.deliver(jira_body(key="PROJ-1"), x_atlassian_webhook_identifier="one")
        edit = jira_body("system.issue_updated", key="PROJ-1", summary="Add a darker mode")
        meanwhile = await service.deliver(edit, x_atlassian_webhook_identifier="two")
        assert meanwhile.json()["reason"] == "PROJ-1 is being worked on already"
        pipeline.open.set()
        await ended(service, first.json()["run_id"])
        for body, name in ((jira_body(key="PROJ-1"), "one"), (edit, "two"), (edit, "three")):
            again = await service.deliver(body, x_atlassian_webhook_identifier=name)
            assert (again.json()["status"], again.json()["run_id"]) == ("duplicate", first.json()["run_id"])
        later = jira_body("system.issue_updated", key="PROJ-1", summary="Add the darkest mode")
        assert (await service.deliver(later, x_atlassian_webhook_identifier="four")).json()["status"] == "accepted"
