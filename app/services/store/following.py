"""Follows events: what is stored first, then what comes, each once and in order.

Those who follow one conversation share what is read of it. Who comes late or takes its time reads for itself, until it
has come to what the others are at.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from app.domain.run_state import has_ended
from app.models import Event, EventKind, RunStatus
from app.services.store.base import Store, Update
from app.services.store.signals import Follower, Signals

_SAY_SOMETHING_S = 9.0
"""Less than the promised 15 by more than one look."""

_WRITING_EVERY_S = 0.12
"""People read no faster."""

_PAGE = 200


async def follow(store: Store, signals: Signals, run_id: str, *, after: int) -> AsyncIterator[Event]:
    """A run's events above `after`; ends after the last one of a run that has ended."""
    run = await store.run(run_id)  # before any event, so that the last one is not missed
    over, place = has_ended(run.status), after
    with signals.following(run.ticket) as follower:
        while True:
            follower.woken.clear()
            shared, newest = await _shared(signals, follower, place)
            events = await store.events(run_id, after=after, limit=_PAGE) if shared is None else shared
            for event in events:
                place = event.seq
                if event.run_id == run_id:
                    after = event.seq
                    over = over or _ends(event)
                    yield event
            if shared is None and events:
                continue
            if over:
                return
            if shared is None:
                place = newest  # nothing of the run is between its last event and there
            else:
                await _woken(follower, signals.look_every_s)


async def watch(store: Store, signals: Signals, ticket: str | None, *, after: int) -> AsyncIterator[Update]:
    """A conversation's events above `after`, and what is of the moment."""
    written, write_at, said_at = None, 0.0, -_SAY_SOMETHING_S
    with signals.following(ticket) as follower:
        while True:
            follower.woken.clear()
            elsewhere, follower.elsewhere = follower.elsewhere, False
            shared, _ = await _shared(signals, follower, after)
            events = shared if shared is not None else await _own(store, ticket, after)
            writing, now = signals.writing(ticket), time.monotonic()
            too_soon = writing not in (None, written) and now < write_at and not events
            news = writing != written and not too_soon
            if events or elsewhere or news or now - said_at >= _SAY_SOMETHING_S:
                if news:
                    written, write_at = writing, now + _WRITING_EVERY_S
                said_at = now
                after = events[-1].seq if events else after
                yield Update(events=events, writing=written, elsewhere=elsewhere)
            if shared is not None or not events:
                await _woken(follower, write_at - now if too_soon else signals.look_every_s)


async def _own(store: Store, ticket: str | None, after: int) -> tuple[Event, ...]:
    return () if ticket is None else tuple(await store.next_events(ticket, after=after, limit=_PAGE))


async def _shared(signals: Signals, follower: Follower, after: int) -> tuple[tuple[Event, ...] | None, int]:
    """What all followers know above a number, None where that is not everything; and the last that they know of."""
    if follower.tail is None:
        return (), after
    await follower.tail.refresh(older_than_s=signals.look_every_s)
    return follower.tail.above(after), follower.tail.last


def _ends(event: Event) -> bool:
    return event.kind == EventKind.RUN_STATUS and has_ended(RunStatus(event.payload["status"]))


async def _woken(follower: Follower, limit_s: float) -> None:
    alarm = asyncio.get_running_loop().call_later(limit_s, follower.woken.set)
    try:
        await follower.woken.wait()
    finally:
        alarm.cancel()
