"""A conversation's events as its pages get them: drawn once for all pages that begin with the same event."""

import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from sse_starlette import ServerSentEvent

from app.models import Event
from app.web.presenters.fragments import Fragment
from app.web.presenters.thread import Thread
from app.web.rendering import Rendering

KEPT = 100
"""Events. A reader that is further behind has a drawing of its own, so that a slow one takes no memory here."""


@dataclass(slots=True)
class Told:
    """An event: its number, its kind, its fragments until they are drawn, and then what a page is sent.

    Where a page has nothing to show of it, its number alone moves the page's place.
    """

    seq: int
    kind: str
    fragments: tuple[Fragment, ...]
    sent: bytes = b""


class Drawing:
    """A thread with the last of its events. What is told is drawn when somebody first asks for it.

    Which fragments follow from an event depends on the events before it and on nothing else, so that whoever tells the
    next one first tells it for all. `begin` is the event that the thread begins with.
    """

    def __init__(self, thread: Thread, rendering: Rendering, *, begin: int) -> None:
        self.place = begin - 1
        """The number of the last event that was told."""
        self._thread = thread
        self._rendering = rendering
        self._kept_above = begin - 1
        self._told: deque[Told] = deque()
        self._written: tuple[str | None, bytes] | None = None

    def tell(self, events: Sequence[Event], *, after: int) -> None:
        """Take in all that comes after that number. Nothing happens where events before it are missing, or known."""
        if self.place < after:
            return
        for event in events:
            if event.seq > self.place:
                self._told.append(Told(event.seq, event.kind, self._thread.apply(event)))
                self.place = event.seq
        while len(self._told) > KEPT:
            self._kept_above = self._told.popleft().seq

    def keeps(self, after: int) -> bool:
        """Whether every event above this number is kept, or was not told yet."""
        return after >= self._kept_above

    def above(self, number: int, *, limit: int) -> Sequence[Told]:
        """The first of the kept events above the number, in order, drawn."""
        newer = list(takewhile(lambda each: each.seq > number, reversed(self._told)))
        first = newer[: -limit - 1 : -1]
        for each in first:
            if not each.sent:
                each.sent = sent("\n".join(map(self._rendering.draw, each.fragments)), id=str(each.seq))
                each.fragments = ()
        return first

    def written(self, text: str | None) -> bytes:
        """The text that is being written."""
        if self._written is None or self._written[0] != text:
            html = self._rendering.draw(self._thread.writing(text))
            self._written = text, sent(json.dumps({"id": "writing", "html": html}), event="writing")
        return self._written[1]


def sent(data: str, *, id: str | None = None, event: str | None = None) -> bytes:  # noqa: A002 - the field's name
    """An event of a stream, as it goes over the wire."""
    return ServerSentEvent(data, id=id, event=event, sep="\n").encode()


def part(data: str) -> bytes:
    """A part of an event, for `together`."""
    return sent(data).removesuffix(b"\n")


def together(parts: Iterable[bytes]) -> bytes:
    """One event of these parts."""
    return b"".join((*parts, b"\n"))
