"""What one open page is told: the fragments that follow from each event, and those that show how things stand.

The database is the buffer: a feed reads on when its reader has taken what came before, so that a slow reader only sees
things later, and holds up nobody. Only the reader's place is its own, and the reader knows it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from app.errors import AutoCodeError
from app.routes.drawing import KEPT, Drawing, sent, together
from app.routes.live import Live, aspects_of
from app.routes.standing import Aspect

_AT_ONCE = 25
"""Events that are drawn before others get their turn: some 10 ms."""

_PAGE = 200
_LOOK_AGAIN_S = 60.0
"""How often a reader must still be welcome."""


class Feed:
    """The news of the list of conversations; of a conversation those above the event `after`, of which `last` is known
    to be there, for a page whose thread begins with the event `begin`.

    Each `look_again_s` a follower is asked for again whether it is still welcome.
    """

    def __init__(
        self, live: Live, *, begin: int = 1, after: int = 0, last: int = 0, look_again_s: float = _LOOK_AGAIN_S
    ) -> None:
        self._live = live
        self._begin = min(begin, after + 1)
        self._place = after
        self._last = last
        self._look_again_s = look_again_s
        self._common = live.drawing(self._begin)
        self._own: Drawing | None = None
        self._shown: dict[str, bytes] = {}
        self._writing: str | None = None

    async def replay(self) -> AsyncIterator[bytes]:
        """What there is, and how things stand."""
        changed: dict[Aspect, int] = {}
        async for piece in self._events(self._last, changed):
            yield piece
        yield await self._state(changed)

    async def follow(self, *, welcome: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
        """What there is, and what comes.

        It ends when `welcome`, which is asked now and then, raises an error of ours, and when the database is away:
        the reader comes again, and hears why.
        """
        look_at = time.monotonic() + self._look_again_s
        with self._live.reading(last=self._last) as bell:
            try:
                async for piece in self.replay():
                    yield piece
                while not self._live.over:
                    bell.clear()
                    async for piece in self._news():
                        yield piece
                    if time.monotonic() >= look_at:
                        await welcome()
                        look_at = time.monotonic() + self._look_again_s
                    await bell.wait()
            except AutoCodeError:
                return

    async def _news(self) -> AsyncIterator[bytes]:
        """What came since this was last called."""
        before, text = self._place, self._live.writing
        async for piece in self._events(self._live.place, {}):
            yield piece
        # The page puts the text away for an item.
        if text != self._writing or (text and before != self._place):
            self._writing = text
            yield self._common.written(text)
        parts = self._live.parts
        news = {id_: parts[id_] for id_ in self._live.drawn if self._shown.get(id_) is not parts[id_]}
        if news:
            self._shown |= news
            yield together(news.values())

    async def _events(self, last: int, changed: dict[Aspect, int]) -> AsyncIterator[bytes]:
        """Each event up to that number with what it changes in the thread; `changed` is told what it changes beside."""
        while self._place < last and (drawing := await self._drawing()) is not None:
            events = drawing.above(self._place, limit=_AT_ONCE)
            changed |= aspects_of(events)
            self._place = events[-1].seq
            yield b"".join([event.sent for event in events])
            if self._place < last:
                await asyncio.sleep(0)

    async def _drawing(self) -> Drawing | None:
        """The drawing that has what comes after the reader's place; None when nothing does."""
        while (drawing := self._at_hand()).place <= self._place:
            after = drawing.place
            # No more beyond the reader's place than is kept.
            limit = min(_PAGE, self._place - after) or KEPT
            events = await self._live.since(after, limit=limit)
            if not events:
                return None
            drawing.tell(events, after=after)
            await asyncio.sleep(0)
        return drawing

    def _at_hand(self) -> Drawing:
        """The drawing of all; of the reader alone as long as it is behind what is kept of that."""
        if self._common.keeps(self._place):
            self._own = None
            return self._common
        self._own = self._own or self._live.own_drawing(self._begin)
        return self._own

    async def _state(self, changed: dict[Aspect, int]) -> bytes:
        """How things stand, with what changed beside the thread; and what the page knows of that from then on."""
        self._shown = {id_: self._live.parts[id_] for id_, seq in self._live.drawn.items() if seq <= self._last}
        wanted = {} if self._live.key is None else {"parts": self._last, **changed}
        drawn = await self._live.draw(wanted, listed_at=time.monotonic())
        self._shown |= drawn
        return together(drawn.values())


def hello(*, version: str, seq: int) -> bytes:
    """The first thing that a reader hears: which version of the pages this is, the newest event, and the time."""
    said = {"version": version, "seq": seq, "server_time": datetime.now(UTC).isoformat()}
    return sent(json.dumps(said), event="hello")


def reset() -> bytes:
    """What a reader hears whose place is not known here: load the page again."""
    return sent("{}", event="reset")
