"""Follows events: what is stored first, then what comes, each once and in order."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from app.domain.run_state import has_ended
from app.models import Event
from app.services.store.base import Store, Update
from app.services.store.signals import Follower, Signals

_LOOK_AGAIN_S = 1.0
"""Another process may write too; its writes wake nobody here."""

_SAY_SOMETHING_S = 13.0
"""Less than the promised 15 by more than one look."""

_WRITING_EVERY_S = 0.12
_PAGE = 200


async def follow(store: Store, signals: Signals, run_id: str, *, after: int) -> AsyncIterator[Event]:
    """A run's events above `after`; ends after the last one of a run that has ended."""
    ticket = (await store.run(run_id)).ticket
    follower = signals.subscribe(ticket)
    try:
        while True:
            follower.woken.clear()
            # Asked before the events, so that the last is not missed.
            ended = has_ended((await store.run(run_id)).status)
            page = await store.events(run_id, after=after, limit=_PAGE)
            for event in page:
                after = event.seq
                yield event
            if page:
                continue
            if ended:
                return
            await _woken(follower, _LOOK_AGAIN_S)
    finally:
        signals.unsubscribe(ticket, follower)


async def watch(store: Store, signals: Signals, ticket: str | None, *, after: int) -> AsyncIterator[Update]:
    """A conversation's events above `after`, and what is of the moment."""
    follower = signals.subscribe(ticket)
    written, said_at = None, -_SAY_SOMETHING_S
    try:
        while True:
            follower.woken.clear()
            elsewhere, follower.elsewhere = follower.elsewhere, False
            events = () if ticket is None else tuple(await store.next_events(ticket, after=after, limit=_PAGE))
            writing = signals.writing(ticket)
            if events or elsewhere or writing != written or time.monotonic() - said_at >= _SAY_SOMETHING_S:
                said_at = time.monotonic()
                after = events[-1].seq if events else after
                yield Update(events=events, writing=writing, elsewhere=elsewhere)
            if writing != written:
                written = writing
                await asyncio.sleep(_WRITING_EVERY_S)  # people read no faster; what came meanwhile is told at once
            elif not events:
                await _woken(follower, _LOOK_AGAIN_S)
    finally:
        signals.unsubscribe(ticket, follower)


async def _woken(follower: Follower, limit_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await follower.woken.wait()
