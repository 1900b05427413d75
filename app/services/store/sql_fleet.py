"""What many workers need, over whatever runs the statements: each method is one transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.results import Checkpoint, Worker
from app.services.store import checkpoints, fences, transcripts, workers
from app.services.store.fleet import Fleet
from app.services.store.transactions import Transactions


class SqlFleet(Transactions, Fleet):
    """Remembers the fence of each run that this process took: another one in its row says that the run is lost."""

    async def take(self, run_id: str, worker: str) -> None:
        await self._take(run_id, worker)

    async def check_claim(self, run_id: str) -> None:
        if (fence := self._fences.get(run_id)) is not None:
            await self._read(lambda connection: fences.check(connection, run_id, fence), patient=True)

    async def worked(self, run_id: str, seconds: float) -> float:
        fence = self._fences.get(run_id)
        return await self._write(lambda each: fences.worked(each, run_id, seconds, fence), patient=True)

    async def beat(self, worker: Worker) -> None:
        fit = self._intake.fit(worker)
        await self._write(lambda connection: workers.beat(connection, fit))

    async def leave(self, worker_id: str) -> None:
        await self._write(lambda connection: workers.leave(connection, worker_id))

    async def workers(self) -> tuple[tuple[Worker, float], ...]:
        return await self._read(workers.listed)

    async def keep_checkpoint(self, run_id: str, checkpoint: Checkpoint) -> None:
        ticket, fit = await self._ticket_of(run_id), self._intake.fit(checkpoint)
        await self._work(run_id, lambda connection: checkpoints.keep(connection, ticket, fit))

    async def checkpoint(self, ticket: str, repository: str) -> Checkpoint | None:
        return await self._read(lambda connection: checkpoints.newest(connection, ticket, repository), patient=True)

    async def keep_entries(self, session_id: str, subpath: str, entries: Sequence[Mapping[str, Any]]) -> None:
        # An entry may hold what a tool printed, megabytes of it: beside the loop, and before the transaction.
        made = await asyncio.to_thread(lambda: transcripts.rows_of(session_id, subpath, self._intake.fit(entries)))

        def body(connection: sa.Connection) -> None:
            # Claude Code goes on by itself for a while after its worker has lost the run.
            run_id = transcripts.run_at_work(connection, session_id)
            if run_id is not None and (fence := self._fences.get(run_id)) is not None:
                fences.check_locked(connection, run_id, fence)
            transcripts.keep(connection, made)

        await self._write(body, patient=True)

    async def entries(self, session_id: str) -> transcripts.Entries:
        return await self._read(lambda connection: transcripts.read(connection, session_id), patient=True)
