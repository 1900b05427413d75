"""Wakes whoever follows a run. Memory only wakes; what happened is read from the database."""

import asyncio
from collections import defaultdict


class Signals:
    """One flag a follower. Used from one event loop."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def subscribe(self, run_id: str) -> asyncio.Event:
        """A flag that is set whenever something happens in the run, until `unsubscribe`."""
        flag = asyncio.Event()
        self._waiting[run_id].add(flag)
        return flag

    def unsubscribe(self, run_id: str, flag: asyncio.Event) -> None:
        """Forget the flag."""
        self._waiting[run_id].discard(flag)
        if not self._waiting[run_id]:
            del self._waiting[run_id]

    def wake(self, run_id: str) -> None:
        """Set the flags of the run."""
        for flag in self._waiting.get(run_id, ()):
            flag.set()
