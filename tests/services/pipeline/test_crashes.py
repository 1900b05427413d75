"""A process that ends around any step: the next one goes on, asks no turn twice and opens no second pull request."""

import asyncio
from dataclasses import replace
from typing import Literal

from app.models import EventKind, Run
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
    REVIEW,
    World,
)

Moment = Literal["unrecorded", "recorded"]
Recorded = tuple[str, str]


class CutSteps(dict[int, Recorded]):
    """The steps of one run, whose process ends as it records the step at `cut`: just before that, or just after."""

    def __init__(self, *, cut: int, moment: Moment) -> None:
        super().__init__()
        self._cut = cut
        self._moment = moment

    def __setitem__(self, place: int, step: Recorded) -> None:
        if (place, self._moment) == (self._cut, "unrecorded"):
            raise asyncio.CancelledError
        super().__setitem__(place, step)
        if place == self._cut:
            raise asyncio.CancelledError


class CutRuns(dict[str, dict[int, Recorded]]):
    """The steps of all runs, likewise."""

    def __init__(self, *, cut: int, moment: Moment) -> None:
        super().__init__()
        self._how = {"cut": cut, "moment": moment}

    def __setitem__(self, run_id: str, steps: dict[int, Recorded]) -> None:
        super().__setitem__(run_id, CutSteps(**self._how))  # type: ignore[arg-type]


def with_all_corrections(world: World) -> World:
    """The work of a ticket that needs every correction there is."""
    world.claude.plays |= {
        REVIEW: ISSUES,
        FIX_REVIEW: Answer(files={"review.txt": "fixed\n"}),
        FIX_LINT: Answer(files={"lint.txt": "fixed\n"}),
        FIX_TESTS: Answer(files={"tests.txt": "fixed\n"}),
    }
    world.checks = MockChecks(lint=[failed("a"), passed()], tests=[failed("b"), passed()])
    return world


STEPS = [
    "session", "workspace", "turn implement", "changes", "turn review", "turn fix review", "commands", "setup 1",
    "lint 1", "turn fix lint 1", "lint 2", "tests 1", "turn fix tests 1", "lint 3", "tests 2", "changes after fixes",
    "commit 0", "push 0", "pull request", "clean up",
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
        if step.startswith(("lint", "tests")):
            world.checks = MockChecks()  # a check without a record is run again, which would use up the script
            cut = min(cut, STEPS.index("lint 1"))
        run = await cut_and_go_on(world, cut=cut, moment="unrecorded")
        await assert_done_once(world, run, where=f"in {step}")


async def cut_and_go_on(world: World, *, cut: int, moment: Moment) -> Run:
    """The run, ended by a second process after the first one ended around a step."""
    world.journal = Journal(steps=CutRuns(cut=cut, moment=moment))
    await world.start()
    receipt = await world.submit()
    assert receipt.run_id is not None
    while world.claude.open_sessions or not world.journal.steps[receipt.run_id]:
        await asyncio.sleep(0)
    await world.stop()
    assert list(world.journal.unfinished) == [receipt.run_id]

    kept = {run_id: dict(steps) for run_id, steps in world.journal.steps.items()}
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
        told = [str(event.payload) for event in events if event.kind == kind and event.payload.get("stage") != "lint"]
        assert len(told) == len(set(told)), where
