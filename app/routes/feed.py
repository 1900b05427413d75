"""What one open page is told: the fragments that follow from each event, and those that show how things stand.

The database is the buffer: a feed reads on when its reader has taken what came before, so that a slow reader only sees
things later. Nothing here is kept between connections but the reader's place, which the reader knows.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import anyio
from sse_starlette import ServerSentEvent

from app.errors import AutoCodeError
from app.models import ConversationFilter, Event, EventKind, PipelineOptions, RepositoryChanges
from app.services.runner import Runner
from app.web.presenters.conversation import parts
from app.web.presenters.fragments import Fragment
from app.web.presenters.home import waiting
from app.web.presenters.pages import changes_fragment
from app.web.presenters.shell import side_list
from app.web.presenters.thread import Thread
from app.web.rendering import Rendering

_AT_ONCE = 25
"""Events that are drawn before others get their turn: some 10 ms."""

_PAGE = 200
_STATE_EVERY_S = 0.25
_LOOK_AGAIN_S = 60.0
"""How often a reader must still be welcome."""

_CHANGING = frozenset({EventKind.CHANGES_UPDATED, EventKind.PULL_REQUEST})


class Feed:
    """The news of the list of conversations, and with `thread` those of the one with that `key`."""

    def __init__(
        self,
        *,
        runner: Runner,
        rendering: Rendering,
        options: PipelineOptions,
        key: str | None = None,
        thread: Thread | None = None,
    ) -> None:
        self._runner = runner
        self._rendering = rendering
        self._options = options
        self._key = key
        self._thread = thread
        self._changes: Sequence[RepositoryChanges] = ()
        self._sent: dict[str, str] = {}
        self._writing: str | None = None
        # What the page may have missed: how its conversation stands, its changes, and the list.
        self._stale, self._stale_changes, self._stale_list = thread is not None, False, True

    async def catch_up(self, begin: int, after: int) -> int:
        """Take in the events from `begin` up to `after`, which the page shows already. Returns the last one's number."""
        seen = begin - 1
        while self._thread is not None and self._key is not None and seen < after:
            events = await self._runner.since(self._key, after=seen, limit=min(_PAGE, after - seen))
            if not events:
                break
            for event in events:
                self._thread.apply(event)
            seen = events[-1].seq
            await asyncio.sleep(0)
        return seen

    async def replay(self, after: int) -> AsyncIterator[bytes]:
        """What there is above `after`, and how things stand."""
        while self._key is not None and (
            events := await self._runner.since(self._key, after=after, limit=_PAGE)
        ):
            after = events[-1].seq
            async for piece in self._drawn(events):
                yield piece
        async for piece in self._state():
            yield piece

    async def follow(self, after: int, *, welcome: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
        """What there is above `after`, and what comes. Ends when `welcome`, asked now and then, raises an error of ours,
        or when there is nothing to read from; the reader comes again.
        """
        updates = self._runner.watch(self._key, after=after)
        coming: asyncio.Future[object] | None = None
        state_at, look_at = 0.0, time.monotonic() + _LOOK_AGAIN_S
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(updates))
                await asyncio.wait({coming}, timeout=max(0.0, state_at - time.monotonic()) if self._is_stale else None)
                if coming.done():
                    update, coming = coming.result(), None
                    async for piece in self._told(update):
                        yield piece
                if self._is_stale and time.monotonic() >= state_at:
                    async for piece in self._state():
                        yield piece
                    state_at = time.monotonic() + _STATE_EVERY_S
                if time.monotonic() >= look_at:
                    await welcome()
                    look_at = time.monotonic() + _LOOK_AGAIN_S
        except AutoCodeError:
            return
        finally:
            if coming is not None:
                coming.cancel()
