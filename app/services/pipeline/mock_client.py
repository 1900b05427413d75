"""A pipeline that does no work: says what it was told to say."""

from app.errors import WorkFailed
from app.models import Job, RunStatus
from app.results import Outcome
from app.services.engine.base import Steps
from app.services.pipeline.base import Pipeline


class MockPipeline(Pipeline):
    """Ends each run with `outcome`, or fails it with `failure`. `jobs` are the runs that it was given."""

    def __init__(self, *, outcome: Outcome | None = None, failure: str | None = None) -> None:
        self._outcome = outcome or Outcome(status=RunStatus.IDLE, sentence="Nothing to do.")
        self._failure = failure
        self.jobs: list[Job] = []

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        async def work() -> Outcome:
            self.jobs.append(job)
            if self._failure is not None:
                raise WorkFailed(self._failure)
            return self._outcome

        return await steps.run("work", work, Outcome)
