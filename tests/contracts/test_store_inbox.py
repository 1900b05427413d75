"""Every store settles what trackers send by its own time, whatever the order of delivery, and bears storms of it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from app.models import Answer, EventKind, RunFilter, RunStatus, Ticket, Trigger
from app.services.store import Claim, Store
from tests.contracts.conversing import (
    APPROVAL,
    KEY,
    PLAN,
    QUESTION,
    Engine,
    asking,
    heard,
    message_of,
    running,
)
from tests.contracts.test_store import LATER, accepted, claim_of, ended, queue

Both = tuple[Store, Store]

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)


def text_of(summary: str, minute: int | None, *, name: str = "", **facts: Any) -> Claim:
    """What the tracker says of the ticket at that minute; None: it does not say when."""
    at = None if minute is None else NOON + timedelta(minutes=minute)
    ticket = claim_of().ticket.model_copy(update={"summary": summary, "updated_at": at, **facts})
    return claim_of("PROJ-1", (name or f"id:{summary}", None)).model_copy(update={"ticket": ticket})


# Order


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_newest_text_stands_in_whatever_order_texts_come(store: Store, order: tuple[int, ...]) -> None:
    for minute in order:
        await store.claim(text_of(f"at {minute}", minute), queue)
    (run,) = (await store.runs(RunFilter())).runs
    assert (await store.job(run.id)).ticket == text_of("at 2", 2).ticket
    assert (await store.ticket(KEY)) == text_of("at 2", 2).ticket


async def test_an_older_text_is_not_told_in_a_run_that_has_a_newer_one(store: Store) -> None:
    await running(store, text_of("new", 1))
    receipt = await store.claim(text_of("old", 0), queue)
    assert (receipt.status, await heard(store, EventKind.TICKET_UPDATED)) == ("duplicate", [])


async def test_an_older_text_begins_no_run_after_the_one_of_a_newer_text(store: Store) -> None:
    run_id = await ended(store, text_of("new", 1))
    for _ in range(2):
        receipt = await store.claim(text_of("old", 0), queue)
        assert (receipt.status, receipt.run_id) == ("duplicate", run_id)


async def test_an_older_text_begins_a_run_with_the_newest_one_when_none_of_the_trackers_had_it(store: Store) -> None:
    asked = message_of()
    await ended(store, asked.model_copy(update={"ticket": text_of("new", 1).ticket}))
    receipt = await store.claim(text_of("old", 0), queue)
    assert receipt.run_id is not None
    assert (receipt.status, (await store.job(receipt.run_id)).ticket.summary) == ("accepted", "new")


async def test_an_older_text_begins_a_run_when_the_one_of_a_newer_text_failed(store: Store) -> None:
    await ended(store, text_of("new", 1), error="broken")
    assert (await store.claim(text_of("old", 0), queue)).status == "accepted"


async def test_somebody_who_asks_for_a_run_gets_it_whatever_text_they_had(store: Store) -> None:
    await ended(store, text_of("new", 1))
    asked = text_of("old", 0).model_copy(update={"deliveries": ()})
    assert (await store.claim(asked, queue)).status == "accepted"


async def test_of_two_texts_of_one_time_the_last_one_stands(store: Store) -> None:
    for summary in ("first", "last"):
        await store.keep_ticket(text_of(summary, 1).ticket)
    assert (await store.ticket(KEY)).summary == "last"


async def test_a_text_without_a_time_stands_until_a_newer_one_comes(store: Store) -> None:
    stands = []
    for claim in (text_of("dated", 2), text_of("undated", None), text_of("older", 1), text_of("newer", 3)):
        await store.keep_ticket(claim.ticket)
        stands.append((await store.ticket(KEY)).summary)
    assert stands == ["dated", "undated", "undated", "newer"]


async def test_a_change_of_the_time_alone_is_no_news(store: Store) -> None:
    await running(store, text_of("same", 0))
    before = (await store.conversation(KEY)).updated_at
    await store.claim(text_of("same", 5, name="id:2"), queue)
    assert await heard(store, EventKind.TICKET_UPDATED) == []
    assert (await store.conversation(KEY)).updated_at == before
    assert (await store.ticket(KEY)).updated_at == NOON + timedelta(minutes=5)


# Priority


async def test_the_queue_is_told_bucket_and_priority_of_each_ticket(store: Store) -> None:
    engine = Engine()
    run_id = (await store.claim(text_of("x", 1, priority=2), engine)).run_id
    (work,) = engine.taken
    assert (work.id, work.bucket, work.priority) == (run_id, "PROJ", 2)


async def test_a_run_has_the_priority_of_the_newest_text(store: Store) -> None:
    engine = Engine()
    await ended(store, text_of("new", 1, priority=1), error="broken")
    await store.claim(text_of("old", 0, priority=5), engine)
    assert [work.priority for work in engine.taken] == [1]


async def test_what_people_wait_for_comes_before_all_tickets(store: Store) -> None:
    engine = Engine()
    lowest = text_of("x", 1, priority=5)
    await store.keep_ticket(lowest.ticket)
    first = await store.send(message_of(), engine, message_id="1")
    assert first.run_id is not None
    await store.send(message_of("And green."), engine, message_id="2")
    await store.move(first.run_id, RunStatus.RUNNING)
    await store.move(first.run_id, RunStatus.IDLE, enqueue=engine)
    retried = message_of(key="PROJ-2").model_copy(update={"trigger": Trigger.WEBHOOK})
    await store.claim(retried, engine)
    await asking(store, QUESTION, key="PROJ-3")
    await store.answer("PROJ-3", QUESTION.id, Answer(by="Ada", text="Navy"), engine)
    await asking(store, PLAN, key="OPS-4")
    await store.answer("OPS-4", PLAN.id, APPROVAL, engine)
    buckets = ["PROJ", "PROJ", "PROJ", "PROJ", "OPS"]
    assert [(work.bucket, work.priority) for work in engine.taken] == [(bucket, 0) for bucket in buckets]


# Storms


async def test_a_bulk_edit_of_five_hundred_tickets_is_taken_whole(both: Both) -> None:
    """Sent to two processes at once, each of them twice, as an impatient sender does."""

    def claim(number: int) -> Claim:
        ticket = Ticket(key=f"PROJ-{number}", summary=f"Number {number}", updated_at=NOON)
        names = ((f"id:{number}", None), (f"body:{number}", NOON - LATER))
        return claim_of().model_copy(update={"ticket": ticket, "deliveries": names})

    sent = [store.claim(claim(number), queue) for number in range(500) for store in both]
    receipts = await asyncio.gather(*sent)
    assert Counter(receipt.status for receipt in receipts) == {"accepted": 500, "duplicate": 500}
    runs_of: dict[str | None, set[str | None]] = {}
    for receipt in receipts:
        runs_of.setdefault(receipt.ticket, set()).add(receipt.run_id)
    assert [len(runs) for runs in runs_of.values()] == [1] * 500
    assert (await both[0].census()).queued == {"PROJ": 500}


async def test_two_hundred_equal_deliveries_at_once_are_one_run(both: Both) -> None:
    claim = text_of("x", 0)
    receipts = await asyncio.gather(*(store.claim(claim, queue) for _ in range(100) for store in both))
    assert Counter(receipt.status for receipt in receipts) == {"accepted": 1, "duplicate": 199}
    assert len({receipt.run_id for receipt in receipts}) == 1


async def test_a_ticket_at_work_takes_a_storm_of_edits_from_all_sides(both: Both) -> None:
    run_id = await accepted(both[0])
    edits = [both[n % 2].claim(text_of(f"edit {n}", n), queue) for n in range(100)]
    said = [both[n % 2].append(run_id, EventKind.TEXT, {"text": f"{n}"}, claimed=False) for n in range(100)]
    asked = [message_of(f"{n}").model_copy(update={"ticket": text_of("edit 0", 0).ticket}) for n in range(50)]
    sent = [both[n % 2].send(asked[n], queue, message_id=f"{n}") for n in range(50)]
    receipts = await asyncio.gather(*edits, *said, *sent)
    assert {each.status for each in receipts[:100] if each and not isinstance(each, int)} == {"duplicate"}
    assert (await both[1].ticket(KEY)).summary == "edit 99"
    assert [event.seq for event in await both[1].history(KEY, limit=1000)] == list(
        range(1, (await both[1].conversation(KEY)).last_seq + 1)
    )
