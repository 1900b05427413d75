"""Runners for their contract: one that works on nothing, and one whose work never ends."""

import asyncio
from pathlib import Path

from app.models import Job, PipelineOptions
from app.results import Outcome
from app.services.checks.mock_client import MockChecks
from app.services.claude_code.mock_client import MockClaudeCode
from app.services.engine import Steps
from app.services.engine.mock_client import MockEngine
from app.services.gateway.mock_client import MockGateway
from app.services.github.mock_client import MockGitHub, MockRepositories
from app.services.langfuse.mock_client import MockLangfuse
from app.services.pipeline import Hands, Pipeline
from app.services.runner import Runner
from app.services.runner.client import Limits, TicketRunner
from app.services.runner.mock_client import MockRunner
from app.services.store.mock_client import MockStore
from app.services.tracker.base import Tracker
from app.services.tracker.null_client import NoTracker
from tests.surroundings import no_sandbox

KINDS = ("mock", "real")
OPTIONS = PipelineOptions(lint=True)
MODELS = {"claude-sonnet-4-6": "Sonnet 4.6", "claude-opus-4-8": "Opus 4.8"}


class Unending(Pipeline):
    """Works until it is stopped."""

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError("for ever is over")


def runner_of(kind: str, store: MockStore, root: Path, *, tracker: Tracker | None = None) -> Runner:
    """A runner of the kind, not started, with two repositories."""
    tracker = tracker or NoTracker()
    demo, api = (MockGitHub(root / name, {}, name=name) for name in ("offline/demo", "acme/api"))
    api.push_as_human("release", {})
    api.push_as_human("ticket/proj-9", {})
    repositories = MockRepositories(demo, api)
    if kind == "mock":
        return MockRunner(store=store, tracker=tracker, repositories=repositories, options=OPTIONS, models=MODELS)
    hands = Hands(
        store=store,
        sandbox=no_sandbox(root),
        gateway=MockGateway(),
        claude_code=MockClaudeCode(),
        repositories=repositories,
        checks=MockChecks(),
        langfuse=MockLangfuse(),
    )
    return TicketRunner(
        hands=hands,
        engine=MockEngine(),
        pipeline=Unending(),
        tracker=tracker,
        options=OPTIONS,
        models=MODELS,
        limits=Limits(drain_s=0.01),
    )
