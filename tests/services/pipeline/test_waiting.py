"""Questions and plans: a run waits for people without holding anything, and goes on in the same session, once."""

import asyncio
from collections.abc import Callable

import pytest

from app.errors import Conflict, InvalidInput, NotFound, WorkFailed
from app.models import Answer as Said
from app.models import Asked, Choice, EventKind, Question, RepositoryChoice, RunMode, Ticket
from app.services.claude_code.base import Permission
from app.services.claude_code.mock_client import Answer
from tests.services.pipeline.scripted_claude import ANSWERED, APPROVED, EDITED, PLANNED, REVISED
from tests.services.pipeline.world import BRANCH, World, stages_of

COLOUR = Question(
    id="toolu_colour",
    asked=(Asked(question="Which colour?", choices=(Choice(label="Blue"), Choice(label="Black"))),),
)
PLAN = Question(id="toolu_plan", plan="1. Change theme.txt.")
BETTER_PLAN = Question(id="toolu_better", plan="1. Change theme.txt.\n2. Test it.")
BLUE = Answer(text="I added blue.", files={"theme.txt": "light\nblue\n"})


def asks(world: World) -> None:
    """Edits that need to know a colour, and have changed a file before they ask."""
    world.claude.plays |= {ANSWERED: BLUE, EDITED: Answer(files={"half.txt": "half\n"}, question=COLOUR)}


def plans(world: World) -> None:
    """A plan, a better one when people want it changed, and the work when they approve."""
    world.claude.plays |= {
        APPROVED: Answer(text="I followed the plan.", files={"theme.txt": "light\ndark\n"}),
        REVISED: Answer(question=BETTER_PLAN),
        PLANNED: Answer(question=PLAN),
    }


# Questions


async def test_a_run_that_asks_waits_without_a_slot_or_a_session(world: World) -> None:
    asks(world)
    await world.start(concurrency=1)
    run = await world.turn("Add a colour.")

    assert (run.status, run.ended_at) == ("needs_input", None)
    assert stages_of(run) == {"workspace": "passed", "implement": "running"}
    assert world.claude.open_sessions == set()
    assert (world.worktree / "half.txt").exists()
    waits = (await world.conversation()).waits_for
    assert waits is not None
    assert (waits.question, waits.run_id) == (COLOUR, run.id)
    other = Ticket(key="PROJ-2", summary="Something else")
    assert (await world.work(other)).status == "pr_opened", "the only slot is free"


@pytest.mark.parametrize(
    "said",
    [
        Said(by="Ben", answers={"Which colour?": "Blue"}),
        Said(by="Ben", text="Blue, like the sea."),
        Said(by="Ben", answers={"Which colour?": "Blue"}, text="like the sea"),
    ],
)
async def test_an_answer_lets_the_run_go_on_in_the_same_session(world: World, said: Said) -> None:
    asks(world)
    run = await world.turn("Add a colour.")
    receipt = await world.runner.answer("PROJ-1", COLOUR.id, said)
    ended = await world.settled(receipt)

    assert (receipt.status, ended.id, ended.status) == ("answered", run.id, "idle")
    assert ended.outcome == "Changed 2 files; no pull request yet."
    assert [(reply.question, reply.answer) for reply in world.claude.replies] == [(COLOUR, said)]
    assert world.claude.permissions == [Permission.EDIT] * 2
    assert len(set(world.claude.sessions)) == 1
    assert stages_of(ended)["implement"] == "passed"
    (answered,) = await world.events(run.id, EventKind.ANSWERED)
    assert (answered.payload["question"], answered.payload["by"]) == (COLOUR.id, "Ben")


async def test_a_message_to_a_run_that_waits_is_its_answer(world: World) -> None:
    asks(world)
    run = await world.turn("Add a colour.")
    receipt = await world.say("Blue.", mode=RunMode.ASK, by="Ben")
    ended = await world.settled(receipt)

    assert (receipt.status, receipt.run_id, ended.mode, ended.status) == ("answered", run.id, "edits", "idle")
    assert world.claude.replies[0].answer == Said(by="Ben", text="Blue.")


async def test_the_first_of_two_answers_counts(world: World) -> None:
    asks(world)
    await world.turn("Add a colour.")
    both = (world.runner.answer("PROJ-1", COLOUR.id, Said(by=by, text=by)) for by in ("Ada", "Ben"))
    first, second = await asyncio.gather(*both, return_exceptions=True)
    await world.newest()

    assert not isinstance(first, BaseException)
    assert isinstance(second, Conflict)
    assert second.message == "Ada answered this already."
    assert [reply.answer.by for reply in world.claude.replies] == ["Ada"]


