"""Wakes whoever follows. Memory only wakes; what happened is read from the database."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(eq=False)
class Follower:
    """One who waits: for a conversation, or only for the list of them. `woken` is set when there may be news."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    elsewhere: bool = False


class Signals:
    """Followers by conversation, and the text that is being written in each. Used from one event loop."""

    def __init__(self) -> None:
        self._followers: defaultdict[str | None, set[Follower]] = defaultdict(set)
        self._writing: dict[str, str] = {}

    def subscribe(self, ticket: str | None) -> Follower:
        """A follower, until `unsubscribe`."""
        follower = Follower()
        self._followers[ticket].add(follower)
        return follower

    def unsubscribe(self, ticket: str | None, follower: Follower) -> None:
        """Forget the follower."""
        self._followers[ticket].discard(follower)
        if not self._followers[ticket]:
            del self._followers[ticket]

    def wake(self, ticket: str) -> None:
        """There may be news in the conversation."""
        for follower in self._followers.get(ticket, ()):
            follower.woken.set()

    def wake_all(self) -> None:
        """The list of conversations may look different."""
        for followers in self._followers.values():
            for follower in followers:
                follower.elsewhere = True
                follower.woken.set()

    def write(self, ticket: str, text: str) -> None:
        """Keep the text that is being written in the conversation; empty when nothing is any more."""
        if text:
            self._writing[ticket] = text
        else:
            self._writing.pop(ticket, None)
        self.wake(ticket)

    def writing(self, ticket: str | None) -> str | None:
        """That text."""
        return None if ticket is None else self._writing.get(ticket)
