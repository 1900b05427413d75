"""A world of stand-ins for the real runner and the real pipeline."""

import asyncio
import itertools
import shutil
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from app.domain.run_state import has_ended
from app.models import (
    Conversation,
    Event,
    EventKind,
    PipelineOptions,
    Receipt,
    RepositoryChoice,
    Request,
    Run,
    RunFilter,
    RunMode,
    RunStatus,
    Ticket,
    Trigger,
)
from app.services.checks.mock_client import MockChecks
from app.services.claude_code.mock_client import Answer
from app.services.engine.mock_client import Journal, MockEngine
from app.services.gateway.mock_client import MockGateway
from app.services.github.mock_client import MockGitHub, MockRepositories, OfflineForge
from app.services.langfuse.mock_client import MockLangfuse
from app.services.pipeline import Hands
from app.services.pipeline.client import LocalPipeline
from app.services.runner import Delivery
from app.services.runner.client import TicketRunner
from app.services.store.mock_client import MockStore
from app.services.tracker.base import Tracker
from app.services.tracker.null_client import NoTracker
from tests.services.pipeline.scripted_claude import IMPLEMENT, REVIEW, ScriptedClaude
from tests.surroundings import no_sandbox

AnyGitHub = TypeVar("AnyGitHub", bound=MockGitHub)

LIMIT_S = 20.0
BRANCH = "ticket/proj-1"
MODELS = {"claude-sonnet-4-6": "Sonnet 4.6", "claude-opus-4-8": "Opus 4.8"}
TICKET = Ticket(key="PROJ-1", summary="Add dark mode", description="On every page.", url="https://jira.test/PROJ-1")
NO_NAME = Delivery()
ALL_GATES = PipelineOptions(review=True, lint=True, tests=True)
FILES = {
    "README.md": "# Widgets\n",
    "theme.txt": "light\n",
    "CLAUDE.md": "Themes live in theme.txt.\n",
    "AGENTS.md": "Keep it short.\n",
    "WORKFLOW.md": "---\nlint: make lint\ntest: make test\n---\n",
}


