"""Every store delivers people's messages alike: each once, one at a time, in their order."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.errors import Conflict, NotFound
from app.models import EventKind, PipelineOptions, RunMode, RunStatus, StageName, Trigger
from app.services.store import Enqueue, Store
from tests.contracts.conversing import (
    APPROVAL,
    KEY,
    ONE,
    PLAN,
    Engine,
    EngineAway,
    asking,
    at_work_again,
    everything,
    heard,
    message_of,
    refuse,
    running,
    send,
    waiting,
)
from tests.contracts.test_store import accepted, claim_of, ended, queue
from tests.contracts.test_store_history import turn_of

# A message begins a run


async def test_a_message_to_a_conversation_that_rests_begins_a_run(store: Store) -> None:
    engine = Engine()
    claim = message_of("Use blue.", model="opus", auto_pr=True, repositories=ONE)
    receipt = await store.send(claim, engine, message_id="m")
    assert (receipt.status, receipt.ticket, [receipt.run_id]) == ("accepted", KEY, engine.works)
    run = await store.run(engine.works[0])
    assert (run.status, run.trigger, run.mode, run.text, run.by) == ("queued", "message", "edits", "Use blue.", "Ada")
    assert (run.model, run.auto_pr, run.repositories) == ("opus", True, ONE)
    job = await store.job(run.id)
    assert (job.request, job.options, job.leg) == (claim.request, PipelineOptions(lint=True), 1)


async def test_who_said_what_is_told(store: Store) -> None:
    await send(store, "m", "Why blue?", mode=RunMode.ASK, model="opus")
    (begun,) = await heard(store, EventKind.RUN_STATUS)
    assert begun == {"status": "queued", "trigger": "message", "mode": "ask", "by": "Ada"}
    (said,) = await heard(store, EventKind.MESSAGE_SENT)
    assert said == {"text": "Why blue?", "by": "Ada", "mode": "ask", "model": "opus", "auto_pr": False}


async def test_what_is_asked_without_words_is_not_told_as_a_message(store: Store) -> None:
    await send(store, "m", "", mode=RunMode.PUBLISH)
    assert await heard(store, EventKind.MESSAGE_SENT) == []


# The queue


async def test_messages_to_an_active_run_wait_in_their_order(store: Store) -> None:
    run_id, engine = await running(store), Engine()
    for number in range(3):
        claim = message_of(f"message {number}", by="Bob")
        receipt = await store.send(claim, engine, message_id=f"m{number}")
        assert (receipt.status, receipt.run_id) == ("queued", run_id)
    assert engine.works == []
    messages = (await store.conversation(KEY)).queue
    assert [(each.id, each.request.text) for each in messages] == [(f"m{n}", f"message {n}") for n in range(3)]
    assert messages[0].request == message_of("message 0", by="Bob").request
    assert abs(datetime.now(UTC) - messages[0].at) < timedelta(minutes=1)
    first = {"id": "m0", "text": "message 0", "by": "Bob", "mode": "edits"}
    assert (await heard(store, EventKind.MESSAGE_QUEUED))[0] == first


@pytest.mark.parametrize("end", [RunStatus.IDLE, RunStatus.PR_OPENED])
async def test_the_end_of_a_run_is_the_turn_of_the_next_message(store: Store, end: RunStatus) -> None:
    run_id, engine = await running(store), Engine()
    first = message_of("first", by="Bob", mode=RunMode.ASK, repositories=ONE)
    await store.send(first, queue, message_id="m1")
    await send(store, "m2", "second")
    await store.move(run_id, end, enqueue=engine)
    (begun,) = engine.works
    job = await store.job(begun)
    assert (job.request, job.options, job.trigger) == (first.request, first.options, Trigger.MESSAGE)
    assert await waiting(store) == ["m2"]
    await store.move(begun, RunStatus.IDLE, enqueue=engine)
    assert (await store.job(engine.works[1])).request.text == "second"
    await store.move(engine.works[1], RunStatus.IDLE, enqueue=engine)
    assert (await waiting(store), await store.in_work(), len(engine.works)) == ([], (), 2)


async def test_only_an_end_is_the_turn_of_the_next_message(store: Store) -> None:
    engine = Engine()
    run_id = await accepted(store)
    await send(store, "m")
    await store.move(run_id, RunStatus.RUNNING, enqueue=engine)
    await store.move(run_id, RunStatus.IDLE, enqueue=engine)
    assert len(engine.works) == 1
    await store.move(run_id, RunStatus.IDLE, enqueue=engine)
    assert len(engine.works) == 1


async def failure(store: Store, run_id: str) -> None:
    await store.move(run_id, RunStatus.FAILED, error="No network.")


async def stop(store: Store, run_id: str) -> None:
    await store.stop_run(run_id, outcome="Stopped by Ada.", by="Ada")


@pytest.mark.parametrize("end", [failure, stop])
async def test_a_failure_and_a_stop_hold_the_queue(store: Store, end: Callable[[Store, str], Awaitable[None]]) -> None:
    run_id = await running(store)
    await send(store, "m1")
    await end(store, run_id)
    assert (await waiting(store), await store.in_work()) == (["m1"], ())


async def test_the_late_end_of_a_stopped_run_leaves_the_queue_held(store: Store) -> None:
    run_id, engine = await running(store), Engine()
    await send(store, "m1")
    await stop(store, run_id)
    assert not await store.move(run_id, RunStatus.IDLE, enqueue=engine)
    assert (engine.works, await waiting(store)) == ([], ["m1"])


async def test_a_message_after_held_ones_lets_the_first_of_them_go(store: Store) -> None:
    run_id = await running(store)
    await send(store, "m1", "first")
    await failure(store, run_id)
    receipt = await send(store, "m2", "second")
    newest = (await store.conversation(KEY)).run
    assert (newest.text, await waiting(store)) == ("first", ["m2"])
    assert (receipt.status, receipt.run_id) == ("queued", newest.id)


async def test_a_ticket_that_is_sent_again_goes_before_held_messages(store: Store) -> None:
    run_id, engine = await running(store), Engine()
    await send(store, "m1")
    await failure(store, run_id)
    again = await accepted(store)
    assert await waiting(store) == ["m1"]
    await store.move(again, RunStatus.IDLE, enqueue=engine)
    assert (await waiting(store), len(engine.works)) == ([], 1)


# The same message


@pytest.mark.parametrize("before", ["nothing", "a run", "a question"])
async def test_the_same_message_is_taken_once(store: Store, before: str) -> None:
    run_id = None
    if before == "a run":
        run_id = await running(store)
    if before == "a question":
        run_id = await asking(store)
    first = await send(store, "m")
    assert first.status == {"nothing": "accepted", "a run": "queued", "a question": "answered"}[before]
    known = await everything(store)
    again = await send(store, "m")
    assert (again.status, again.ticket, again.reason) == ("duplicate", KEY, "it was sent already")
    assert again.run_id == {"nothing": first.run_id, "a run": None, "a question": run_id}[before]
    assert await everything(store) == known


async def test_other_words_with_the_id_of_a_message_are_refused_and_not_lost_in_silence(store: Store) -> None:
    await send(store, "m")
    known = await everything(store)
    with pytest.raises(Conflict, match="Something else was sent from this page before"):
        await send(store, "m", "something else")
    assert await everything(store) == known


async def test_a_message_that_was_withdrawn_is_not_taken_again(store: Store) -> None:
    await running(store)
    await send(store, "m")
    await store.withdraw("m", by="Ada")
    assert (await send(store, "m")).status == "duplicate"
    assert await waiting(store) == []


# Withdraw


async def test_a_withdrawn_message_is_never_delivered(store: Store) -> None:
    run_id, engine = await running(store), Engine()
    await send(store, "m1", "first")
    await send(store, "m2", "second")
    await store.withdraw("m1", by="Bob")
    assert await waiting(store) == ["m2"]
    assert await heard(store, EventKind.MESSAGE_WITHDRAWN) == [{"id": "m1", "by": "Bob"}]
    await store.move(run_id, RunStatus.IDLE, enqueue=engine)
    assert [(await store.job(work)).request.text for work in engine.works] == ["second"]


async def test_only_a_message_that_waits_can_be_withdrawn_or_hurried(store: Store) -> None:
    run_id = (await send(store, "delivered")).run_id
    await send(store, "withdrawn")
    await store.withdraw("withdrawn", by="Ada")
    known = await everything(store)
    for message_id in ("delivered", "withdrawn"):
        with pytest.raises(Conflict, match=f"The message was {message_id} already"):
            await store.withdraw(message_id, by="Bob")
        with pytest.raises(Conflict, match=f"The message was {message_id} already"):
            await store.send_now(message_id, queue, by="Bob")
    with pytest.raises(NotFound, match="no such message"):
        await store.withdraw("unknown", by="Bob")
    with pytest.raises(NotFound, match="no such message"):
        await store.send_now("unknown", queue, by="Bob")
    assert await everything(store) == known
    assert known[0].run.id == run_id


# Send now


async def test_a_message_that_is_sent_now_stops_the_run_and_goes_before_all_others(store: Store) -> None:
    run_id, engine = await running(store), Engine()
    for number in range(3):
        await send(store, f"m{number}", f"message {number}")
    assert await store.send_now("m2", engine, by="Bob") == run_id
    stopped = await store.run(run_id)
    assert (stopped.status, stopped.error) == (RunStatus.IDLE, None)
    assert "Interrupted by Bob" in (stopped.outcome or "")
    newest = (await store.conversation(KEY)).run
    assert ([newest.id], newest.text) == (engine.works, "message 2")
    assert await waiting(store) == ["m0", "m1"]
    assert await store.send_now("m1", engine, by="Bob") == newest.id
    assert await waiting(store) == ["m0"]


async def test_the_work_that_was_stopped_is_that_of_the_runs_leg(store: Store) -> None:
    run_id = await asking(store)
    await at_work_again(store, run_id)
    await send(store, "m")
    assert await store.send_now("m", queue, by="Ada") == f"{run_id}.2"


async def test_a_held_message_can_be_sent_now(store: Store) -> None:
    run_id, engine = await running(store), Engine()
    await send(store, "m")
    await failure(store, run_id)
    assert await store.send_now("m", engine, by="Ada") is None
    assert (len(engine.works), await waiting(store)) == (1, [])


# Stop


async def test_a_stopped_run_says_by_whom_and_names_the_work(store: Store) -> None:
    run_id = await running(store)
    assert await store.stop_run(run_id, outcome="Stopped by Ada.", by="Ada") == run_id
    run = await store.run(run_id)
    assert (run.status, run.outcome, run.ended_at is None) == (RunStatus.IDLE, "Stopped by Ada.", False)
    told = (await heard(store, EventKind.RUN_STATUS))[-1]
    assert told == {"status": "idle", "reason": "Stopped by Ada.", "by": "Ada"}


async def test_a_run_that_waits_for_people_can_be_stopped(store: Store) -> None:
    run_id = await asking(store)
    await at_work_again(store, run_id)
    await store.ask(run_id, PLAN)
    assert await store.stop_run(run_id, outcome="Stopped by Ada.", by="Ada") == f"{run_id}.2"
    assert (await store.conversation(KEY)).waits_for is None


async def test_what_has_ended_cannot_be_stopped(store: Store) -> None:
    run_id = await ended(store)
    known = await everything(store)
    with pytest.raises(Conflict, match=r"has ended \(idle\); there is nothing to stop"):
        await store.stop_run(run_id, outcome="", by="Ada")
    with pytest.raises(NotFound, match="There is no run none"):
        await store.stop_run("none", outcome="", by="Ada")
    assert await everything(store) == known


# An engine that takes nothing


async def send_to_one_that_rests(store: Store, enqueue: Enqueue) -> Any:
    return await store.send(message_of(), enqueue, message_id="new")


async def send_now(store: Store, enqueue: Enqueue) -> Any:
    return await store.send_now("held", enqueue, by="Ada")


async def end(store: Store, enqueue: Enqueue) -> Any:
    return await store.move((await store.conversation(KEY)).run.id, RunStatus.IDLE, enqueue=enqueue)


async def answer(store: Store, enqueue: Enqueue) -> Any:
    return await store.answer(KEY, PLAN.id, APPROVAL.model_copy(update={"approved": False}), enqueue)


async def approve(store: Store, enqueue: Enqueue) -> Any:
    return await store.answer(KEY, PLAN.id, APPROVAL, enqueue)


@pytest.mark.parametrize("act", [send_to_one_that_rests, send_now, end, answer, approve])
async def test_when_the_engine_refuses_nothing_has_happened(
    store: Store, act: Callable[[Store, Enqueue], Awaitable[Any]]
) -> None:
    if act is send_to_one_that_rests:
        await ended(store)
    else:
        run_id = await running(store)
        await send(store, "held")
        if act in {answer, approve}:
            await store.ask(run_id, PLAN)
    known = await everything(store), await store.decisions(KEY), await store.in_work()
    with pytest.raises(EngineAway):
        await act(store, refuse)
    assert (await everything(store), await store.decisions(KEY), await store.in_work()) == known
    engine = Engine()
    await act(store, engine)
    assert len(engine.works) == 1


# At once


async def test_of_messages_that_come_at_once_one_begins_a_run_and_the_others_wait(store: Store) -> None:
    engine = Engine()
    sending = (store.send(message_of(), engine, message_id=f"m{number}") for number in range(8))
    receipts = await asyncio.gather(*sending)
    assert Counter(receipt.status for receipt in receipts) == {"accepted": 1, "queued": 7}
    assert len({receipt.run_id for receipt in receipts}) == 1
    assert len(await waiting(store)) == 7
    assert await store.in_work() == ((receipts[0].run_id, receipts[0].run_id),)


async def test_of_the_same_message_sent_many_times_at_once_one_is_taken(store: Store) -> None:
    receipts = await asyncio.gather(*(send(store, "m") for _ in range(8)))
    assert Counter(receipt.status for receipt in receipts) == {"accepted": 1, "duplicate": 7}
    assert await waiting(store) == []


async def test_a_message_and_a_webhook_at_once_make_one_run(store: Store) -> None:
    for number in range(5):
        key = f"PROJ-{number}"
        await ended(store, claim_of(key))
        claimed, said = await asyncio.gather(store.claim(claim_of(key), queue), send(store, f"m{number}", key=key))
        assert {claimed.status, said.status} in ({"accepted", "queued"}, {"duplicate", "accepted"})
        assert claimed.run_id == said.run_id


async def test_a_message_that_comes_with_the_end_of_a_run_is_not_left_behind(store: Store) -> None:
    for number in range(8):
        key, engine = f"PROJ-{number}", Engine()
        run_id = await running(store, claim_of(key))
        sending = store.send(message_of(key=key), engine, message_id=f"m{number}")
        await asyncio.gather(store.move(run_id, RunStatus.IDLE, enqueue=engine), sending)
        assert (len(engine.works), await waiting(store, key)) == (1, [])


async def test_a_run_and_people_who_write_at_once_do_not_stand_in_each_others_way(store: Store) -> None:
    run_id = await running(store)

    async def work() -> None:
        for number in range(10):
            await asyncio.gather(
                store.append(run_id, EventKind.TEXT, {"text": "…"}, once=f"text {number}"),
                store.append(run_id, EventKind.TEXT, {"text": "…"}, once=f"text {number}"),
                store.stage_started(run_id, StageName.LINT, visit=number),
                store.record_turn(run_id, f"turn {number}", turn_of(number / 10)),
            )

    async def talk() -> None:
        for number in range(10):
            await send(store, f"m{number}")
            await store.claim(claim_of(summary=f"text {number}"), queue)
            await store.withdraw(f"m{number}", by="Ada")

    async def change() -> None:
        for number in range(5):
            await store.move(run_id, RunStatus.NEEDS_INPUT)
            await store.move(run_id, RunStatus.QUEUED)
            await store.move(run_id, RunStatus.RUNNING)
            await store.remember_session(run_id, f"{number}")

    await asyncio.gather(work(), talk(), change())
    kinds = Counter(event.kind for event in await store.events(run_id, limit=1000))
    assert (kinds[EventKind.TEXT], kinds[EventKind.STAGE_STARTED], kinds[EventKind.TURN_ENDED]) == (10, 10, 10)
    numbers = [event.seq for event in await store.history(KEY, limit=1000)]
    assert numbers == list(range(1, len(numbers) + 1))
