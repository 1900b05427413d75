"""The durable order of one run. Between steps it decides by recorded results alone, so that a replay goes the same way."""

from app.domain.run_state import has_ended
from app.errors import Conflict, WorkFailed
from app.logger import bind, get_logger
from app.models import Outcome, RunStatus
from app.services.engine.base import Steps, Workflow
from app.services.langfuse.base import Langfuse
from app.services.pipeline.base import Pipeline
from app.services.store.base import Store

_log = get_logger(__name__)


def run_workflow(*, store: Store, pipeline: Pipeline, langfuse: Langfuse) -> Workflow:
    """The workflow that the engine runs for each queued run."""

    async def workflow(run_id: str, steps: Steps) -> None:
        job = await store.job(run_id)
        if has_ended(job.status):
            return  # the process died between saying the end and recording it
        bind(run=run_id, ticket=job.ticket.key)
        outcome, error = Outcome(status=RunStatus.FAILED, sentence="Failed."), None
        try:
            await store.move(run_id, RunStatus.RUNNING)
            _log.info("run started", trigger=job.trigger)
            outcome = await pipeline.execute(job, steps)
        except WorkFailed as failure:
            error = failure.message
        except Conflict:
            return  # stopped by a person between two steps
        except Exception:
            _log.exception("run broke")
            error = "auto-code met an error of its own; the log has it under this run. Retry the run; its work is kept."
        try:
            await store.move(run_id, outcome.status, outcome=None if error else outcome.sentence, error=error)
        except Conflict:
            return
        _log.info("run ended", status=outcome.status, outcome=outcome.sentence, error=error)
        await langfuse.end(job, outcome)

    return workflow
