"""A process that ends around any step: the next one goes on, asks no turn twice and opens no second pull request."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

from app.models import EventKind, Run
from app.results import CheckResult, Commands
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.claude_code.mock_client import Answer
from app.services.engine.mock_client import Journal
from tests.services.pipeline.conftest import NewWorld
from tests.services.pipeline.world import (
    BRANCH,
    FIX_LINT,
    FIX_REVIEW,
    FIX_TESTS,
    ISSUES,
    LIMIT_S,
    REVIEW,
    World,
)

Moment = Literal["unrecorded", "recorded"]
Recorded = tuple[str, str]


class CutSteps(dict[int, Recorded]):
    """The steps of one run, whose process ends as it records the step at `cut`: just before that, or just after."""

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
    """The steps of all runs, likewise. `happened` tells that a process ended."""

    def __init__(self, *, cut: int, moment: Moment) -> None:
        super().__init__()
        self._cut = cut
        self._moment: Moment = moment
        self.happened = asyncio.Event()

    def __setitem__(self, run_id: str, steps: dict[int, Recorded]) -> None:
        super().__setitem__(run_id, CutSteps(cut=self._cut, moment=self._moment, happened=self.happened))


class ChecksByFiles(MockChecks):
    """Lint and tests pass once the file of their fix is there, however often they are asked."""

    async def run_lint(self, directory: Path, commands: Commands) -> CheckResult:
        return self._by(directory / "lint.txt")

    async def run_tests(self, directory: Path, commands: Commands) -> CheckResult:
        return self._by(directory / "tests.txt")

    @staticmethod
    def _by(file: Path) -> CheckResult:
        return passed() if file.exists() else failed(f"{file.name} is missing")


def with_all_corrections(world: World) -> World:
    """The work of a ticket that needs every correction there is."""
    world.claude.plays |= {
        REVIEW: ISSUES,
        FIX_REVIEW: Answer(files={"review.txt": "fixed\n"}),
        FIX_LINT: Answer(files={"lint.txt": "fixed\n"}),
        FIX_TESTS: Answer(files={"tests.txt": "fixed\n"}),
    }
    world.checks = ChecksByFiles()
    return world


STEPS = [
    "session", "workspace", "turn implement", "changes", "turn review", "turn fix review", "commands", "setup 1",
    "lint 1", "turn fix lint 1", "lint 2", "tests 1", "turn fix tests 1", "lint 3", "tests 2", "changes after fixes",
    "commit 0", "push 0", "pull request", "published", "clean up",
]  # fmt: skip


async def test_the_steps_of_a_run_are_these(new_world: NewWorld) -> None:
    world = with_all_corrections(new_world())
    run = await world.work()
    assert [name for name, _ in world.journal.steps[run.id].values()] == STEPS
    await world.stop()


async def test_a_run_survives_a_cut_after_every_step(new_world: NewWorld) -> None:
    for cut in range(len(STEPS)):
        world = with_all_corrections(new_world())
        run = await cut_and_go_on(world, cut=cut, moment="recorded")
        await assert_done_once(world, run, where=f"after {STEPS[cut]}")


async def test_a_run_survives_a_cut_in_every_step_before_it_is_recorded(new_world: NewWorld) -> None:
    for cut, step in enumerate(STEPS):
        world = with_all_corrections(new_world())
        run = await cut_and_go_on(world, cut=cut, moment="unrecorded")
        await assert_done_once(world, run, where=f"in {step}")


async def cut_and_go_on(world: World, *, cut: int, moment: Moment) -> Run:
    """The run, ended by a second process after the first one ended around a step."""
    runs = CutRuns(cut=cut, moment=moment)
    world.journal = Journal(steps=runs)
    await world.start()
    receipt = await world.submit()
    assert receipt.run_id is not None
    async with asyncio.timeout(LIMIT_S):
        await runs.happened.wait()
    await world.stop()
    assert list(world.journal.unfinished) == [receipt.run_id]

    kept = {run_id: dict(steps) for run_id, steps in runs.items()}
    world.journal = replace(world.journal, steps=kept)
    await world.start()
    run = await world.ended(receipt.run_id)
    await world.stop()
    return run


async def assert_done_once(world: World, run: Run, *, where: str) -> None:
    assert (run.status, run.error) == ("pr_opened", None), where
    assert len(world.claude.prompts) == len(set(world.claude.prompts)), where
    assert len(world.forge.proposals) == len(run.pull_requests) == 1, where
    assert world.github.files(BRANCH)["theme.txt"] == "light\ndark\n", where
    assert not world.worktree.exists(), where
    events = await world.events(run.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), where
    for kind in (EventKind.STAGE_STARTED, EventKind.STAGE_ENDED, EventKind.TURN_STARTED, EventKind.TURN_ENDED):
        told = Counter(
            str(event.payload.get("stage") or event.payload["turn"]) for event in events if event.kind == kind
        )
        visited_twice = {"lint": told.pop("lint")} if "lint" in told else {}
        assert set(told.values()) == {1}, where
        assert visited_twice in ({}, {"lint": 2}), where
