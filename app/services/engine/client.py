"""The engine over DBOS, whose journal is in the product's own database.

What DBOS does by default and must not do here: strand runs when the code's version changes (one constant version),
store pickles (JSON), let two processes work on one database (a lock), strand what a dead process had begun (one
constant executor), take the ticket's time when it ends (crash-only).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions, StepOptions
from dbos import _dbos as dbos_module
from dbos import error as dbos_error

from app.database import Database
from app.services.engine.base import Engine, Redact, Said, Steps, Workflow
from app.services.engine.ownership import Ownership

_APPLICATION = "auto-code"
_QUEUE = "runs"
_WORKFLOW = "run"
_VERSION = "1"  # for ever: another one would strand what is queued or running under this one

_UNFINISHED = ["ENQUEUED", "DELAYED", "PENDING"]
_POLL_S = 0.05
_LISTEN_S = 0.25  # nobody is notified here, but stopping waits for the listener
LOCK_WAIT_S = 60.0
_MOST_RECOVERIES = 50
"""Each restart of the service counts for every unfinished run, so this only stops a run that kills its process."""


class DurableSteps(Steps):
    """Steps in the journal of the workflow that is running."""

    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        return await DBOS.run_step_async(StepOptions(name=name, preemptible=True), body)


class DbosEngine(Engine):
    """One for each process: DBOS itself is global."""

    def __init__(
        self,
        *,
        database: Database,
        concurrency: int,
        retry_after_s: Sequence[float] = (1.0, 5.0, 20.0),
        patience_s: float = 900.0,
        redact: Redact = lambda said: said,
        lock_wait_s: float = LOCK_WAIT_S,
    ) -> None:
        self._database = database
        self._concurrency = concurrency
        self._retry_after_s = retry_after_s
        self._patience_s = patience_s
        self._redact = redact
        self._ownership = Ownership.of(database, wait_s=lock_wait_s)
        self._client = DBOSClient(
            system_database_url=database.url,
            system_database_engine=database.engine_room,
            application_name=_APPLICATION,
            serializer=DBOSPortableJSONSerializer(),
            lazy=True,
            retry_connection_errors=False,
        )

    async def open(self) -> None:
        await self._ownership.take()

    async def release(self) -> None:
        await self._ownership.release()

    async def start(self, workflow: Workflow) -> None:
        DBOS(config=self._config())
        _tame_logs()

        steps = DurableSteps(retry_after_s=self._retry_after_s, patience_s=self._patience_s, redact=self._redact)

        @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=_MOST_RECOVERIES)
        async def run(run_id: str) -> None:
            await workflow(run_id, steps)

        DBOS.launch()
        await DBOS.register_queue_async(
            _QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=_POLL_S, on_conflict="always_update"
        )

    async def stop(self) -> None:
        # Crash-only: what runs is cancelled in memory and stays unfinished in the journal. DBOS itself would leave the
        # coroutines on the loop, where they see "cannot schedule new futures" as if their work had failed.
        instance = dbos_module._dbos_global_instance  # noqa: SLF001
        tasks = [] if instance is None else list(instance._workflow_tasks)  # noqa: SLF001
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # DBOS shuts the loop's default executor down with itself; others still need it for their own end.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="default"))
        self._client.destroy()

    def enqueue(self, transaction: Any, run_id: str) -> None:
        options = EnqueueOptions(workflow_name=_WORKFLOW, queue_name=_QUEUE, workflow_id=run_id, app_version=_VERSION)
        self._client.enqueue_in_transaction(transaction, options, run_id)

    async def cancel(self, run_id: str) -> None:
        await DBOS.cancel_workflow_async(run_id, cancel_children=True)

    async def unfinished(self) -> frozenset[str]:
        listed = await DBOS.list_workflows_async(
            status=_UNFINISHED, name=_WORKFLOW, load_input=False, load_output=False
        )
        return frozenset(status.workflow_id for status in listed)

    def _config(self) -> DBOSConfig:
        return DBOSConfig(
            name=_APPLICATION,
            system_database_url=self._database.url,
            system_database_engine=self._database.engine_room,
            application_version=_VERSION,
            executor_id=_APPLICATION,  # the same after a crash, so that DBOS takes up what the dead process had begun
            serializer=DBOSPortableJSONSerializer(),
            log_level="WARNING",
            notification_listener_polling_interval_sec=_LISTEN_S,
            sys_db_pool_size=8,
        )


def _tame_logs() -> None:
    """Let DBOS log through the service's handlers instead of its own."""
    logger = logging.getLogger("dbos")
    logger.handlers.clear()
    logger.propagate = True
    logger.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record of DBOS tells something: a run that a person stopped is no error, though DBOS logs it as one."""
    return not (record.exc_info and isinstance(record.exc_info[1], dbos_error.DBOSAwaitedWorkflowCancelledError))