class World:
    """Everything that outlives a runner. Parts may be replaced before `start`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = MockStore()
        self.claude = ScriptedClaude(
            {
                IMPLEMENT: Answer(text="I added dark.", files={"theme.txt": "light\ndark\n"}),
                REVIEW: Answer(text="HAS_ISSUES: false\nFINDINGS:\n"),
            }
        )
        self.forge = OfflineForge()
        self.github = MockGitHub(root, FILES, forge=self.forge)
        self.others: tuple[MockGitHub, ...] = ()
        self.tracker: Tracker = NoTracker()
        self.checks = MockChecks()
        self.langfuse = MockLangfuse()
        self.gateway = MockGateway()
        self.journal = Journal()
        self.options = ALL_GATES
        self.stall_s = 600.0
        self._runner: TicketRunner | None = None
        self._database: MockStore | None = None
        self._message_ids = map("message-{}".format, itertools.count(1))

    @property
    def runner(self) -> TicketRunner:
        """The runner that works now."""
        assert self._runner is not None
        return self._runner

    @property
    def worktree(self) -> Path:
        """Where the ticket is worked on."""
        return self.root / "worktrees" / BRANCH

    async def start(self, *, concurrency: int = 4) -> None:
        """Another process: a new engine and a new runner."""
        hands = Hands(
            store=self.store,
            sandbox=no_sandbox(self.root),
            gateway=self.gateway,
            claude_code=self.claude,
            repositories=MockRepositories(self.github, *self.others),
            checks=self.checks,
            langfuse=self.langfuse,
            stall_s=self.stall_s,
        )
        engine = MockEngine(concurrency=concurrency, journal=self.journal)
        self._runner = TicketRunner(
            hands=hands,
            engine=engine,
            pipeline=LocalPipeline(hands=hands, look_after_s=0),
            tracker=self.tracker,
            options=self.options,
            models=MODELS,
        )
        await self._runner.start()

    def lose_machine(self) -> None:
        """Its disks are gone; the next process is on another machine, with the same database and the same forge."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root = self.root.with_name(f"{self.root.name}-next")
        self.github = self.github.on_another_machine(self.root)
        self._database = self._database or self.store  # whose tables end with it
        self.store = MockStore(beside=self._database, shared=True)

    async def stop(self) -> None:
        """The process ends."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.stop()

    async def submit(
        self, ticket: Ticket = TICKET, *, delivery: Delivery = NO_NAME, options: PipelineOptions | None = None
    ) -> Receipt:
        """What a webhook does."""
        return await self.runner.handle_ticket(ticket, trigger=Trigger.WEBHOOK, delivery=delivery, options=options)

    async def work(self, ticket: Ticket = TICKET, *, options: PipelineOptions | None = None) -> Run:
        """A run of the ticket, ended."""
        if self._runner is None:
            await self.start()
        receipt = await self.submit(ticket, options=options)
        assert receipt.status == "accepted", receipt
        assert receipt.run_id is not None
        return await self.ended(receipt.run_id)

    async def say(self, text: str = "", *, mode: RunMode = RunMode.EDITS, by: str = "Ada", **asked: Any) -> Receipt:
        """What a person does; the ticket and the service are there from the first message on."""
        if self._runner is None:
            await self.start()
        await self.store.keep_ticket(TICKET)
        request = Request(mode=mode, text=text, by=by, **asked)
        return await self.runner.send(TICKET.key, request, message_id=next(self._message_ids))

    async def turn(self, text: str = "", *, mode: RunMode = RunMode.EDITS, by: str = "Ada", **asked: Any) -> Run:
        """A person's turn, up to its end or to a question."""
        receipt = await self.say(text, mode=mode, by=by, **asked)
        assert receipt.status == "accepted", receipt
        return await self.settled(receipt)

    async def settled(self, receipt: Receipt) -> Run:
        """The run once it has ended, or waits for people."""
        assert receipt.run_id is not None
        async with asyncio.timeout(LIMIT_S):
            while not has_settled(run := await self.store.run(receipt.run_id)):  # noqa: ASYNC110 - see `quiet`
                await asyncio.sleep(0)
        return run

    async def begun(self) -> None:
        """The turn that is held has begun."""
        async with asyncio.timeout(LIMIT_S):
            await self.claude.begun.wait()

    async def conversation(self) -> Conversation:
        """That of the ticket."""
        return await self.store.conversation(TICKET.key)

    async def newest(self) -> Run:
        """The newest run of the ticket, ended or waiting."""
        run = (await self.conversation()).run
        return await self.settled(Receipt(status="accepted", run_id=run.id))

    async def quiet(self) -> None:
        """Nobody works, and nothing that could be worked on waits."""
        async with asyncio.timeout(LIMIT_S):
            while self.journal.unfinished:  # noqa: ASYNC110 - the journal tells nobody
                await asyncio.sleep(0)

    async def runs(self) -> list[Run]:
        """Those of the ticket, oldest first."""
        return list(reversed((await self.store.runs(RunFilter(ticket=TICKET.key))).runs))

    def add_repository(self, name: str, kind: type[AnyGitHub]) -> AnyGitHub:
        """One more that can be chosen, with the same files."""
        made = kind(self.root / name, FILES, name=name, forge=self.forge)
        self.others = (*self.others, made)
        return made

    def choices(self) -> tuple[RepositoryChoice, ...]:
        """All repositories, to be worked on together."""
        return tuple(RepositoryChoice(name=each.name, base="main") for each in (self.github, *self.others))

    def worktree_of(self, github: MockGitHub) -> Path:
        """Where the ticket is worked on in one of them."""
        return self.worktree if github is self.github else self.root / github.name / "worktrees" / BRANCH

    async def ended(self, run_id: str) -> Run:
        """The run once it has ended."""
        async with asyncio.timeout(LIMIT_S), aclosing(self.store.follow(run_id)) as events:  # type: ignore[type-var]
            async for _ in events:
                pass
        return await self.store.run(run_id)

    async def events(self, run_id: str, kind: EventKind | None = None) -> list[Event]:
        """Events of the run, of one kind or all."""
        events = await self.store.events(run_id, limit=10_000)
        return [event for event in events if kind in {None, event.kind}]


def has_settled(run: Run) -> bool:
    """Nothing more happens in the run unless people say something."""
    return has_ended(run.status) or run.status is RunStatus.NEEDS_INPUT


def stages_of(run: Run) -> dict[str, str]:
    """How each stage of the run stands."""
    return {stage.name: stage.status for stage in run.stages}


def rounds_of(run: Run) -> dict[str, tuple[str, int]]:
    """How each stage of the run stands, and how many fixes it needed."""
    return {stage.name: (stage.status, stage.rounds) for stage in run.stages}
