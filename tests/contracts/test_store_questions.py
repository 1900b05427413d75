"""Every store lets a run wait for people alike, and go on with what the first of them says."""

import asyncio

import pytest

from app.errors import Conflict, NotFound
from app.models import Answer, EventKind, PipelineOptions, RunMode, RunStatus, StageName, StageStatus, Trigger
from app.services.store import Store
from tests.contracts.conversing import (
    APPROVAL,
    KEY,
    ONE,
    PLAN,
    QUESTION,
    TWO,
    Engine,
    asking,
    at_work_again,
    everything,
    heard,
    message_of,
    running,
    send,
    waiting,
)
from tests.contracts.test_store import accepted, claim_of, ended, queue

NAVY = Answer(by="Ada", answers={"Which blue?": "Navy"})
OTHERWISE = Answer(by="Bob", text="Paint it green.")

# Asking


async def test_a_run_that_asks_waits_for_people(store: Store) -> None:
    run_id = await asking(store)
    conversation = await store.conversation(KEY)
    assert conversation.run.status is RunStatus.NEEDS_INPUT
    assert conversation.waits_for is not None
    assert (conversation.waits_for.question, conversation.waits_for.run_id) == (QUESTION, run_id)
    assert (conversation.waits_for.answer, conversation.waits_for.answered_at) == (None, None)
    assert await store.in_work() == ()
    assert await heard(store, EventKind.QUESTION_ASKED) == [QUESTION.model_dump(mode="json")]
    assert await store.decisions(KEY) == (conversation.waits_for,)


async def test_the_same_question_is_asked_once(store: Store) -> None:
    run_id = await asking(store)
    known = await everything(store)
    await store.ask(run_id, QUESTION)
    assert await everything(store) == known
    await at_work_again(store, run_id)
    known = await everything(store)
    await store.ask(run_id, QUESTION)
    assert await everything(store) == known


async def test_a_run_that_was_stopped_asks_nothing_more(store: Store) -> None:
    run_id = await running(store)
    await store.stop_run(run_id, outcome="Stopped by Ada.", by="Ada")
    with pytest.raises(Conflict):
        await store.ask(run_id, QUESTION)
    assert await store.decisions(KEY) == ()
    with pytest.raises(NotFound, match="There is no run none"):
        await store.ask("none", QUESTION)


async def test_plans_are_numbered_by_conversation(store: Store) -> None:
    first = await asking(store, PLAN)
    await at_work_again(store, first, PLAN.id)
    await store.ask(first, QUESTION)
    await at_work_again(store, first)
    await store.move(first, RunStatus.IDLE)
    await asking(store, PLAN.model_copy(update={"id": "revised", "plan": "1. Paint it twice."}))
    await asking(store, PLAN, key="PROJ-2")
    assert [(each.question.id, each.question.version) for each in await store.decisions(KEY)] == [
        ("plan", 1),
        ("q", 0),
        ("revised", 2),
    ]
    assert [plan["version"] for plan in await heard(store, EventKind.PLAN_PROPOSED)] == [1, 2]
    assert [each.question.version for each in await store.decisions("PROJ-2")] == [1]
    assert await store.decisions("PROJ-9") == ()


# Answering


async def test_an_answered_run_goes_on_with_its_next_leg(store: Store) -> None:
    run_id, engine = await asking(store), Engine()
    receipt = await store.answer(KEY, "q", NAVY, engine)
    assert (receipt.status, receipt.ticket, receipt.run_id) == ("answered", KEY, run_id)
    assert engine.works == [f"{run_id}.2"]
    assert await store.in_work() == ((run_id, f"{run_id}.2"),)
    job = await store.job(run_id)
    assert (job.status, job.leg, job.decision) == (RunStatus.QUEUED, 2, (await store.decisions(KEY))[0])
    assert job.decision is not None
    assert (job.decision.answer, job.decision.answered_at is None) == (NAVY, False)
    assert (await store.conversation(KEY)).waits_for is None
    assert await heard(store, EventKind.ANSWERED) == [{"question": "q", **NAVY.model_dump()}]


