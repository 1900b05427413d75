"""The durable order of one run. Between steps it decides by recorded results alone: a replay goes the same way.

Each execution takes the run for its worker first. When another worker has taken it since, the execution ends with
ClaimLost wherever it is, and says nothing of the run's end: that is the other one's to say. A database that stays away
ends the execution likewise: nothing could be said of it, and it is begun again.
"""

import asyncio
from weakref import WeakValueDictionary

from app.domain.naming import run_of_work
from app.errors import ClaimLost, Conflict, StoreUnavailable, WorkFailed
from app.logger import bind, get_logger
from app.models import Job, RunStatus
from app.results import Outcome
from app.services.engine.base import Steps, Workflow
from app.services.langfuse.base import Langfuse
from app.services.pipeline.base import Pipeline
from app.services.runner.executions import Executions
from app.services.store.base import Enqueue, Store

_log = get_logger(__name__)

_AT_WORK = frozenset({RunStatus.QUEUED, RunStatus.RUNNING})
_BROKEN = "auto-code met an error of its own; the log has it under this run. Retry the run; its work is kept."


def run_workflow(
    *,
    store: Store,
    pipeline: Pipeline,
    langfuse: Langfuse,
    enqueue: Enqueue,
    executions: Executions,
    worker: str,
) -> Workflow:
    """The workflow that the engine runs for each queued leg of a run. `enqueue` is for what its end begins; `worker`
    is whose the executions are.
    """
    tickets: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def workflow(work: str, steps: Steps) -> None:
        run_id, leg = run_of_work(work)
        key = (await store.job(run_id)).ticket.key
        # A stopped run has ended for people, but its programs take a moment to go; the next one of the ticket uses the
        # same worktree and the same session.
        async with tickets.setdefault(key, asyncio.Lock()):
            job = await store.job(run_id)
            if job.leg != leg or job.status not in _AT_WORK:
                return  # stopped while it waited, or the process died between saying the end and recording it
            bind(run=run_id, ticket=key)
            try:
                await store.take(run_id, worker)
                outcome = await _work_on(job, steps, store, pipeline, executions)
                if outcome is not None and await _end(job, outcome, store, enqueue):
                    await langfuse.end(job, outcome)
            except (ClaimLost, StoreUnavailable) as why:
                _log.warning("run left", error=why.message)
                raise

    return workflow


async def _work_on(job: Job, steps: Steps, store: Store, pipeline: Pipeline, executions: Executions) -> Outcome | None:
    """How the work ended; None when somebody stopped it."""
    try:
        await store.move(job.run_id, RunStatus.RUNNING)
        _log.info("run started", trigger=job.trigger, mode=job.mode, leg=job.leg)
        async with executions.of(job.run_id, job.ticket.key, steps):
            return await pipeline.execute(job, steps)
    except (ClaimLost, StoreUnavailable):
        raise
    except WorkFailed as failure:
        return Outcome(status=RunStatus.FAILED, sentence=failure.message)
    except Conflict:
        return None
    except Exception:
        _log.exception("run broke")
        return Outcome(status=RunStatus.FAILED, sentence=_BROKEN)


async def _end(job: Job, outcome: Outcome, store: Store, enqueue: Enqueue) -> bool:
    """Say how the run ended, or what it waits for; False when somebody stopped it before.

    After a failure the queue is held: what people sent counted on what did not come about.
    """
    try:
        if outcome.question is not None:
            await store.ask(job.run_id, outcome.question)
        elif outcome.status is RunStatus.FAILED:
            await store.move(job.run_id, outcome.status, error=outcome.sentence)
        else:
            await store.move(job.run_id, outcome.status, outcome=outcome.sentence, enqueue=enqueue)
    except Conflict:
        return False
    _log.info("run ended", status=outcome.status, sentence=outcome.sentence)
    return outcome.question is None
