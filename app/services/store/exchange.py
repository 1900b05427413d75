"""Tells the other processes on one Postgres what happens here, and hears what happens there.

Of what is stored they are told that it is there, and read it. A text that is being written travels itself, in pieces.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import sqlalchemy as sa
from pydantic import ValidationError

from app.database import KEEPALIVES
from app.logger import get_logger
from app.services.store.notices import CHANNEL, NOTICE, Heard, News, Notice, Told
from app.services.store.signals import Signals

LOOK_EVERY_S = 5.0
"""How soon is seen what was not told: because a process ended between storing and telling it, or is away."""

_FIRST_S = 5.0
_AGAIN_S = 0.5
_TELL_EVERY_S = 0.02
_WRITE_EVERY_S = 0.15
_TELL = f"SELECT pg_notify('{CHANNEL}', notice) FROM unnest(%s::text[]) AS notice"  # noqa: S608

_log = get_logger(__name__)
_Connection = psycopg.AsyncConnection[Any]


class Exchange:
    """A connection that listens and one that tells, from `start` to `stop`. Both come back by themselves.

    What is stored is told after its commit and not within it. Postgres commits one telling transaction after the other,
    each with its wait for the disk: twelve writers stored half as much a second. A telling transaction of its own need
    not wait for the disk, and tells of all that was stored meanwhile. What is rolled back is never told of.

    After a gap everything is looked at, since nobody knows what was told meanwhile.
    """

    def __init__(self, *, engine: sa.Engine, signals: Signals) -> None:
        self._engine = engine
        self._signals = signals
        self._heard = Heard()
        self._told = Told()
        self._own: int | None = None
        self._news: dict[str, bool] = {}
        self._writing: dict[str, str] = {}
        self._due = asyncio.Event()
        self._listens = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Listen and tell from now on. Returns when it listens, or, where that takes long, before."""
        uses = self._listen, self._tell
        self._tasks = tuple(asyncio.create_task(self._connected(use)) for use in uses)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_S):
                await self._listens.wait()

    async def stop(self) -> None:
        """Listen and tell no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell(self, ticket: str, *, listed: bool) -> None:
        """Let the others look at the conversation, and with `listed` at the list of conversations."""
        self._news[ticket] = listed or self._news.get(ticket, False)
        self._due.set()

    def write(self, ticket: str, text: str) -> None:
        """Let the others see the text that is being written; empty when nothing is any more."""
        self._writing[ticket] = text.encode(errors="replace").decode()  # halves of surrogate pairs do not travel
        self._due.set()

    async def _connected(self, use: Callable[[_Connection], Awaitable[None]]) -> None:
        _, known = self._engine.dialect.create_connect_args(self._engine.url)
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    autocommit=True, **{**KEEPALIVES, **known}
                ) as connection:
                    await use(connection)
            except psycopg.OperationalError as error:
                _log.warning("live events interrupted", error=str(error).partition("\n")[0])
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self, connection: _Connection) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        self._signals.look_anew()
        self._listens.set()
        async for told in connection.notifies():
            if told.pid != self._own:  # followers in this process know already
                self._hear(told.payload)

    def _hear(self, payload: str) -> None:
        try:
            notice = NOTICE.validate_json(payload)
        except ValidationError:
            return  # from another version, whose events are found by looking
        if isinstance(notice, News):
            self._signals.wake(notice.ticket)
            if notice.listed:
                self._signals.wake_all()
        elif (text := self._heard.take(notice)) is not None:
            self._signals.write(notice.ticket, text, elsewhere=True)

    async def _tell(self, connection: _Connection) -> None:
        self._own, write_at = connection.info.backend_pid, 0.0
        await connection.execute("SET synchronous_commit TO OFF")
        self._told.begin_anew()
        self._due.set()
        while True:
            await self._due.wait()
            self._due.clear()
            news, self._news = self._news, {}
            writing: dict[str, str] = {}
            if time.monotonic() >= write_at:
                writing, self._writing = self._writing, {}
                write_at = time.monotonic() + _WRITE_EVERY_S
            try:
                await self._tell_once(connection, news, writing)
            except psycopg.OperationalError:
                self._news, self._writing = news | self._news, writing | self._writing
                raise
            await asyncio.sleep(_TELL_EVERY_S)  # what comes meanwhile is told together
            if self._writing:
                self._due.set()

    async def _tell_once(self, connection: _Connection, news: dict[str, bool], writing: dict[str, str]) -> None:
        notices: list[Notice] = [News(ticket=ticket, listed=listed) for ticket, listed in news.items()]
        for ticket, text in writing.items():
            notices += self._told.pieces(ticket, text)
        if notices:
            await connection.execute(_TELL, [[notice.model_dump_json() for notice in notices]])
        for ticket, text in writing.items():
            self._told.heard(ticket, text)
