"""Wakes whoever follows, and keeps the newest events of what is followed, so that many followers read like one.

What happened is read from the database; memory only wakes, and saves reading the same again.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.errors import StoreUnavailable
from app.services.store.tail import Read, Tail

_WRITING_LASTS_S = 60.0
"""A text of another process that has not grown for so long: the process has ended, or nobody can tell."""


@dataclass(eq=False)
class Follower:
    """One who waits: for a conversation, or only for the list of them. `woken` is set when there may be news."""

    tail: Tail | None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    elsewhere: bool = False


@dataclass(frozen=True)
class _Writing:
    text: str
    until: float | None
    """When it is gone by itself, by the monotonic clock."""


class Signals:
    """Followers by conversation, and the text that is being written in each. Used from one event loop.

    `read` gives the newest events of a conversation. `look_every_s` is how soon what nobody told is seen.
    """

    def __init__(self, read: Read, *, look_every_s: float) -> None:
        self.look_every_s = look_every_s
        self._read = read
        self._followers: defaultdict[str | None, set[Follower]] = defaultdict(set)
        self._tails: dict[str, Tail] = {}
        self._writing: dict[str, _Writing] = {}
        self._readings: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def following(self, ticket: str | None) -> Iterator[Follower]:
        """A follower, as long as the block lasts. Those of one conversation share its tail."""
        tail = None if ticket is None else self._tails.setdefault(ticket, Tail(ticket, self._read))
        follower = Follower(tail)
        self._followers[ticket].add(follower)
        try:
            yield follower
        finally:
            self._followers[ticket].discard(follower)
            if not self._followers[ticket]:
                del self._followers[ticket]
                if ticket is not None:
                    del self._tails[ticket]

    def wake(self, ticket: str) -> None:
        """There may be news in the conversation."""
        if (tail := self._tails.get(ticket)) is not None:
            tail.expire()
            # Read before they wake: else all of them wake to wait for the one that reads, and wake again.
            reading = asyncio.create_task(self._read_for(ticket, tail))
            self._readings.add(reading)
            reading.add_done_callback(self._readings.discard)

    def wake_all(self) -> None:
        """The list of conversations may look different."""
        for followers in self._followers.values():
            for follower in followers:
                follower.elsewhere = True
                follower.woken.set()

    async def _read_for(self, ticket: str, tail: Tail) -> None:
        try:
            with contextlib.suppress(StoreUnavailable):  # whoever follows hears of it when it reads
                await tail.refresh(older_than_s=self.look_every_s)
        finally:
            for follower in self._followers.get(ticket, ()):
                follower.woken.set()

    def look_anew(self) -> None:
        """Nobody knows what other processes have done: everything may be news, and what they wrote is unknown."""
        self._writing = {ticket: each for ticket, each in self._writing.items() if each.until is None}
        for tail in self._tails.values():
            tail.expire()
        self.wake_all()

    def write(self, ticket: str, text: str, *, elsewhere: bool = False) -> None:
        """Keep the text that is being written in the conversation; empty when nothing is any more.

        What is written `elsewhere` than in this process does not last where nobody goes on with it.
        """
        if text:
            self._writing[ticket] = _Writing(text, time.monotonic() + _WRITING_LASTS_S if elsewhere else None)
        else:
            self._writing.pop(ticket, None)
        for follower in self._followers.get(ticket, ()):
            follower.woken.set()

    def writing(self, ticket: str | None) -> str | None:
        """That text."""
        known = None if ticket is None else self._writing.get(ticket)
        if ticket is None or known is None:
            return None
        if known.until is not None and time.monotonic() > known.until:
            del self._writing[ticket]
            return None
        return known.text
