"""The newest events of one conversation, read once for all who follow it."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from app.models import Event

Read = Callable[[str, int, int], Awaitable[Sequence[Event]]]
"""Called with a ticket, a number and a limit: the newest events of the conversation above the number, at most so many,
in order; none for an unknown one."""

_KEPT = 100
"""Events. A follower that is further behind reads for itself, so that a slow one takes no memory."""


class Tail:
    """Used from one event loop. However many ask at once, one reads."""

    def __init__(self, ticket: str, read: Read) -> None:
        self.last = 0
        """The number of the newest event that was read."""
        self._ticket = ticket
        self._read = read
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._begin = 0
        """All events above this number are here, up to the last."""
        self._expired = True
        self._read_at = 0.0
        self._reading: asyncio.Future[None] | None = None

    def expire(self) -> None:
        """There may be more than was read."""
        self._expired = True

    async def refresh(self, *, older_than_s: float) -> None:
        """Read what is not known, where somebody expired what is, or it was read so long ago.

        Raises what reading raises, to all who wait for it.
        """
        if time.monotonic() - self._read_at >= older_than_s:
            self._expired = True
        while self._expired or self._reading is not None:
            if self._reading is None:
                await self._lead()
            else:
                await asyncio.shield(self._reading)

    def above(self, number: int) -> tuple[Event, ...] | None:
        """What was read above the number, in order; None when something of it may be gone from here."""
        if number < self._begin:
            return None
        newer: list[Event] = []
        for event in reversed(self._events):
            if event.seq <= number:
                break
            newer.append(event)
        return tuple(reversed(newer))

    async def _lead(self) -> None:
        self._reading = done = asyncio.get_running_loop().create_future()
        self._expired = False
        try:
            self._take(await self._read(self._ticket, self.last, _KEPT))
        except BaseException as error:
            self._expired = True
            if isinstance(error, Exception):
                done.set_exception(error)
                done.exception()  # whoever waits hears of it; if nobody does, that is no fault
            raise
        finally:
            self._reading = None
            if not done.done():
                done.set_result(None)

    def _take(self, events: Sequence[Event]) -> None:
        self._read_at = time.monotonic()
        if not events:
            return
        if len(events) == _KEPT:
            self._begin = events[0].seq - 1
        elif len(self._events) + len(events) > _KEPT:
            self._begin = self._events[len(self._events) + len(events) - _KEPT - 1].seq
        self._events.extend(events)
        self.last = events[-1].seq
