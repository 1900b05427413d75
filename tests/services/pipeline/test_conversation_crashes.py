"""The same for a person's turn with a question in it, in two repositories: asked, answered and published once."""

from collections import Counter

import pytest

from app.models import Answer as Said
from app.models import Asked, EventKind, PipelineOptions, Question, Run, Work
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.conftest import NewWorld
from tests.services.pipeline.cuts import MOMENTS, ChecksByFiles, Cut, Moment, names_of_steps
from tests.services.pipeline.scripted_claude import ANSWERED, EDITED
from tests.services.pipeline.world import BRANCH, World

COLOUR = Question(id="toolu_colour", asked=(Asked(question="Which colour?"),))
BLUE = Said(by="Ben", answers={"Which colour?": "Blue"})

FIRST_LEG = ["session", "workspace", "turn turn 1"]
SECOND_LEG = [
    "session", "workspace", "turn turn 2", "acknowledge", "changes", "commands offline/demo", "commands acme/api",
    "setup offline/demo 1", "lint offline/demo 1",
    "setup acme/api 1", "lint acme/api 1", "turn fix lint acme/api 1", "lint acme/api 2", "lint offline/demo 2",
    "inspect offline/demo", "inspect acme/api", "changes after fixes",
    "commit offline/demo 0", "inspect offline/demo 0", "push offline/demo 0", "pull request offline/demo",
    "commit acme/api 0", "inspect acme/api 0", "push acme/api 0", "pull request acme/api",
    "related", "link offline/demo", "link acme/api", "published", "clean up offline/demo", "clean up acme/api",
]  # fmt: skip


def with_a_question(world: World) -> World:
    """Edits that ask, go on in both repositories where people push meanwhile, and need a correction in one."""
    api = world.add_repository("acme/api", MockGitHub)
    api.push_as_human(BRANCH, {"notes.txt": "by hand\n"})
    there = world.worktree_of(api)
    blue = {"theme.txt": "blue\n", "lint.txt": "fixed\n", str(there / "theme.txt"): "blue\n"}
    world.claude.plays = {
        "(lint in acme/api) fails": Answer(files={str(there / "lint.txt"): "fixed\n"}),
        ANSWERED: Answer(text="Blue it is.", files=blue),
        EDITED: Answer(files={"half.txt": "half\n"}, question=COLOUR),
    }
    world.checks = ChecksByFiles()
    world.options = PipelineOptions(lint=True)
    return world


async def played(world: World, cut: Cut | None = None, *, leg: int = 0) -> Run:
    """The run to its end, its process cut in one of its legs."""
    await world.start()
    receipt = await world.say("Add a colour.", auto_pr=True, repositories=world.choices())
    if cut is not None and leg == 1:
        await cut.happened()
    run = await world.settled(receipt)
    assert run.status == "needs_input"
    world.others[0].push_as_human(BRANCH, {"later.txt": "by hand\n"})
    await world.runner.answer("PROJ-1", COLOUR.id, BLUE)
    if cut is not None and leg == 2:
        await cut.happened()
    run = await world.settled(receipt)
    await world.quiet()
    await world.stop()
    return run


async def test_the_steps_of_both_legs_are_these(new_world: NewWorld) -> None:
    world = with_a_question(new_world())
    run = await played(world)
    assert names_of_steps(world, run.id) == FIRST_LEG
    assert names_of_steps(world, f"{run.id}.2") == SECOND_LEG
    await assert_done_once(world, run, where="without a cut")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_turn_survives_a_cut_around_every_step_before_its_question(new_world: NewWorld, moment: Moment) -> None:
    for place, step in enumerate(FIRST_LEG):
        world = with_a_question(new_world())
        run = await played(world, Cut(world, place, moment), leg=1)
        await assert_done_once(world, run, where=f"{moment} {step}")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_turn_survives_a_cut_around_every_step_after_its_answer(new_world: NewWorld, moment: Moment) -> None:
    for place, step in enumerate(SECOND_LEG):
        world = with_a_question(new_world())
        run = await played(world, Cut(world, place, moment, leg=2), leg=2)
        await assert_done_once(world, run, where=f"{moment} {step}")


async def test_a_leg_whose_end_was_said_but_not_recorded_is_not_done_again(new_world: NewWorld) -> None:
    world = with_a_question(new_world())
    await world.start()
    receipt = await world.say("Add a colour.", auto_pr=True, repositories=world.choices())
    run = await world.settled(receipt)
    for leg in (run.id, f"{run.id}.2"):
        await world.quiet()
        await world.stop()
        before = await world.events(run.id)
        world.journal.unfinished[leg] = Work(id=leg, bucket="PROJ", priority=0)
        await world.start()
        await world.quiet()
        assert await world.events(run.id) == before
        if leg == run.id:
            await world.runner.answer("PROJ-1", COLOUR.id, BLUE)
            run = await world.settled(receipt)
    assert run.status == "pr_opened"
    await world.stop()


async def test_an_answer_that_overtakes_the_end_of_the_leg_before_is_for_the_next_leg_alone(
    new_world: NewWorld,
) -> None:
    world = with_a_question(new_world())
    await world.start()
    receipt = await world.say("Add a colour.", auto_pr=True, repositories=world.choices())
    run = await world.settled(receipt)
    await world.quiet()
    world.claude.held = ANSWERED
    await world.runner.answer("PROJ-1", COLOUR.id, BLUE)
    await world.begun()
    await world.stop()
    world.claude.held = None
    before = Work(id=run.id, bucket="PROJ", priority=0)
    world.journal.unfinished = {run.id: before, **world.journal.unfinished}
    await world.start()
    await assert_done_once(world, await world.settled(receipt), where="overtaken")
    await world.stop()


async def assert_done_once(world: World, run: Run, *, where: str) -> None:
    assert (run.status, run.error) == ("pr_opened", None), where
    assert len(world.claude.prompts) == len(set(world.claude.prompts)), where
    assert len(set(world.claude.used)) == 1, where
    assert [made.repository for made in world.forge.pull_requests] == ["offline/demo", "acme/api"], where
    assert [made.repository for made in run.pull_requests] == ["offline/demo", "acme/api"], where
    assert all("Part of one change" in proposal.body for proposal in world.forge.proposals), where
    for github in (world.github, *world.others):
        assert github.files(BRANCH)["theme.txt"] == "blue\n", where
        assert not world.worktree_of(github).exists(), where
    events = await world.events(run.id)
    assert len({event.seq for event in events}) == len(events), where
    told = Counter(event.kind for event in events)
    assert (told[EventKind.QUESTION_ASKED], told[EventKind.ANSWERED], told[EventKind.PULL_REQUEST]) == (1, 1, 2), where
    for kind in (EventKind.TURN_STARTED, EventKind.TURN_ENDED):
        turns = Counter(event.payload["turn"] for event in events if event.kind == kind)
        assert set(turns.values()) == {1}, where
    visits = Counter(event.payload["stage"] for event in events if event.kind == EventKind.STAGE_STARTED)
    assert visits["implement"] == visits["workspace"] == 2, where
    assert (visits["setup"], visits["lint"], visits["publish"]) == (2, 3, 1), where
    assert all(stage.ended_at is not None for stage in run.stages), where
    assert [each.unpublished for each in await world.store.changes("PROJ-1")] == [False, False], where
