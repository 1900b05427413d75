"""How the store's statements are run: as transactions that wait, or not, and that carry a worker's claim on its run."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TypeVar

import sqlalchemy as sa

from app.domain.redaction import Redactor
from app.errors import StoreUnavailable
from app.models import Event
from app.services.store import events, fences, rows
from app.services.store.payloads import Intake
from app.services.store.signals import Signals

T = TypeVar("T")

Body = Callable[[sa.Connection], T]
"""What a transaction does."""

_TRY_AGAIN_S = 0.5

LOOK_ALONE_EVERY_S = 1.0
"""How soon is seen what another process wrote, where none tells the others."""

_working: ContextVar[bool] = ContextVar("working", default=False)
"""Whether this task, or the one that began it, works on a run."""


class Transactions(ABC):
    """Everything but where a transaction is run: `_transact` does that.

    What works on a run waits up to `patience_s` seconds for a database that is away, so that a restart of it fails no
    run. Who waits is known here alone: the tasks in which a run was taken and those that they began, and what asks to.
    """

    def __init__(
        self, *, redactor: Redactor | None = None, patience_s: float = 0.0, look_every_s: float = LOOK_ALONE_EVERY_S
    ) -> None:
        self._intake = Intake(redactor or Redactor({}))
        self._signals = Signals(self._newest, look_every_s=look_every_s)
        self._tickets: dict[str, str] = {}
        self._fences: dict[str, int] = {}
        self._patience_s = patience_s
        self._stopped = False

    async def _read(self, body: Body[T], *, patient: bool = False) -> T:
        """Run a transaction that only reads. Raises StoreUnavailable."""
        return await self._waiting(body, writes=False, patient=patient)

    async def _write(self, body: Body[T], *, patient: bool = False) -> T:
        """Run a transaction that may write. Raises StoreUnavailable."""
        return await self._waiting(body, writes=True, patient=patient)

    async def _work(self, run_id: str, body: Body[T]) -> T:
        """Write what is part of the work on a run. Raises ClaimLost when another worker has the run by now."""
        fence = self._fences.get(run_id)

        def claimed(connection: sa.Connection) -> T:
            if fence is not None:
                fences.check_locked(connection, run_id, fence)
            return body(connection)

        return await self._write(claimed, patient=True)

    async def _tell(self, run_id: str, body: Body[T], *, everywhere: bool = False) -> T:
        """Write what is part of the work on a run, and wake whoever follows its conversation."""
        ticket = await self._ticket_of(run_id)
        result = await self._work(run_id, body)
        self._news_of(ticket, everywhere=everywhere)
        return result

    async def _take(self, run_id: str, worker: str) -> None:
        _working.set(True)
        self._fences[run_id] = await self._write(lambda each: fences.take(each, run_id, worker), patient=True)

    def _news_of(self, ticket: str, *, everywhere: bool = True) -> None:
        self._signals.wake(ticket)
        if everywhere:
            self._signals.wake_all()
        self._told(ticket, everywhere)

    async def _newest(self, ticket: str, after: int, limit: int) -> Sequence[Event]:
        return await self._read(lambda connection: events.newest(connection, ticket, after, None, limit))

    def _told(self, ticket: str, everywhere: bool) -> None:  # noqa: B027
        """Wake those who follow in other processes, where there are any."""

    def _whispered(self, ticket: str, text: str) -> None:  # noqa: B027
        """Let them see the text that is being written."""

    async def _ticket_of(self, run_id: str, *, patient: bool = True) -> str:
        if run_id not in self._tickets:
            run = await self._read(lambda connection: rows.read_run(connection, run_id), patient=patient)
            self._tickets[run_id] = run.ticket
        return self._tickets[run_id]

    async def _waiting(self, body: Body[T], *, writes: bool, patient: bool) -> T:
        give_up = time.monotonic() + (self._patience_s if patient or _working.get() else 0.0)
        while True:
            try:
                return await self._transact(body, writes=writes)
            except StoreUnavailable:
                if self._stopped or time.monotonic() >= give_up:
                    raise
            await asyncio.sleep(_TRY_AGAIN_S)

    @abstractmethod
    async def _transact(self, body: Body[T], *, writes: bool) -> T:
        """Run a transaction once. Raises StoreUnavailable."""
