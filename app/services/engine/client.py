"""The engine over DBOS, whose journal is in the product's own database.

What DBOS does by default and must not do here: strand works when the code's version changes (one constant version),
store pickles (JSON), strand what a dead process had begun (locks and a sweep), choose by itself what begins next (see
the queue), take the ticket's time when it ends (crash-only).
"""

import asyncio
import contextlib
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions
from dbos import _core as dbos_core
from dbos import _dbos as dbos_module
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from app.database import KEEPALIVES, Database
from app.errors import StoreUnavailable
from app.logger import get_logger
from app.models import Work
from app.services.engine import dbos_logs
from app.services.engine.base import LEAVES, Ending, Engine, Patience, Redact, Steps, Workflow
from app.services.engine.dispatching import Limits
from app.services.engine.durable_steps import DurableSteps, Execution
from app.services.engine.membership import Membership
from app.services.engine.outage import Outage
from app.services.engine.ownership import FileOwnership, Ownership
from app.services.engine.queue import Claimed, Queue
from app.services.engine.sweeping import Sweeper

_log = get_logger(__name__)

_APPLICATION = "auto-code"
_QUEUE = "runs"
_WORKFLOW = "run"
_VERSION = "1"  # for ever: another one would strand what is queued or running under this one

_POLL_S = 0.05
_SWEEP_S = 2.0
_FORGOTTEN_AT_ONCE = 200
_RECORDED_WITHIN_S = 1.0
_LISTEN_S = 0.25  # nobody is notified here, but stopping waits for the listener
LOCK_WAIT_S = 60.0
_MOST_DEATHS = 20
"""How often in a row a work may end with its process without getting any further. Neither a step that ended nor a
wait nor an orderly stop leaves one standing, so that many restarts do no harm to what waits for days."""