async def test_each_answer_begins_another_leg(store: Store) -> None:
    run_id, engine = await asking(store), Engine()
    await at_work_again(store, run_id)
    await store.ask(run_id, PLAN)
    await store.answer(KEY, PLAN.id, OTHERWISE, engine)
    assert engine.works == [f"{run_id}.3"]
    job = await store.job(run_id)
    assert job.decision is not None
    assert (job.leg, job.decision.question.plan, job.decision.answer) == (3, PLAN.plan, OTHERWISE)


async def test_the_first_answer_counts(store: Store) -> None:
    await asking(store)
    await store.answer(KEY, "q", NAVY, queue)
    known = await everything(store), await store.decisions(KEY)
    with pytest.raises(Conflict, match="Ada answered this already"):
        await store.answer(KEY, "q", OTHERWISE, queue)
    assert (await everything(store), await store.decisions(KEY)) == known


async def test_of_answers_that_come_at_once_one_counts_and_the_others_hear_whose(store: Store) -> None:
    run_id, engine = await asking(store), Engine()
    people = [f"person {number}" for number in range(6)]
    saying = (store.answer(KEY, "q", Answer(by=person, text=person), engine) for person in people)
    said = await asyncio.gather(*saying, return_exceptions=True)
    (counted,) = [decision.answer for decision in await store.decisions(KEY)]
    assert counted is not None
    refused = {str(each) for each in said if isinstance(each, Conflict)}
    assert refused == {f"{counted.by} answered this already."}
    assert (len(said) - sum(isinstance(each, Conflict) for each in said), engine.works) == (1, [f"{run_id}.2"])


async def test_nobody_answers_what_was_not_asked_in_the_conversation(store: Store) -> None:
    await asking(store)
    await running(store, claim_of("PROJ-2"))
    for key in ("PROJ-2", "PROJ-9"):
        with pytest.raises(NotFound, match="no such question"):
            await store.answer(key, "q", NAVY, queue)


async def test_a_run_that_was_stopped_takes_no_answer(store: Store) -> None:
    run_id = await asking(store)
    await store.stop_run(run_id, outcome="Stopped by Ada.", by="Ada")
    known = await everything(store)
    with pytest.raises(Conflict, match="Nobody waits for this answer any more"):
        await store.answer(KEY, "q", NAVY, queue)
    assert await everything(store) == known


async def test_a_question_of_an_earlier_run_takes_no_answer_while_a_later_one_waits(store: Store) -> None:
    first = await asking(store)
    await store.stop_run(first, outcome="Stopped by Ada.", by="Ada")
    await asking(store, PLAN)
    with pytest.raises(Conflict, match="Nobody waits for this answer any more"):
        await store.answer(KEY, "q", NAVY, queue)
    assert (await store.conversation(KEY)).run.status is RunStatus.NEEDS_INPUT


# Plans


async def test_an_approved_plan_ends_its_run_and_begins_one_that_follows_it(store: Store) -> None:
    planned = await asking(store, PLAN, mode=RunMode.PLAN, model="opus", repositories=ONE)
    await send(store, "later", "", mode=RunMode.PUBLISH)
    engine = Engine()
    receipt = await store.answer(KEY, PLAN.id, Answer(by="Bob", approved=True, auto_pr=True), engine)
    run = await store.run(planned)
    assert (run.status, run.outcome, run.ended_at is None) == (RunStatus.IDLE, "Bob approved the plan.", False)
    assert [receipt.run_id] == engine.works
    job = await store.job(engine.works[0])
    assert (job.mode, job.trigger, job.status, job.leg) == (RunMode.EDITS, Trigger.MESSAGE, RunStatus.QUEUED, 1)
    assert (job.request.by, job.request.model, job.request.auto_pr) == ("Bob", "opus", True)
    assert (job.request.repositories, job.options) == (ONE, PipelineOptions(lint=True))
    assert job.decision is not None
    assert (job.decision.question.plan, job.decision.run_id) == (PLAN.plan, planned)
    assert await waiting(store) == ["later"]


