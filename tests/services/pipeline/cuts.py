"""Processes that end around a step of a run, and what is the same however often they do."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from app.domain.naming import run_of_work
from app.results import CheckResult, Commands
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.engine.mock_client import Journal
from tests.services.pipeline.world import LIMIT_S, World

Moment = Literal["unrecorded", "recorded"]
MOMENTS: tuple[Moment, ...] = ("unrecorded", "recorded")
Recorded = tuple[str, str]


class CutSteps(dict[int, Recorded]):
    """The steps of one work, whose process ends as it records the step at `cut`: just before that, or just after."""

    def __init__(self, *, cut: int, moment: Moment, happened: asyncio.Event) -> None:
        super().__init__()
        self._cut = cut
        self._moment = moment
        self._happened = happened

    def __setitem__(self, place: int, step: Recorded) -> None:
        if (place, self._moment) != (self._cut, "unrecorded"):
            super().__setitem__(place, step)
        if place == self._cut:
            self._happened.set()
            raise asyncio.CancelledError


class CutRuns(dict[str, dict[int, Recorded]]):
    """The steps of all works; those of one leg are cut. `happened` tells that a process ended."""

    def __init__(self, *, cut: int, moment: Moment, leg: int) -> None:
        super().__init__()
        self._cut = cut
        self._moment: Moment = moment
        self._leg = leg
        self.happened = asyncio.Event()

    def __setitem__(self, work: str, steps: dict[int, Recorded]) -> None:
        if run_of_work(work)[1] == self._leg:
            steps = CutSteps(cut=self._cut, moment=self._moment, happened=self.happened)
        super().__setitem__(work, steps)


class Cut:
    """The end of a world's process around one step, and the beginning of the next one; of its machine, if `lost`."""

    def __init__(self, world: World, place: int, moment: Moment, *, leg: int = 1, lost: bool = False) -> None:
        self._world = world
        self._lost = lost
        self._runs = CutRuns(cut=place, moment=moment, leg=leg)
        world.journal = Journal(steps=self._runs)

    async def happened(self) -> None:
        """The process has ended, and the next one has begun."""
        async with asyncio.timeout(LIMIT_S):
            await self._runs.happened.wait()
        await self._world.stop()
        assert len(self._world.journal.unfinished) == 1
        kept = {work: dict(steps) for work, steps in self._runs.items()}
        self._world.journal = replace(self._world.journal, steps=kept)
        if self._lost:
            self._world.lose_machine()
        await self._world.start()


class ChecksByFiles(MockChecks):
    """Lint and tests pass once the file of their fix is there, however often they are asked."""

    async def run_lint(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        return self._by(directory / "lint.txt")

    async def run_tests(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        return self._by(directory / "tests.txt")

    @staticmethod
    def _by(file: Path) -> CheckResult:
        return passed() if file.exists() else failed(f"{file.name} is missing")


def names_of_steps(world: World, work: str) -> list[str]:
    """The steps of a work, in order."""
    return [name for name, _ in world.journal.steps[work].values()]
