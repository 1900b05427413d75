"""What a stage may touch: the run, its durable steps, and the hands."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from app.errors import WorkFailed
from app.models import EventKind, Job, StageName, StageStatus
from app.results import Changes, Turn, Workspace
from app.services.checks.base import Checks
from app.services.claude_code.base import ClaudeCode, Prompt, SessionRef
from app.services.engine.base import Steps
from app.services.github.base import GitHub
from app.services.langfuse.base import Langfuse
from app.services.store.base import Store

_TURNS = uuid.UUID("5f0c2a53-6d0e-4f0b-9a55-1c8a6a0f7e11")
"""Namespace of prompts' ids, which follow from the run and the turn."""


@dataclass(frozen=True, kw_only=True)
class Hands:
    """Everything outside that the pipeline touches."""

    store: Store
    claude_code: ClaudeCode
    github: GitHub
    checks: Checks
    langfuse: Langfuse


@dataclass
class StageEnd:
    """How the stage will be said to have ended. Stages set it as they learn it."""

    status: StageStatus = StageStatus.PASSED
    summary: str = ""
    rounds: int = 0


@dataclass(kw_only=True)
class Context:
    """One execution of one run."""

    job: Job
    steps: Steps
    hands: Hands
    warming: asyncio.Task[None] | None = field(default=None)

    @asynccontextmanager
    async def stage(self, name: StageName) -> AsyncIterator[StageEnd]:
        """Say that a stage begins, and how it ended. A stage that was said before a crash is not said again."""
        await self.hands.store.stage_started(self.job.run_id, name)
        end = StageEnd()
        try:
            yield end
        except WorkFailed as error:
            await self.end_stage(name, StageEnd(StageStatus.FAILED, error.message))
            raise
        await self.end_stage(name, end)

    async def end_stage(self, name: StageName, end: StageEnd, *, visit: int = 1) -> None:
        """Say how a visit of a stage ended."""
        await self.hands.store.stage_ended(
            self.job.run_id, name, end.status, visit=visit, rounds=end.rounds, summary=end.summary
        )

    async def emit(self, kind: EventKind, payload: Mapping[str, Any]) -> None:
        """Tell an event of the run."""
        await self.hands.store.append(self.job.run_id, kind, payload)

    async def author_turn(self, name: str, session: SessionRef, prompt: Callable[[], Awaitable[str]]) -> Turn:
        """One turn of the author: a durable step, asked once however often its process dies."""

        async def ask(asked: Prompt) -> Turn:
            return await self.hands.claude_code.run_implementation(session, asked, self.emit)

        return await self._turn(name, "author", prompt, ask)

    async def reviewer_turn(
        self, name: str, session: SessionRef, prompt: Callable[[], Awaitable[str]], *, beside: str
    ) -> Turn:
        """One turn of a reviewer, likewise."""

        async def ask(asked: Prompt) -> Turn:
            return await self.hands.claude_code.run_code_review(session, asked, self.emit, beside=beside)

        return await self._turn(name, "reviewer", prompt, ask)

    async def changes(self, name: str, workspace: Workspace) -> Changes:
        """What the workspace holds by now, recorded under `name`."""
        return await self.steps.run(name, lambda: self.hands.github.changes(workspace), Changes)

    def id_of(self, name: str) -> str:
        """A UUID that follows from the run and `name`."""
        return str(uuid.uuid5(_TURNS, f"{self.job.run_id}/{name}"))

    async def _turn(
        self, name: str, role: str, prompt: Callable[[], Awaitable[str]], ask: Callable[[Prompt], Awaitable[Turn]]
    ) -> Turn:
        async def body() -> Turn:
            store, run_id = self.hands.store, self.job.run_id
            if (finished := await store.turn(run_id, name)) is not None:
                return finished
            text = await prompt()
            started = {"turn": name, "role": role, "prompt": text}
            await store.append(run_id, EventKind.TURN_STARTED, started, once=f"turn:{name}")
            end = self.hands.langfuse.begin_turn(self.job, name, text)
            turn = await store.record_turn(run_id, name, await ask(Prompt(id=self.id_of(name), text=text)))
            end(turn)
            return turn

        return await self.steps.run(f"turn {name}", body, Turn)
