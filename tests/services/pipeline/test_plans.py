"""Plans: they wait, are revised in the same session, and become edits; a retry goes on from what people said."""

from collections.abc import Callable

import pytest

from app.errors import Conflict, WorkFailed
from app.models import Answer as Said
from app.models import EventKind, RunMode
from app.services.claude_code.base import Permission
from app.services.claude_code.mock_client import Answer
from tests.services.pipeline.deciding import BETTER_PLAN, BLUE, COLOUR, PLAN, asks, plans
from tests.services.pipeline.scripted_claude import ANSWERED, APPROVED, EDITED, PLANNED
from tests.services.pipeline.world import BRANCH, World, stages_of


async def test_a_plan_waits_for_people_and_changes_nothing(world: World) -> None:
    plans(world)
    run = await world.turn("Plan it.", mode=RunMode.PLAN)

    assert (run.status, stages_of(run)["plan"]) == ("needs_input", "running")
    assert world.claude.permissions == [Permission.PLAN]
    (proposed,) = await world.events(run.id, EventKind.PLAN_PROPOSED)
    assert (proposed.payload["plan"], proposed.payload["version"]) == ("1. Change theme.txt.", 1)
    assert (world.worktree / "theme.txt").read_text() == "light\n"


@pytest.mark.parametrize("by_message", [True, False])
async def test_a_plan_that_people_want_changed_is_revised_in_the_same_session(world: World, by_message: bool) -> None:
    plans(world)
    run = await world.turn("Plan it.", mode=RunMode.PLAN)
    if by_message:
        receipt = await world.say("Test it, too.", mode=RunMode.EDITS, by="Ben")
    else:
        receipt = await world.runner.answer("PROJ-1", PLAN.id, Said(by="Ben", text="Test it, too."))
    revised = await world.settled(receipt)

    assert (revised.id, revised.status) == (run.id, "needs_input")
    assert world.claude.permissions == [Permission.PLAN] * 2
    assert len(set(world.claude.used)) == 1
    versions = [event.payload["version"] for event in await world.events(run.id, EventKind.PLAN_PROPOSED)]
    assert versions == [1, 2]
    first, second = await world.runner.decisions("PROJ-1")
    assert first.answer == Said(by="Ben", text="Test it, too.")
    assert (second.question.plan, second.answer) == (BETTER_PLAN.plan, None)


@pytest.mark.parametrize("auto_pr", [False, True])
async def test_an_approved_plan_becomes_a_run_of_edits_that_follows_it(world: World, auto_pr: bool) -> None:
    plans(world)
    planned = await world.turn("Plan it.", mode=RunMode.PLAN, repositories=world.choices(), model="claude-opus-4-8")
    receipt = await world.runner.answer("PROJ-1", PLAN.id, Said(by="Ben", approved=True, auto_pr=auto_pr))
    run = await world.settled(receipt)

    assert (run.id != planned.id, run.mode, run.by, run.auto_pr) == (True, "edits", "Ben", auto_pr)
    assert (run.repositories, run.model) == (planned.repositories, "claude-opus-4-8")
    before = await world.store.run(planned.id)
    assert (before.status, before.outcome) == ("idle", "Ben approved the plan.")
    assert world.claude.permissions[:2] == [Permission.PLAN, Permission.EDIT]
    assert (world.claude.replies[0].question.id, world.claude.replies[0].answer.approved) == (PLAN.id, True)
    assert world.claude.used[0] == world.claude.used[1]
    assert (run.status, len(world.forge.proposals)) == (("pr_opened", 1) if auto_pr else ("idle", 0))
    assert (BRANCH in world.github.heads) is auto_pr


async def test_a_plan_is_approved_once(world: World) -> None:
    plans(world)
    await world.turn("Plan it.", mode=RunMode.PLAN)
    await world.settled(await world.runner.answer("PROJ-1", PLAN.id, Said(by="Ada", approved=True)))

    with pytest.raises(Conflict, match="Ada answered this already"):
        await world.runner.answer("PROJ-1", PLAN.id, Said(by="Ben", approved=True))
    assert len(world.claude.asked(APPROVED)) == 1


async def test_a_plan_can_be_made_again_after_one_that_was_followed(world: World) -> None:
    plans(world)
    await world.turn("Plan it.", mode=RunMode.PLAN)
    await world.settled(await world.runner.answer("PROJ-1", PLAN.id, Said(by="Ada", approved=True)))
    world.claude.plays[PLANNED] = Answer(question=BETTER_PLAN)
    await world.turn("Plan more.", mode=RunMode.PLAN)

    assert [each.question.version for each in await world.runner.decisions("PROJ-1")] == [1, 2]


# A retry goes on from what people said


@pytest.fixture(params=["plan", "question"])
def begin(request: pytest.FixtureRequest, world: World) -> Callable[[], tuple[str, str, RunMode]]:
    """What is asked: the play that meets the answer, the question, and the mode that leads there."""

    def made() -> tuple[str, str, RunMode]:
        if request.param == "plan":
            plans(world)
            return APPROVED, PLAN.id, RunMode.PLAN
        asks(world)
        return ANSWERED, COLOUR.id, RunMode.EDITS

    return made


async def test_a_retry_of_what_failed_after_an_answer_goes_on_with_that_answer(
    world: World, begin: Callable[[], tuple[str, str, RunMode]]
) -> None:
    play, question_id, mode = begin()
    follows = world.claude.plays[play]
    world.claude.plays[play] = WorkFailed("Claude's API refused.")
    await world.turn("Do it.", mode=mode)
    said = Said(by="Ada", approved=mode is RunMode.PLAN, text="Blue.")
    failed = await world.settled(await world.runner.answer("PROJ-1", question_id, said))
    assert failed.status == "failed"

    world.claude.plays[play] = follows
    run = await world.settled(await world.runner.retry_run(failed.id, by="Ben"))
    assert (run.status, run.mode, run.by) == ("idle", "edits", "Ben")
    assert (run.outcome or "").startswith("Changed ")
    assert [reply.answer for reply in world.claude.replies] == [said, said]


async def test_a_retry_of_what_was_stopped_at_another_question_asks_anew(world: World) -> None:
    shade = COLOUR.model_copy(update={"id": "toolu_shade"})
    asks(world)
    world.claude.plays[ANSWERED] = Answer(question=shade)
    run = await world.turn("Add a colour.")
    await world.settled(await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", text="Blue.")))
    await world.runner.stop_run(run.id, by="Ada")
    world.claude.plays[EDITED] = BLUE
    again = await world.settled(await world.runner.retry_run(run.id, by="Ben"))

    assert (again.status, again.outcome) == ("idle", "Changed 2 files; no pull request yet.")
