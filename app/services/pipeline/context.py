"""What a stage may touch: the run, its durable steps, and the hands."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.domain.posting import Redact
from app.domain.redaction import Redactor
from app.errors import WorkFailed
from app.models import EventKind, Job, StageName, StageStatus
from app.results import Turn
from app.sandbox import Sandbox
from app.services.checks.base import Checks
from app.services.claude_code.base import ClaudeCode, Permission, Prompt, Reply, SessionRef
from app.services.engine.base import Steps
from app.services.gateway.base import Gateway
from app.services.github.base import Repositories
from app.services.langfuse.base import Langfuse
from app.services.store.base import Store

T = TypeVar("T")

_TURNS = uuid.UUID("5f0c2a53-6d0e-4f0b-9a55-1c8a6a0f7e11")
"""Namespace of prompts' ids, which follow from the run and the turn."""

Words = Callable[[], Awaitable[str]]
"""Builds a prompt. Called only when it is asked, not on a replay."""


@dataclass(frozen=True, kw_only=True)
class Hands:
    """Everything outside that the pipeline touches."""

    store: Store
    sandbox: Sandbox
    gateway: Gateway
    claude_code: ClaudeCode
    repositories: Repositories
    checks: Checks
    langfuse: Langfuse
    redact: Redact = Redactor({}).redact
    """Takes secrets out of what is posted; alone, it knows the shapes of credentials."""


@dataclass
class StageEnd:
    """How the stage will be said to have ended, as stages learn it. One that waits for people ends later."""

    status: StageStatus = StageStatus.PASSED
    summary: str = ""
    rounds: int = 0
    waits: bool = False

    def follow(self, turn: Turn) -> None:
        """End as the author's turn did, saying what it took."""
        self.summary = f"{turn.turns} turns, ${turn.cost_usd:.2f}"
        if not turn.finished:
            self.status, self.summary = StageStatus.WARNED, f"{self.summary}; cut at the limit of turns"


@dataclass(kw_only=True)
class Context:
    """One execution of one leg of a run."""

    job: Job
    steps: Steps
    hands: Hands
    look_after_s: float = 0.0
    """How long after an edit of the author people see it: edits come in groups."""
    session_id: str | None = None
    """The author's, once it is known; it may have a process from then on."""
    warming: asyncio.Task[None] | None = None
    parked_for: str = ""
    """Why the run does not begin, as people were told."""
    on_event: Callable[[EventKind, Mapping[str, Any]], None] = field(default=lambda _kind, _payload: None)
    """Hears what happens in the author's turns, beside the store."""

    @asynccontextmanager
    async def stage(self, name: StageName) -> AsyncIterator[StageEnd]:
        """Say that a stage begins, and how it ended. A stage that was said before a crash is not said again."""
        await self.hands.store.stage_started(self.job.run_id, name, visit=self.job.leg)
        end = StageEnd()
        try:
            yield end
        except WorkFailed as error:
            await self.end_stage(name, StageEnd(StageStatus.FAILED, error.message), visit=self.job.leg)
            raise
        if not end.waits:
            await self.end_stage(name, end, visit=self.job.leg)

    async def end_stage(self, name: StageName, end: StageEnd, *, visit: int = 1) -> None:
        """Say how a visit of a stage ended."""
        await self.hands.store.stage_ended(
            self.job.run_id, name, end.status, visit=visit, rounds=end.rounds, summary=end.summary
        )

    async def close(self) -> None:
        """End what could still work for the run. The author's session stays resumable."""
        if self.warming is not None:
            self.warming.cancel()
        if self.session_id is not None:
            await self.hands.claude_code.close(self.session_id)

    async def emit(self, kind: EventKind, payload: Mapping[str, Any]) -> None:
        """Tell an event of the run; what is only of the moment is not kept."""
        store, run_id = self.hands.store, self.job.run_id
        if kind is EventKind.WRITING:
            await store.whisper(run_id, payload["text"])
            return
        await store.append(run_id, kind, payload)
        if kind is EventKind.TEXT and "parent" not in payload:
            await store.whisper(run_id, "")
        self.on_event(kind, payload)

    async def author_turn(self, name: str, session: SessionRef, words: Words) -> Turn:
        """One turn of the author by itself: a durable step, asked once however often its process dies."""

        async def ask(prompt: Prompt) -> Turn:
            return await self.hands.claude_code.run_turn(
                session, prompt, self.emit, permission=Permission.ALONE, model=self.job.request.model
            )

        return await self._turn(name, "author", words, ask)

    async def persons_turn(
        self, name: str, session: SessionRef, words: Words, permission: Permission, *, news: str
    ) -> Turn:
        """One turn of the author for a person, who may be asked; or its rest, after people answered.

        `words` hold the `news` too; an answer that is given in place of a prompt takes them along.
        """

        async def ask(prompt: Prompt) -> Turn:
            return await self.hands.claude_code.run_turn(
                session, self._asked(prompt, news), self.emit, permission=permission, model=self.job.request.model
            )

        return await self._turn(name, "author", words, ask)

    async def reviewer_turn(self, name: str, session: SessionRef, words: Words, *, beside: str) -> Turn:
        """One turn of a reviewer, likewise."""

        async def ask(prompt: Prompt) -> Turn:
            return await self.hands.claude_code.run_code_review(session, prompt, self.emit, beside=beside)

        return await self._turn(name, "reviewer", words, ask)

    def id_of(self, name: str) -> str:
        """A UUID that follows from the run and `name`."""
        return str(uuid.uuid5(_TURNS, f"{self.job.run_id}/{name}"))

    def _asked(self, prompt: Prompt, news: str) -> Prompt | Reply:
        decision = self.job.decision
        if decision is None or decision.answer is None:
            return prompt
        return Reply(question=decision.question, answer=decision.answer, prompt=prompt, news=news)

    async def _turn(self, name: str, role: str, words: Words, ask: Callable[[Prompt], Awaitable[Turn]]) -> Turn:
        async def body() -> Turn:
            store, run_id = self.hands.store, self.job.run_id
            if (finished := await store.turn(run_id, name)) is not None:
                return finished
            text = await words()
            started = {"turn": name, "role": role, "prompt": text}
            await store.append(run_id, EventKind.TURN_STARTED, started, once=f"turn:{name}")
            end = self.hands.langfuse.begin_turn(self.job, name, text)
            try:
                asked = await ask(Prompt(id=self.id_of(name), text=text))
            finally:
                await store.whisper(run_id, "")
            turn = await store.record_turn(run_id, name, asked)
            end(turn)
            return turn

        return await self.steps.run(f"turn {name}", body, Turn)


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """What they give, in their order. All are waited for when one fails: no work may outlive the step that it is of."""
    found = await asyncio.gather(*works, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return tuple(each for each in found if not isinstance(each, BaseException))