async def test_the_stage_of_an_approved_plan_has_passed(store: Store) -> None:
    run_id = await running(store, message_of(mode=RunMode.PLAN))
    await store.stage_started(run_id, StageName.PLAN)
    await store.ask(run_id, PLAN)
    await store.answer(KEY, PLAN.id, APPROVAL, queue)
    (stage,) = (await store.run(run_id)).stages
    assert (stage.status, stage.summary) == (StageStatus.PASSED, "Ada approved the plan.")
    (told,) = await heard(store, EventKind.STAGE_ENDED)
    assert (told["stage"], told["status"], told["summary"]) == ("plan", "passed", "Ada approved the plan.")


async def test_an_approved_plan_without_repositories_of_its_own_keeps_those_of_the_conversation(store: Store) -> None:
    first = await running(store, message_of(repositories=TWO))
    await store.move(first, RunStatus.IDLE)
    await asking(store, PLAN, mode=RunMode.PLAN)
    engine = Engine()
    await store.answer(KEY, PLAN.id, APPROVAL, engine)
    assert (await store.job(engine.works[0])).request.repositories == TWO


async def test_a_run_that_is_tried_again_goes_on_from_the_same_answer(store: Store) -> None:
    await asking(store, PLAN)
    engine = Engine()
    await store.answer(KEY, PLAN.id, APPROVAL, engine)
    followed = await store.job(engine.works[0])
    await store.move(followed.run_id, RunStatus.FAILED, error="No network.")
    again = claim_of().model_copy(update={"answering": PLAN.id})
    assert (await store.job(await accepted(store, again))).decision == followed.decision


async def test_a_plan_that_shall_change_is_revised_by_the_same_run(store: Store) -> None:
    run_id, engine = await asking(store, PLAN, mode=RunMode.PLAN), Engine()
    receipt = await store.answer(KEY, PLAN.id, OTHERWISE, engine)
    assert (receipt.run_id, engine.works) == (run_id, [f"{run_id}.2"])
    assert (await store.run(run_id)).status is RunStatus.QUEUED


# A message to a run that waits


async def test_a_message_to_a_run_that_waits_is_the_answer(store: Store) -> None:
    run_id, engine = await asking(store), Engine()
    receipt = await store.send(message_of("Navy, please.", by="Bob"), engine, message_id="m")
    assert (receipt.status, receipt.run_id, engine.works) == ("answered", run_id, [f"{run_id}.2"])
    decision = (await store.job(run_id)).decision
    assert decision is not None
    assert decision.answer == Answer(by="Bob", text="Navy, please.")
    assert await waiting(store) == []


async def test_what_is_asked_without_words_is_no_answer_and_waits(store: Store) -> None:
    run_id = await asking(store)
    receipt = await send(store, "m", "", mode=RunMode.PUBLISH)
    assert (receipt.status, receipt.run_id, await waiting(store)) == ("queued", run_id, ["m"])
    assert (await store.run(run_id)).status is RunStatus.NEEDS_INPUT


async def test_messages_go_to_the_queue_once_the_question_is_answered(store: Store) -> None:
    run_id = await asking(store)
    await store.answer(KEY, "q", NAVY, queue)
    assert (await send(store, "m")).status == "queued"
    assert (await store.run(run_id)).status is RunStatus.QUEUED


async def test_a_run_that_waits_keeps_webhooks_away(store: Store) -> None:
    run_id = await asking(store)
    receipt = await store.claim(claim_of(), queue)
    assert (receipt.status, receipt.run_id) == ("duplicate", run_id)
    await ended(store, claim_of("PROJ-2"))
    await accepted(store, claim_of("PROJ-2"))
