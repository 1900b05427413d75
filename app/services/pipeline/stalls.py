"""Turns in which nothing happens any more: noticed by the lack of progress, not by a limit on the whole turn.

It knows when something last happened, and what. It refuses to count the time in which a turn waits for others.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from app.errors import WorkFailed
from app.models import EventKind

T = TypeVar("T")

_MOST_CHARS = 200
_IN_MINUTES_FROM_S = 120
_END_LIMIT_S = 30.0
"""For a turn to end that was told to; longer than the limits that its own clean-up has."""


class Stalled(Exception):
    """Nothing happened in a turn for as long as it is given."""


class Progress:
    """What happens in a turn, as it is told."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock()
        self._telling = 0
        self.last_seen = "nothing"

    @contextmanager
    def told(self, kind: EventKind, payload: Mapping[str, Any]) -> Iterator[None]:
        """Something happened, and is being told. While that takes its time, as when the database is away, the turn
        waits for us.
        """
        self.last_seen = _in_words(kind, payload) or self.last_seen
        self._telling += 1
        try:
            yield
        finally:
            self._telling -= 1
            self.renew()

    def renew(self) -> None:
        """Count from here."""
        self._at = self._clock()

    @property
    def idle_s(self) -> float:
        """Seconds since something happened."""
        return 0.0 if self._telling else self._clock() - self._at


async def with_progress(work: Awaitable[T], progress: Progress, *, limit_s: float, is_waiting: Callable[[], bool]) -> T:
    """What the work gives. Raises Stalled, once the work was cancelled, when nothing happened in it for `limit_s`.

    The time in which it `is_waiting` for others does not count.
    """
    progress.renew()
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=max(limit_s / 10, limit_s - progress.idle_s))
            if is_waiting():
                progress.renew()
            elif not task.done() and progress.idle_s >= limit_s:
                raise Stalled
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_END_LIMIT_S)


def gave_up(progress: Progress, limit_s: float) -> WorkFailed:
    """What people read of a turn that stalled again."""
    seen = f"last seen: {progress.last_seen}"
    return WorkFailed(f"Nothing happened for {_time(limit_s)}, twice; {seen}. Retry the run; its work is kept.")


def reason(progress: Progress, limit_s: float) -> str:
    """Why the turn was interrupted and resumed."""
    return f"Nothing happened for {_time(limit_s)}; last seen: {progress.last_seen}."


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= _IN_MINUTES_FROM_S else f"{seconds:g} seconds"


def _in_words(kind: EventKind, payload: Mapping[str, Any]) -> str:
    """The event in a few words; nothing where it says less than the one before."""
    if kind is EventKind.TOOL_CALLED:
        told = next((text for text in payload["input"].values() if isinstance(text, str)), "")
        return _short(f"{payload['name']} {told}")
    if kind is EventKind.TOOL_RETURNED:
        return f"a tool returned {_short(payload['content'])}"
    if kind in {EventKind.TEXT, EventKind.WRITING, EventKind.NOTICE}:
        return _short(payload["text"])
    return ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}…"
