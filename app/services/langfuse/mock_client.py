"""Tracing that goes nowhere: what the service uses when no keys are set, and tests look into."""

from app.models import Job
from app.results import Outcome
from app.services.langfuse.base import EndTurn, Langfuse


class MockLangfuse(Langfuse):
    """Keeps the names of what it was told."""

    def __init__(self) -> None:
        self.turns: list[tuple[str, str]] = []
        self.ended: list[tuple[str, Outcome]] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def begin_turn(self, job: Job, name: str, prompt: str) -> EndTurn:  # noqa: ARG002 - texts are not kept
        return lambda _turn: self.turns.append((job.run_id, name))

    async def end(self, job: Job, outcome: Outcome) -> None:
        self.ended.append((job.run_id, outcome))

    async def check(self) -> str:
        return "tracing is off"
