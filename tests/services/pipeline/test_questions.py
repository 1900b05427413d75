"""Questions: a run waits for people without holding anything, and goes on in the same session, once."""

import asyncio

import pytest

from app.errors import Conflict, InvalidInput, NotFound
from app.models import Answer as Said
from app.models import Asked, EventKind, RepositoryChoice, RunMode, Ticket
from app.services.claude_code.base import Permission
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.deciding import COLOUR, asks
from tests.services.pipeline.scripted_claude import ANSWERED
from tests.services.pipeline.world import World, stages_of


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
    assert len(set(world.claude.used)) == 1
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
    assert len(set(world.claude.used)) == 1
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


async def test_the_repositories_of_a_question_are_those_of_its_answer(world: World) -> None:
    api = world.add_repository("acme/api", MockGitHub)
    asks(world)
    chosen = (RepositoryChoice(name="acme/api", base="main"),)
    await world.turn("Add a colour.", repositories=chosen)
    await world.settled(await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ada", text="Blue.")))

    assert (world.worktree_of(api) / "theme.txt").read_text() == "light\nblue\n"
    assert not world.worktree.exists()
