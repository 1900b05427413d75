"""What one open page is told: the fragments that follow from each event, and those that show how things stand.

The database is the buffer: a feed reads on when its reader has taken what came before, so that a slow reader only sees
things later. Nothing here is kept between connections but the reader's place, which the reader knows.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from anyio import to_thread
from sse_starlette import ServerSentEvent

from app.errors import AutoCodeError
from app.models import Event, EventKind, PipelineOptions, RepositoryChanges, RunFilter
from app.routes.listing import newest_and_waiting
from app.services.runner import Runner
from app.web.presenters.changes import changes_fragment
from app.web.presenters.conversation import parts
from app.web.presenters.fragments import Fragment
from app.web.presenters.home import waiting
from app.web.presenters.pages import details_fragment, plans_fragment
from app.web.presenters.shell import side_list
from app.web.presenters.thread import Thread
from app.web.rendering import Rendering

_AT_ONCE = 25
"""Events that are drawn before others get their turn: some 10 ms."""

_PAGE = 200
_STATE_EVERY_S = 0.25
MOST_TURNS = 200
"""Turns that a page lists."""

_LOOK_AGAIN_S = 60.0
"""How often a reader must still be welcome."""

Standing = Literal["list", "parts", "changes", "plans", "details"]
"""What a page shows of how things stand: all conversations, its own, and what is beside it."""

_BESIDE: dict[str, Standing] = {
    EventKind.CHANGES_UPDATED: "changes",
    EventKind.PULL_REQUEST: "changes",
    EventKind.PLAN_PROPOSED: "plans",
    EventKind.ANSWERED: "plans",
    EventKind.RUN_STATUS: "details",
    EventKind.TURN_ENDED: "details",
}
"""What an event changes beside the thread."""


class Feed:
    """The news of the list of conversations, and with `thread` those of the one with that `key`.

    Each `look_again_s` a follower is asked for again whether it is still welcome.
    """

    def __init__(
        self,
        *,
        runner: Runner,
        rendering: Rendering,
        options: PipelineOptions,
        key: str | None = None,
        thread: Thread | None = None,
        look_again_s: float = _LOOK_AGAIN_S,
    ) -> None:
        self._runner = runner
        self._rendering = rendering
        self._options = options
        self._key = key
        self._look_again_s = look_again_s
        self._thread = thread
        self._changes: Sequence[RepositoryChanges] | None = None
        self._writing: str | None = None
        self._shown: dict[str, str] = {}
        self._stale: set[Standing] = {"list"} if key is None else {"list", "parts"}

    async def catch_up(self, begin: int, after: int) -> None:
        """Take in the events from `begin` up to `after`, which the page shows already."""
        seen = begin - 1
        while self._thread is not None and self._key is not None and seen < after:
            events = await self._runner.since(self._key, after=seen, limit=min(_PAGE, after - seen))
            if not events:
                break
            for event in events:
                self._thread.apply(event)
            seen = events[-1].seq
            await asyncio.sleep(0)

    async def replay(self, after: int) -> AsyncIterator[bytes]:
        """What there is above `after`, and how things stand."""
        while self._key is not None:
            events = await self._runner.since(self._key, after=after, limit=_PAGE)
            if not events:
                break
            async for piece in self._news(events):
                yield piece
            after = events[-1].seq
        if (state := await self._state()) is not None:
            yield state

    async def follow(self, after: int, *, welcome: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
        """What there is above `after`, and what comes.

        It ends when `welcome`, which is asked now and then, raises an error of ours, and when the database is away:
        the reader comes again, and hears why.
        """
        updates = self._runner.watch(self._key, after=after)
        coming = asyncio.ensure_future(anext(updates))
        state_at, look_at = 0.0, time.monotonic() + self._look_again_s
        try:
            while True:
                await asyncio.wait({coming}, timeout=max(0.0, state_at - time.monotonic()) if self._stale else None)
                if coming.done():
                    update = coming.result()
                    coming = asyncio.ensure_future(anext(updates))
                    async for piece in self._news(update.events):
                        yield piece
                    if (written := self._written(update.writing, again=bool(update.events))) is not None:
                        yield written
                    self._stale |= {"list"} if update.elsewhere else set()
                if self._stale and time.monotonic() >= state_at:
                    if (state := await self._state()) is not None:
                        yield state
                    state_at = time.monotonic() + _STATE_EVERY_S
                if time.monotonic() >= look_at:
                    await welcome()
                    look_at = time.monotonic() + self._look_again_s
        except AutoCodeError:
            return
        finally:
            coming.cancel()

    async def _news(self, events: Sequence[Event]) -> AsyncIterator[bytes]:
        """Each event with what it changes in the thread; without, only its number, so that the reader's place moves."""
        if self._thread is None:
            return
        for start in range(0, len(events), _AT_ONCE):
            batch = events[start : start + _AT_ONCE]
            drawn = [(event.seq, self._draw(self._thread.apply(event))) for event in batch]
            yield b"".join(_sent(html, id=str(seq)) for seq, html in drawn)
            self._stale |= {"parts", *(_BESIDE[event.kind] for event in batch if event.kind in _BESIDE)}
            await asyncio.sleep(0)

    def _written(self, text: str | None, *, again: bool) -> bytes | None:
        """The text that is being written, when it is another one, or the page has put it away for an item (`again`)."""
        if self._thread is None or (text == self._writing and not (again and text)):
            return None
        self._writing = text
        html = self._rendering.draw(self._thread.writing(text))
        return _sent(json.dumps({"id": "writing", "html": html}), event="writing")

    async def _state(self) -> bytes | None:
        """What changed of how things stand since it was last sent."""
        fragments = [fragment async for fragment in self._standing()]
        self._stale = set()
        drawn = [(fragment.id, self._rendering.draw(fragment)) for fragment in fragments]
        news = [(id_, html) for id_, html in drawn if self._shown.get(id_) != html]
        self._shown.update(news)
        return _sent("\n".join(html for _, html in news)) if news else None

    async def _standing(self) -> AsyncIterator[Fragment]:
        if self._key is not None and "parts" in self._stale:
            async for fragment in self._of_conversation(self._key):
                yield fragment
        if "list" in self._stale:
            conversations = await newest_and_waiting(self._runner)
            yield side_list(conversations, self._key)
            if self._key is None:
                yield waiting(conversations)

    async def _of_conversation(self, key: str) -> AsyncIterator[Fragment]:
        conversation, models = await self._runner.conversation(key), self._runner.models
        if self._changes is None or "changes" in self._stale:
            self._changes = await self._runner.changes(key)
        for part in parts(conversation, models=models, changes=self._changes, options=self._options):
            yield part
        if "changes" in self._stale:
            # Long diffs are read and coloured here.
            yield await to_thread.run_sync(changes_fragment, key, self._changes, conversation.run.mode)
        if "plans" in self._stale:
            yield plans_fragment(key, await self._runner.decisions(key))
        if "details" in self._stale:
            runs = await self._runner.runs(RunFilter(ticket=key, limit=MOST_TURNS))
            yield details_fragment(conversation, runs.runs, models)

    def _draw(self, fragments: Sequence[Fragment]) -> str:
        return "\n".join(map(self._rendering.draw, fragments))


def hello(*, version: str, seq: int) -> bytes:
    """The first thing that a reader hears: which version of the pages this is, the newest event, and the time."""
    said = {"version": version, "seq": seq, "server_time": datetime.now(UTC).isoformat()}
    return _sent(json.dumps(said), event="hello")


def reset() -> bytes:
    """What a reader hears whose place is not known here: load the page again."""
    return _sent("{}", event="reset")


def _sent(data: str, *, id: str | None = None, event: str | None = None) -> bytes:  # noqa: A002 - the field's name
    return ServerSentEvent(data, id=id, event=event, sep="\n").encode()
