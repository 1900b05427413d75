"""What a stage may touch: the run, its durable steps, and the hands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app import metrics
from app.domain.naming import id_in_run
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
from app.services.pipeline import stalls
from app.services.pipeline.stalls import Progress, Stalled, with_progress
from app.services.store.base import Store

T = TypeVar("T")

_LAST_KEEP_S = 3.0
"""A process that ends does not wait longer for what it would save of a turn."""

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
    stall_s: float = 600.0
    """After how many seconds in which nothing happens a turn is interrupted, and resumed once."""
    redact: Redact = Redactor({}).redact
    """Takes secrets out of what is posted; alone, it knows the shapes of credentials."""


async def _nothing_to_keep() -> None:
    """There is no worktree yet, or none that leaves this machine."""


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
    progress: Progress = field(default_factory=Progress)
    """Of the turn that is asked."""
    on_event: Callable[[EventKind, Mapping[str, Any]], None] = field(default=lambda _kind, _payload: None)
    """Hears what happens in the author's turns, beside the store."""
    keep: Callable[[], Awaitable[None]] = _nothing_to_keep
    """Saves beyond this machine what the worktrees hold. Awaited at the end of each turn of the author, before the turn
    is recorded."""

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
        with self.progress.told(kind, payload):
            await self._tell(kind, payload)

    async def _tell(self, kind: EventKind, payload: Mapping[str, Any]) -> None:
        store, run_id = self.hands.store, self.job.run_id
        if kind is EventKind.WRITING:
            if payload["text"]:
                await store.whisper(run_id, payload["text"])
            return
        await store.append(run_id, kind, payload)
        if kind is EventKind.TURN_RESUMED:
            metrics.retries.labels("turn").inc()
        if kind is EventKind.TEXT and "parent" not in payload:
            await store.whisper(run_id, "")
        self.on_event(kind, payload)

    async def author_turn(self, name: str, session: SessionRef, words: Words) -> Turn:
        """One turn of the author by itself: a durable step, asked once however often its process dies."""

        async def ask(session: SessionRef, prompt: Prompt) -> Turn:
            return await self.hands.claude_code.run_turn(
                session, prompt, self.emit, permission=Permission.ALONE, model=self.job.request.model
            )

        return await self._turn(_Asking(name=name, role="author", session=session, ask=ask), words)

    async def persons_turn(
        self, name: str, session: SessionRef, words: Words, permission: Permission, *, news: str
    ) -> Turn:
        """One turn of the author for a person, who may be asked; or its rest, after people answered.

        `words` hold the `news` too; an answer that is given in place of a prompt takes them along.
        """

        async def ask(session: SessionRef, prompt: Prompt) -> Turn:
            return await self.hands.claude_code.run_turn(
                session, self._asked(prompt, news), self.emit, permission=permission, model=self.job.request.model
            )

        return await self._turn(_Asking(name=name, role="author", session=session, ask=ask), words)

    async def reviewer_turn(self, name: str, session: SessionRef, words: Words, *, beside: str) -> Turn:
        """One turn of a reviewer, likewise."""

        async def ask(session: SessionRef, prompt: Prompt) -> Turn:
            return await self.hands.claude_code.run_code_review(session, prompt, self.emit, beside=beside)

        return await self._turn(_Asking(name=name, role="reviewer", session=session, ask=ask), words)

    async def guard(self) -> None:
        """Return while the run is this worker's. Raises ClaimLost: whoever has it by now writes at the forge."""
        await self.hands.store.check_claim(self.job.run_id)

    def id_of(self, name: str) -> str:
        """A UUID that follows from the run and `name`."""
        return id_in_run(self.job.run_id, name)

    def _asked(self, prompt: Prompt, news: str) -> Prompt | Reply:
        decision = self.job.decision
        if decision is None or decision.answer is None:
            return prompt
        return Reply(question=decision.question, answer=decision.answer, prompt=prompt, news=news)

    async def _turn(self, asking: "_Asking", words: Words) -> Turn:
        async def body() -> Turn:
            store, run_id, name = self.hands.store, self.job.run_id, asking.name
            if (finished := await store.turn(run_id, name)) is not None:
                return finished
            text = await words()
            started = {"turn": name, "role": asking.role, "prompt": text}
            await store.append(run_id, EventKind.TURN_STARTED, started, once=f"turn:{name}")
            end = self.hands.langfuse.begin_turn(self.job, name, text)
            try:
                asked = await self._watched(asking, Prompt(id=self.id_of(name), text=text))
            except asyncio.CancelledError:
                if asking.role == "author":
                    await self._keep_in_time()
                raise
            finally:
                await store.whisper(run_id, "")
            if asking.role == "author":
                await self.keep()
            turn = await store.record_turn(run_id, name, asked)
            end(turn)
            return turn

        return await self.steps.run(f"turn {asking.name}", body, Turn)

    async def _keep_in_time(self) -> None:
        """Save what a turn has done that is cut off, such as by the end of this process: another may go on with it."""
        keeping = asyncio.ensure_future(self.keep())
        await asyncio.wait({keeping}, timeout=_LAST_KEEP_S)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    async def _watched(self, asking: "_Asking", prompt: Prompt) -> Turn:
        """Ask; once more where nothing happened any more, and then no more."""
        limit_s, claude_code = self.hands.stall_s, self.hands.claude_code

        async def once(session: SessionRef) -> Turn:
            try:
                return await with_progress(
                    asking.ask(session, prompt),
                    self.progress,
                    limit_s=limit_s,
                    is_waiting=lambda: claude_code.waits(session.id),
                )
            except Stalled:
                await claude_code.close(session.id)  # with whatever hangs there
                raise

        try:
            return await once(asking.session)
        except Stalled:
            why = stalls.reason(self.progress, limit_s)
            told = {"turn": asking.name, "role": asking.role, "reason": why}
            await self.emit(EventKind.TURN_RESUMED, told)
        try:  # of its files the session was told by now what there is to tell
            return await once(asking.session.model_copy(update={"restored": False}))
        except Stalled as stalled:
            raise stalls.gave_up(self.progress, limit_s) from stalled


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """A turn that is to be asked of a session."""

    name: str
    role: str
    session: SessionRef
    ask: Callable[[SessionRef, Prompt], Awaitable[Turn]]


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """What they give, in their order. All are waited for when one fails: no work may outlive the step that it is of."""
    found = await asyncio.gather(*works, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return tuple(each for each in found if not isinstance(each, BaseException))