class DbosEngine(Engine):
    """One for each process: DBOS itself is global."""

    def __init__(
        self,
        *,
        database: Database,
        concurrency: int,
        total: int | None = None,
        per_bucket: int | None = None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        redact: Redact = lambda said: said,
        lock_wait_s: float = LOCK_WAIT_S,
        sweep_s: float = _SWEEP_S,
    ) -> None:
        self._database = database
        self._limits = Limits(worker=concurrency, total=total, per_bucket=per_bucket)
        self._patience = patience
        self._redact = redact
        self._ownership = _ownership_of(database, wait_s=lock_wait_s)
        self._queue = Queue(
            database=database, name=_QUEUE, workflow=_WORKFLOW, application=_APPLICATION, version=_VERSION
        )
        self._client = DBOSClient(
            system_database_url=database.url,
            system_database_engine=database.engine_room,
            application_name=_APPLICATION,
            serializer=DBOSPortableJSONSerializer(),
            lazy=True,
            retry_connection_errors=False,
        )
        self._executions: dict[str, Execution] = {}
        self._ending = Ending()
        self._paused = False
        self._room = asyncio.Event()
        self._sweeper = Sweeper(
            queue=self._queue,
            ownership=self._ownership,
            executions=self._executions,
            recorded_soon=_at_work_in_dbos,
            on_work=self._room.set,
            every_s=sweep_s,
        )
        self._loops: list[asyncio.Task[None]] = []
        self._outage = Outage()

    @property
    def worker_id(self) -> str:
        return self._ownership.worker_id

    async def open(self) -> None:
        await self._ownership.take()

    async def release(self) -> None:
        await self._ownership.release()

    async def start(self, workflow: Workflow) -> None:
        DBOS(config=self._config())
        dbos_logs.tame()
        self._register(workflow)
        DBOS.listen_queues([])
        DBOS.launch()
        sa.event.listen(dbos_module._get_dbos_instance()._sys_db.engine, "handle_error", _wait_for_it)  # noqa: SLF001
        await asyncio.to_thread(self._queue.adopt)
        await asyncio.to_thread(self._queue.recover, self.worker_id)
        await self._sweeper.look()
        sweeping = self._sweeper.run(self._outage, until=self._ending.halted)
        self._loops = [asyncio.create_task(self._dispatch()), asyncio.create_task(sweeping)]

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._room.set()

    def drain(self) -> None:
        self._ending.drained.set()
        self._room.set()

    def halt(self) -> None:
        self._ending.halted.set()
        self.drain()

    async def stop(self) -> None:
        # Crash-only: what runs is cancelled in memory and stays unfinished in the journal. DBOS itself would leave the
        # coroutines on the loop, where they see "cannot schedule new futures" as if their work had failed.
        self.halt()
        # These end by themselves: what they are about to claim or mend would be left to nobody.
        await asyncio.gather(*self._loops)
        instance = dbos_module._dbos_global_instance  # noqa: SLF001
        tasks = set() if instance is None else set(instance._workflow_tasks)  # noqa: SLF001
        if ended := tasks - {execution.task for execution in self._executions.values()}:
            await asyncio.wait(ended, timeout=_RECORDED_WITHIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._hand_back()
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # DBOS shuts the loop's default executor down with itself; others still need it for their own end.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="default"))
        self._client.destroy()

    def enqueue(self, transaction: Any, work: Work) -> None:
        options = EnqueueOptions(
            workflow_name=_WORKFLOW,
            queue_name=_QUEUE,
            workflow_id=work.id,
            app_version=_VERSION,
            queue_partition_key=work.bucket,
        )
        if work.priority > 0:  # which is what it is where nothing is said, and may not be said
            options["priority"] = work.priority
        self._client.enqueue_in_transaction(transaction, options, work.id)

    async def cancel(self, work_id: str) -> None:
        way = DBOS if self._loops else self._client  # which is there without a start, too
        await way.cancel_workflow_async(work_id, cancel_children=True)
        if (execution := self._executions.get(work_id)) is not None:
            execution.cut()

    @property
    def under_way(self) -> frozenset[str]:
        return frozenset(self._executions).union(_at_work_in_dbos())

    async def unfinished(self) -> Mapping[str, str | None]:
        with _translated():
            return await asyncio.to_thread(self._queue.unfinished)

    async def take_over(self, workers: Collection[str]) -> None:
        with _translated():
            for worker in set(workers) - {self.worker_id}:
                await self._sweeper.recover(worker, hung=True)

    async def forget(self, before: datetime) -> int:
        forgotten = 0
        with _translated():
            while done := await asyncio.to_thread(self._queue.done, before, limit=_FORGOTTEN_AT_ONCE):
                await self._client.delete_workflows_async(list(done), delete_children=True)
                forgotten += len(done)
        return forgotten

    def _config(self) -> DBOSConfig:
        return DBOSConfig(
            name=_APPLICATION,
            system_database_url=self._database.url,
            system_database_engine=self._database.engine_room,
            application_version=_VERSION,
            # Nothing is ever at work under this name, so DBOS finds nothing to recover by itself: it would do so again
            # and again beside the sweep.
            executor_id=str(uuid.uuid4()),
            serializer=DBOSPortableJSONSerializer(),
            log_level="WARNING",
            notification_listener_polling_interval_sec=_LISTEN_S,
            sys_db_pool_size=8,
            db_engine_kwargs=None if self._database.embedded else {"connect_args": dict(KEEPALIVES)},
        )

    def _register(self, workflow: Workflow) -> None:
        @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=_MOST_DEATHS)
        async def run(work_id: str) -> None:
            execution = self._executions.setdefault(work_id, Execution())
            execution.task = asyncio.current_task()
            try:
                await workflow(work_id, self._steps(work_id, execution))
            except LEAVES:
                # A zombie may have taken the run from its rightful worker, whose work this still is: then it is queued
                # again. So it is when the database was away for longer than the work waits for it.
                execution.parked = True
                raise asyncio.CancelledError from None
            finally:
                if execution.parked:
                    await asyncio.shield(self._hand_back(work_id))
                self._executions.pop(work_id, None)
                self._room.set()

    def _steps(self, work_id: str, execution: Execution) -> Steps:
        return DurableSteps(
            work_id=work_id,
            execution=execution,
            queue=self._queue,
            patience=self._patience,
            redact=self._redact,
            ending=self._ending,
        )

    async def _hand_back(self, *works: str) -> None:
        """Queue again what is left in order; without names, all that is this worker's."""
        try:
            await asyncio.to_thread(self._queue.hand_back, self.worker_id, only=works or None)
        except SQLAlchemyError as error:
            # It is found under this worker's name once its lock is free.
            _log.warning("works not handed back", worker=self.worker_id, error=str(error))

    async def _dispatch(self) -> None:
        while not self._ending.drained.is_set():
            self._room.clear()
            with self._outage.of("queue not read"):
                await self._fill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await self._room.wait()

    async def _fill(self) -> None:
        if self._paused or len(self._executions) >= self._limits.worker:
            return
        owner = str(uuid.uuid4())
        claimed = await asyncio.to_thread(self._claim, owner)
        for work in claimed:
            self._executions[work.id] = Execution(deaths=work.deaths)
        if claimed:
            begun = await asyncio.to_thread(self._begin, claimed, owner)
            for work in set(claimed) - begun:
                self._executions.pop(work.id, None)

    def _claim(self, owner: str) -> tuple[Claimed, ...]:
        if not self._queue.anything():
            return ()
        busy = tuple(self._executions)
        return self._queue.claim(worker=self.worker_id, owner=owner, busy=busy, limits=self._limits)

    def _begin(self, claimed: Sequence[Claimed], owner: str) -> set[Claimed]:
        """Those that began; what is wrong with the others is logged."""
        instance = dbos_module._get_dbos_instance()  # noqa: SLF001
        begun = set[Claimed]()
        for work in claimed:
            try:
                status = instance._sys_db.get_workflow_status(work.id)  # noqa: SLF001
                if status is not None and status["status"] == "PENDING":  # unless it was cancelled just now
                    dbos_core.execute_dequeued_workflow(instance, status, owner)
                    begun.add(work)
            except (SQLAlchemyError, dbos_error.DBOSException) as error:
                _log.error("work not begun", work=work.id, error=str(error))
        return begun


def _at_work_in_dbos() -> Collection[str]:
    """Ids of the works whose end DBOS has not recorded yet, nor left to another worker."""
    instance = dbos_module._dbos_global_instance  # noqa: SLF001
    return () if instance is None else instance._active_workflows_set.activeList()  # noqa: SLF001


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreUnavailable("The database does not answer. Start it, and try again.") from error


def _wait_for_it(context: sa.engine.ExceptionContext) -> None:
    """Have DBOS wait for a database that cannot be connected to, whatever the reason.

    It knows the words of a refused connection only. Of a socket that is gone or a host that has no address, as that of
    a container that is down, each run that meets it would fail.
    """
    if context.connection is None:
        context.is_disconnect = True


def _ownership_of(database: Database, *, wait_s: float) -> Ownership:
    """A lock file beside SQLite's file; a session's advisory lock on Postgres."""
    if database.file is not None:
        return FileOwnership(database.file.with_suffix(".lock"), wait_s=wait_s)
    return Membership(database.url, wait_s=wait_s)