async def test_what_is_no_answer_is_refused_and_the_run_waits_on(world: World) -> None:
    asks(world)
    run = await world.turn("Add a colour.")
    for refused in (Said(by="Ben", text=" "), Said(by="Ben", text="x" * 8_001)):
        with pytest.raises(InvalidInput) as error:
            await world.runner.answer("PROJ-1", COLOUR.id, refused)
        assert error.value.field == "text"
    with pytest.raises(NotFound):
        await world.runner.answer("PROJ-1", "toolu_none", Said(by="Ben", text="Blue."))
    assert (await world.store.run(run.id)).status == "needs_input"


async def test_a_pull_request_that_is_wanted_while_a_run_waits_comes_after_it_and_answers_nothing(world: World) -> None:
    asks(world)
    await world.turn("Add a colour.")
    assert (await world.runner.open_pull_requests("PROJ-1", by="Ben")).status == "queued"
    assert (await world.conversation()).waits_for is not None

    await world.settled(await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", text="Blue.")))
    run = await world.newest()
    assert (run.mode, run.status) == ("publish", "pr_opened")


async def test_a_run_that_is_stopped_while_it_waits_keeps_its_work_and_takes_no_answer(world: World) -> None:
    asks(world)
    run = await world.turn("Add a colour.")
    stopped = await world.runner.stop_run(run.id, by="Ben")

    assert (stopped.status, stopped.outcome) == ("idle", "Stopped by Ben. The work so far is kept.")
    assert stages_of(stopped)["implement"] == "warned"
    assert (world.worktree / "half.txt").exists()
    with pytest.raises(Conflict, match="Nobody waits for this answer"):
        await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", text="Blue."))
    assert (await world.turn("Never mind.", mode=RunMode.ASK)).outcome == "Answered."


async def test_a_run_may_ask_again_and_again(world: World) -> None:
    shade = COLOUR.model_copy(update={"id": "toolu_shade", "asked": (Asked(question="Which shade?"),)})
    asks(world)
    world.claude.plays = {"Which colour?: Blue": Answer(question=shade), **world.claude.plays}
    run = await world.turn("Add a colour.")
    answered = await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", answers={"Which colour?": "Blue"}))
    assert (await world.settled(answered)).status == "needs_input"
    answered = await world.runner.answer("PROJ-1", shade.id, Said(by="Ada", answers={"Which shade?": "Dark"}))
    ended = await world.settled(answered)

    assert (ended.id, ended.status) == (run.id, "idle")
    decided = [(each.question.id, each.answer is not None) for each in await world.runner.decisions("PROJ-1")]
    assert decided == [(COLOUR.id, True), (shade.id, True)]
    turns = [event.payload["turn"] for event in await world.events(run.id, EventKind.TURN_STARTED)]
    assert turns == ["turn 1", "turn 2", "turn 3"]


# Another process


async def wait(world: World) -> str:
    """A run that waits with a question, and its id."""
    asks(world)
    return (await world.turn("Add a colour.")).id


async def test_a_run_waits_through_a_restart(world: World) -> None:
    run_id = await wait(world)
    await world.stop()
    await world.start()
    assert (await world.store.run(run_id)).status == "needs_input"
    await world.settled(await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", text="Blue.")))

    assert (await world.store.run(run_id)).status == "idle"
    assert len(set(world.claude.sessions)) == 1
    assert len(set(world.claude.prompt_ids)) == len(world.claude.prompt_ids) == 2


async def test_an_answer_that_a_restart_follows_is_given_once(world: World) -> None:
    run_id = await wait(world)
    world.claude.held = ANSWERED
    await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", text="Blue."))
    await world.begun()
    await world.stop()
    assert (await world.store.run(run_id)).status == "running"

    world.claude.held = None
    await world.start()
    run = await world.newest()
    assert (run.id, run.status, run.outcome) == (run_id, "idle", "Changed 2 files; no pull request yet.")
    assert len(world.claude.asked(ANSWERED)) == 1
    assert len(set(world.claude.prompt_ids)) == 2, "the cut turn is asked as the same turn"
    turns = [event.payload["turn"] for event in await world.events(run_id, EventKind.TURN_STARTED)]
    assert turns == ["turn 1", "turn 2"]


# Plans


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
    assert len(set(world.claude.sessions)) == 1
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
    assert world.claude.sessions[0] == world.claude.sessions[1]
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


async def test_the_repositories_of_a_question_are_those_of_its_answer(world: World) -> None:
    api = world.add_repository("acme/api")
    asks(world)
    chosen = (RepositoryChoice(name="acme/api", base="main"),)
    await world.turn("Add a colour.", repositories=chosen)
    await world.settled(await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", text="Blue.")))

    assert (world.worktree_of(api) / "theme.txt").read_text() == "light\nblue\n"
    assert not world.worktree.exists()
