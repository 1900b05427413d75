"""What keeps the store small, over whatever runs the statements: many small transactions."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from app.services.store import counts, pruning, workers
from app.services.store.transactions import Transactions
from app.services.store.upkeep import Census, Idle, Pruned, Upkeep


class SqlUpkeep(Transactions, Upkeep):
    """Deletes a few hundred rows at a time: writers wait for one such transaction at most."""

    async def idle_since(self, before: datetime) -> tuple[Idle, ...]:
        return await self._read(lambda connection: pruning.idle_since(connection, before))

    async def sessions(self) -> frozenset[str]:
        return await self._read(counts.sessions)

    async def prune(
        self, *, events_before: datetime, transcripts_before: datetime, deliveries_before: datetime
    ) -> Pruned:
        return Pruned(
            events=await self._prune_events(events_before),
            transcript_entries=await self._prune_transcripts(transcripts_before),
            checkpoints=await self._emptied(lambda each: pruning.forget_checkpoints(each, transcripts_before)),
            deliveries=await self._emptied(lambda each: pruning.forget_deliveries(each, deliveries_before)),
            workers=await self._write(workers.forget_lost),
        )

    async def census(self) -> Census:
        return await self._read(counts.census)

    async def _prune_events(self, before: datetime) -> int:
        gone = 0
        for ticket in await self._read(lambda connection: pruning.with_old_events(connection, before)):
            gone += await self._emptied(partial(pruning.forget_events, ticket=ticket, before=before))
        return gone

    async def _prune_transcripts(self, before: datetime) -> int:
        gone = 0
        for session_id in await self._read(lambda connection: pruning.old_sessions(connection, before)):
            gone += await self._emptied(partial(pruning.forget_entries, session_id=session_id, before=before))
        return gone

    async def _emptied(self, forget_some: Callable[[sa.Connection], int]) -> int:
        """Let it forget until there is nothing more to forget; how much there was."""
        gone = 0
        while some := await self._write(forget_some):
            gone += some
        return gone
