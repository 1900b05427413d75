"""Traces of Claude's work, for people who look at cost and quality over many runs.

The room knows Langfuse. It never fails a run, and never holds one up for long.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from app.models import Job
from app.results import Outcome, Turn

EndTurn = Callable[[Turn], None]


class Langfuse(ABC):
    """Writes one trace a run: a generation for each turn, and the end."""

    @abstractmethod
    async def start(self) -> None:
        """Get ready."""

    @abstractmethod
    async def stop(self) -> None:
        """Send what is left."""

    @abstractmethod
    def begin_turn(self, job: Job, name: str, prompt: str) -> EndTurn:
        """A turn begins; what is returned is called with what it gave."""

    @abstractmethod
    async def end(self, job: Job, outcome: Outcome) -> None:
        """The run ended; send what there is."""

    @abstractmethod
    async def check(self) -> str:
        """Try the keys. One line on what was found; raises WorkFailed with what to mend."""
