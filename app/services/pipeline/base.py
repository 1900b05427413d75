"""The work: from a ticket's run to its pull request.

The room knows the order of stages and what each makes of the hands. It knows no engine, no tracker and no HTTP.
"""

from abc import ABC, abstractmethod

from app.models import Job
from app.results import Outcome
from app.services.engine.base import Steps


class Pipeline(ABC):
    """Does the work of runs."""

    @abstractmethod
    async def execute(self, job: Job, steps: Steps) -> Outcome:
        """Do what the run is for. Between its steps it is a pure function of their results, so that it can be replayed.

        Raises WorkFailed when the run cannot go on; what it did so far is kept.
        """
