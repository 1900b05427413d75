"""The durable order of one run. Between steps it decides by recorded results alone: a replay goes the same way."""

import asyncio
from weakref import WeakValueDictionary

from app.domain.run_state import has_ended
from app.errors import Conflict, WorkFailed
from app.logger import bind, get_logger
from app.models import Job, RunStatus
from app.results import Outcome
from app.services.engine.base import Steps, Workflow
from app.services.langfuse.base import Langfuse
from app.services.pipeline.base import Pipeline
from app.services.store.base import Store

_log = get_logger(__name__)

_BROKEN = "auto-code met an error of its own; the log has it under this run. Retry the run; its work is kept."


def run_workflow(*, store: Store, pipeline: Pipeline, langfuse: Langfuse) -> Workflow:
    """The workflow that the engine runs for each queued run."""
    tickets: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def workflow(run_id: str, steps: Steps) -> None:
        key = (await store.job(run_id)).ticket.key
        # A stopped run has ended for people, but its programs take a moment to go; the next one of the ticket uses the
        # same worktree and the same session.
        async with tickets.setdefault(key, asyncio.Lock()):
            job = await store.job(run_id)
            if has_ended(job.status):
                return  # stopped while it waited, or the process died between saying the end and recording it
            bind(run=run_id, ticket=key)
            outcome = await _work_on(job, steps, store, pipeline)
            if outcome is not None and await _end(job, outcome, store):
                await langfuse.end(job, outcome)

    return workflow


async def _work_on(job: Job, steps: Steps, store: Store, pipeline: Pipeline) -> Outcome | None:
    """How the work ended; None when somebody stopped it."""
    try:
        await store.move(job.run_id, RunStatus.RUNNING)
        _log.info("run started", trigger=job.trigger)
        return await pipeline.execute(job, steps)
    except WorkFailed as failure:
        return Outcome(status=RunStatus.FAILED, sentence=failure.message)
    except Conflict:
        return None
    except Exception:
        _log.exception("run broke")
        return Outcome(status=RunStatus.FAILED, sentence=_BROKEN)


async def _end(job: Job, outcome: Outcome, store: Store) -> bool:
    """Say how the run ended; False when somebody stopped it before."""
    failed = outcome.status is RunStatus.FAILED
    told = {"error": outcome.sentence} if failed else {"outcome": outcome.sentence}
    try:
        await store.move(job.run_id, outcome.status, **told)
    except Conflict:
        return False
    _log.info("run ended", status=outcome.status, sentence=outcome.sentence)
    return True
