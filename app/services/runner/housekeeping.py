"""What is done at night: worktrees, sessions and rows that nobody needs any more go, and git packs what has piled up.

It takes nothing that is nowhere else (unpushed work is saved first), touches no conversation that has an active run,
and goes in small pieces, so that runs and pages do not feel it. Each piece fails alone. Every worker cleans its own
disk; the rows are everybody's, and to forget them twice does nothing.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.config import Settings
from app.domain import nights
from app.domain.naming import key_of_branch
from app.domain.run_state import ACTIVE
from app.errors import AutoCodeError, NotFound
from app.logger import get_logger
from app.models import Model
from app.results import Workspace
from app.services.github.base import GitHub
from app.services.runner.estate import Estate
from app.services.runner.strays import stray_sessions

_log = get_logger(__name__)

_LOOK_EVERY_S = 300.0
"""A laptop sleeps and clocks are set: the time is looked at again and again, instead of slept for."""
_PAUSE_S = 0.2
"""Between two pieces, for everybody else."""


class Ages(Model):
    """After how long things of a conversation that has ended go."""

    worktrees: timedelta
    events: timedelta
    transcripts: timedelta

    @classmethod
    def of(cls, settings: Settings) -> "Ages":
        """As the settings have them."""
        return cls(
            worktrees=timedelta(days=settings.worktree_ttl_days),
            events=timedelta(days=settings.events_ttl_days),
            transcripts=timedelta(days=settings.transcripts_ttl_days),
        )


class Housekeeping:
    """Cleans up in the nights; soon after a start, where a night was missed. WORKSPACE_DIR keeps when it last did."""

    def __init__(self, estate: Estate, *, ages: Ages, pause_s: float = _PAUSE_S) -> None:
        self._store = estate.store
        self._repositories = estate.repositories
        self._claude_code = estate.claude_code
        self._engine = estate.engine
        self._leftovers = estate.leftovers
        self._ages = ages
        self._mark = estate.workspace / ".housekeeping"
        self._pause_s = pause_s

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Clean up night by night as long as the block lasts."""
        task = asyncio.create_task(self._nights())
        task.add_done_callback(_told)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def clean(self, now: datetime) -> None:
        """Do all of it once."""
        for name in self._repositories.names:
            await self._alone("worktrees", self._worktrees(self._repositories.of(name), now - self._ages.worktrees))
        await self._alone("sessions", self._sessions(now - self._ages.transcripts))
        await self._alone("rows", self._rows(now))
        for name in self._repositories.names:
            await self._alone("git", self._repositories.of(name).maintain())
        await self._alone("mark", asyncio.to_thread(_write, self._mark, now))

    async def _nights(self) -> None:
        share = random.random()  # noqa: S311 - spreads workers
        due = nights.first_due(datetime.now(UTC), last=await asyncio.to_thread(_read, self._mark), share=share)
        while True:
            left_s = (due - datetime.now(UTC)).total_seconds()
            if left_s > 0:
                await asyncio.sleep(min(left_s, _LOOK_EVERY_S))
                continue
            await self.clean(datetime.now(UTC))
            due = nights.next_due(datetime.now(UTC), share=share)

    async def _worktrees(self, github: GitHub, before: datetime) -> None:
        idle = {each.ticket for each in await self._store.idle_since(before)}
        for workspace in await github.worktrees():
            key = key_of_branch(workspace.branch)
            if key in idle and not await self._is_active(key):
                await self._alone("worktree", self._remove(github, workspace, key))
                await asyncio.sleep(self._pause_s)

    async def _remove(self, github: GitHub, workspace: Workspace, key: str) -> None:
        saved = await github.remove(workspace)
        facts = {"ticket": key, "repository": workspace.repository}
        _log.info("worktree removed", **facts, saved=None if saved is None else str(saved))

    async def _sessions(self, before: datetime) -> None:
        here = set(await self._claude_code.sessions())
        for idle in await self._store.idle_since(before):
            if idle.session_id in here and not await self._is_active(idle.ticket):
                await self._alone("session", self._forget(idle.session_id, ticket=idle.ticket))
                await asyncio.sleep(self._pause_s)
        if self._leftovers.can_look:
            for session_id in await self._strays():
                await self._alone("session", self._forget(session_id))
                await asyncio.sleep(self._pause_s)

    async def _strays(self) -> tuple[str, ...]:
        return await stray_sessions(store=self._store, claude_code=self._claude_code, leftovers=self._leftovers)

    async def _forget(self, session_id: str, **facts: str) -> None:
        await self._claude_code.forget(session_id)
        _log.info("session removed", session=session_id, **facts)

    async def _rows(self, now: datetime) -> None:
        transcripts_before = now - self._ages.transcripts
        pruned = await self._store.prune(
            events_before=now - self._ages.events,
            transcripts_before=transcripts_before,
            deliveries_before=now - self._ages.events,
        )
        works = await self._engine.forget(transcripts_before)
        _log.info("rows forgotten", **pruned.model_dump(), works=works)

    async def _is_active(self, key: str) -> bool:
        """Looked at again right before something goes: somebody may have written meanwhile."""
        try:
            return (await self._store.conversation(key)).run.status in ACTIVE
        except NotFound:
            return False

    async def _alone(self, what: str, piece: Awaitable[None]) -> None:
        """Do a piece; what goes wrong in it is told, and the next one is done all the same."""
        try:
            await piece
        except (AutoCodeError, OSError) as error:
            _log.warning("housekeeping failed", what=what, error=str(error))


def _told(task: asyncio.Task[None]) -> None:
    """Nobody awaits the nights: what breaks them is said when it does."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("housekeeping broke", exc_info=error)


def _read(mark: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(mark.read_text())
    except (OSError, ValueError):
        return None


def _write(mark: Path, now: datetime) -> None:
    mark.write_text(now.isoformat())
