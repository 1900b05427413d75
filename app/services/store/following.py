"""Follows a run's events: what is stored first, then what comes, each once and in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from app.domain.run_state import has_ended
from app.models import Event
from app.services.store.base import Store
from app.services.store.signals import Signals

_LOOK_AGAIN_S = 1.0
"""Another process may write too; its writes wake nobody here."""

_PAGE = 200


async def follow(store: Store, signals: Signals, run_id: str, *, after: int) -> AsyncIterator[Event]:
    """Events above `after`; ends after the last one of a run that has ended."""
    flag = signals.subscribe(run_id)
    try:
        while True:
            flag.clear()
            ended = has_ended(
                (await store.run(run_id)).status
            )  # asked before the events, so that the last is not missed
            page = await store.events(run_id, after=after, limit=_PAGE)
            for event in page:
                after = event.seq
                yield event
            if page:
                continue
            if ended:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await flag.wait()
    finally:
        signals.unsubscribe(run_id, flag)
