"""Every store remembers alike: claims, runs, sessions, pull requests."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.errors import Conflict, NotFound
from app.models import EventKind, PipelineOptions, PullRequest, RunFilter, RunStatus, StageName, Ticket, Trigger, Work
from app.results import Turn
from app.services.store import Claim, Store

LATER = timedelta(hours=1)


def claim_of(
    key: str = "PROJ-1",
    *deliveries: tuple[str, datetime | None],
    summary: str = "Add dark mode",
    trigger: Trigger = Trigger.WEBHOOK,
) -> Claim:
    ticket = Ticket(key=key, summary=summary, description="On every page.", url="https://example.org/1")
    options = PipelineOptions(lint=True)
    return Claim(ticket=ticket, trigger=trigger, options=options, deliveries=deliveries)


def queue(_transaction: Any, _work: Work) -> None:
    """An engine that takes everything."""


async def accepted(store: Store, claim: Claim | None = None) -> str:
    receipt = await store.claim(claim or claim_of(), queue)
    assert receipt.status == "accepted"
    assert receipt.run_id is not None
    return receipt.run_id


async def ended(store: Store, claim: Claim | None = None, *, error: str | None = None) -> str:
    run_id = await accepted(store, claim)
    await store.move(run_id, RunStatus.RUNNING)
    await store.move(run_id, RunStatus.FAILED if error else RunStatus.IDLE, error=error)
    return run_id


# Claims


async def test_a_claimed_ticket_is_a_queued_run(store: Store) -> None:
    run = await store.run(await accepted(store))
    assert (run.ticket, run.status, run.trigger) == ("PROJ-1", RunStatus.QUEUED, Trigger.WEBHOOK)
    assert (run.started_at, run.ended_at, run.stages, run.cost_usd, run.error) == (None, None, (), 0, None)
    assert abs(datetime.now(UTC) - run.created_at) < timedelta(minutes=1)


async def test_a_job_holds_what_a_worker_must_know(store: Store) -> None:
    job = await store.job(await accepted(store))
    assert job.ticket == claim_of().ticket
    assert (job.options, job.session_id, job.status) == (PipelineOptions(lint=True), None, RunStatus.QUEUED)


async def test_the_engine_gets_each_accepted_run_once(store: Store) -> None:
    queued: list[str] = []
    receipt = await store.claim(claim_of(), lambda _, work: queued.append(work.id))
    await store.claim(claim_of(), lambda _, work: queued.append(work.id))
    assert queued == [receipt.run_id]


async def test_a_ticket_that_the_engine_refuses_was_never_taken(store: Store) -> None:
    def refuse(_transaction: Any, _work: Work) -> None:
        raise ConnectionError

    claim = claim_of("PROJ-1", ("id:1", None))
    with pytest.raises(ConnectionError):
        await store.claim(claim, refuse)
    assert (await store.runs(RunFilter())).runs == ()
    assert (await store.claim(claim, queue)).status == "accepted"


async def test_a_second_claim_of_an_active_ticket_is_a_duplicate_of_its_run(store: Store) -> None:
    first = await accepted(store)
    second = await store.claim(claim_of(), queue)
    assert (second.status, second.run_id, second.ticket) == ("duplicate", first, "PROJ-1")
    assert second.reason == "PROJ-1 is being worked on already"


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.NEEDS_INPUT])
async def test_a_ticket_is_active_until_its_run_ends(store: Store, status: RunStatus) -> None:
    run_id = await accepted(store)
    await store.move(run_id, RunStatus.RUNNING)
    await store.move(run_id, status)
    assert (await store.claim(claim_of(), queue)).status == "duplicate"
    is_worked_on = status is RunStatus.RUNNING
    assert await store.in_work() == (((run_id, run_id),) if is_worked_on else ())


async def test_a_ticket_whose_run_has_ended_is_taken_again(store: Store) -> None:
    first = await ended(store)
    assert await accepted(store) != first


async def test_of_many_equal_claims_at_once_one_is_accepted(store: Store) -> None:
    claims = (store.claim(claim_of("PROJ-1", ("body:1", datetime.now(UTC) - LATER)), queue) for _ in range(50))
    receipts = await asyncio.gather(*claims)
    assert [receipt.status for receipt in receipts].count("accepted") == 1
    assert len({receipt.run_id for receipt in receipts}) == 1


async def test_claims_of_different_tickets_at_once_are_all_accepted(store: Store) -> None:
    receipts = await asyncio.gather(*(store.claim(claim_of(f"PROJ-{number}"), queue) for number in range(20)))
    assert {receipt.status for receipt in receipts} == {"accepted"}
    assert len(await store.in_work()) == 20


# Deliveries


async def test_a_known_delivery_is_a_duplicate_even_when_its_run_has_ended(store: Store) -> None:
    first = await ended(store, claim_of("PROJ-1", ("id:1", None)))
    again = await store.claim(claim_of("PROJ-1", ("id:1", None)), queue)
    assert (again.status, again.run_id, again.reason) == ("duplicate", first, "this request was taken already")


async def test_any_of_a_deliverys_names_is_enough_to_know_it(store: Store) -> None:
    await ended(store, claim_of("PROJ-1", ("id:1", None), ("body:1", None)))
    assert (await store.claim(claim_of("PROJ-1", ("id:2", None), ("body:1", None)), queue)).status == "duplicate"


async def test_a_delivery_that_counts_for_a_time_is_taken_again_afterwards(store: Store) -> None:
    now = datetime.now(UTC)
    await ended(store, claim_of("PROJ-1", ("body:1", now - LATER)))
    assert (await store.claim(claim_of("PROJ-1", ("body:1", now - LATER)), queue)).status == "duplicate"
    assert (await store.claim(claim_of("PROJ-1", ("body:1", now + LATER)), queue)).status == "accepted"


async def test_an_equal_body_is_taken_again_when_its_run_failed(store: Store) -> None:
    recent = datetime.now(UTC) - LATER
    await ended(store, claim_of("PROJ-1", ("id:1", None), ("body:1", recent)), error="No network.")
    assert (await store.claim(claim_of("PROJ-1", ("id:1", None)), queue)).status == "duplicate"
    assert (await store.claim(claim_of("PROJ-1", ("body:1", recent)), queue)).status == "accepted"


async def test_a_delivery_that_met_an_active_ticket_is_known_too(store: Store) -> None:
    first = await accepted(store, claim_of("PROJ-1", ("id:1", None)))
    await store.claim(claim_of("PROJ-1", ("id:2", None)), queue)
    await store.move(first, RunStatus.IDLE)
    again = await store.claim(claim_of("PROJ-1", ("id:2", None)), queue)
    assert (again.status, again.run_id) == ("duplicate", first)


# The ticket's text


async def test_newer_text_of_an_active_ticket_is_kept_and_told(store: Store) -> None:
    run_id = await accepted(store)
    await store.claim(claim_of(summary="Add a dark theme"), queue)
    assert (await store.job(run_id)).ticket.summary == "Add a dark theme"
    told = (await store.events(run_id))[-1]
    assert (told.kind, told.payload) == (EventKind.TICKET_UPDATED, {"summary": "Add a dark theme"})


async def test_the_same_text_of_an_active_ticket_is_not_told(store: Store) -> None:
    run_id = await accepted(store)
    await store.claim(claim_of(), queue)
    assert [event.kind for event in await store.events(run_id)] == [EventKind.RUN_STATUS]


async def test_a_new_run_works_on_the_newest_text(store: Store) -> None:
    await ended(store)
    run_id = await accepted(store, claim_of(summary="Add a dark theme"))
    assert (await store.job(run_id)).ticket.summary == "Add a dark theme"


# Runs


async def test_an_unknown_run_is_not_found(store: Store) -> None:
    for asked in (
        store.run("none"),
        store.job("none"),
        store.events("none"),
        store.move("none", RunStatus.RUNNING),
        store.append("none", EventKind.NOTICE, {}),
        store.stage_started("none", StageName.LINT),
        store.record_turn("none", "implement", Turn(text="", session_id="s")),
        store.remember_session("none", "s"),
        store.add_pull_request("none", PullRequest(url="https://x", number=1, repository="a/b")),
        anext(store.follow("none")),
    ):
        with pytest.raises(NotFound, match="There is no run none"):
            await asked
    assert await store.turn("none", "implement") is None


async def test_runs_are_listed_newest_first(store: Store) -> None:
    made = [await accepted(store, claim_of(f"PROJ-{number}")) for number in range(3)]
    page = await store.runs(RunFilter())
    assert [run.id for run in page.runs] == made[::-1]
    assert page.next is None


async def test_a_list_can_be_narrowed(store: Store) -> None:
    old = await ended(store, claim_of("PROJ-1"))
    new = await accepted(store, claim_of("PROJ-1"))
    other = await accepted(store, claim_of("PROJ-2", trigger=Trigger.COMMAND))

    async def listed(**wanted: Any) -> list[str]:
        return [run.id for run in (await store.runs(RunFilter(**wanted))).runs]

    assert await listed(ticket="PROJ-1") == [new, old]
    assert await listed(status=RunStatus.IDLE) == [old]
    assert await listed(trigger=Trigger.COMMAND) == [other]
    assert await listed(ticket="PROJ-1", status=RunStatus.QUEUED, trigger=Trigger.WEBHOOK) == [new]
    assert await listed(ticket="PROJ-9") == []


async def test_pages_show_every_run_once(store: Store) -> None:
    made = [await accepted(store, claim_of(f"PROJ-{number}")) for number in range(7)]
    seen, cursor = list[str](), None
    for _ in range(3):
        page = await store.runs(RunFilter(before=cursor, limit=3))
        seen, cursor = [*seen, *(run.id for run in page.runs)], page.next
    assert seen == made[::-1]
    assert cursor is None


async def test_a_run_that_was_taken_between_two_pages_moves_nothing(store: Store) -> None:
    made = [await accepted(store, claim_of(f"PROJ-{number}")) for number in range(4)]
    first = await store.runs(RunFilter(limit=2))
    await accepted(store, claim_of("PROJ-9"))
    second = await store.runs(RunFilter(limit=2, before=first.next))
    assert [run.id for run in second.runs] == made[1::-1]
    assert second.next is None


# Moves


async def test_a_run_carries_the_times_of_its_moves(store: Store) -> None:
    run_id = await accepted(store)
    assert await store.move(run_id, RunStatus.RUNNING)
    assert await store.move(run_id, RunStatus.NEEDS_INPUT)
    assert await store.move(run_id, RunStatus.QUEUED)
    assert await store.move(run_id, RunStatus.RUNNING)
    started = (await store.run(run_id)).started_at
    assert await store.move(run_id, RunStatus.PR_OPENED, outcome="Opened.")
    run = await store.run(run_id)
    assert started is not None
    assert run.started_at == started
    assert run.ended_at is not None
    assert run.created_at <= started <= run.ended_at
    assert (run.status, run.outcome, run.error) == (RunStatus.PR_OPENED, "Opened.", None)
    assert await store.in_work() == ()


async def test_each_move_is_told(store: Store) -> None:
    run_id = await accepted(store)
    await store.move(run_id, RunStatus.RUNNING)
    await store.move(run_id, RunStatus.IDLE, outcome="Stopped by Ada.", by="Ada")
    events = await store.events(run_id)
    assert [(event.kind, event.payload) for event in events] == [
        (EventKind.RUN_STATUS, {"status": "queued", "trigger": "webhook", "mode": "implement"}),
        (EventKind.RUN_STATUS, {"status": "running"}),
        (EventKind.RUN_STATUS, {"status": "idle", "reason": "Stopped by Ada.", "by": "Ada"}),
    ]


async def test_an_error_is_told_before_the_end(store: Store) -> None:
    run_id = await ended(store, error="No network.")
    assert (await store.run(run_id)).error == "No network."
    assert [event.kind for event in await store.events(run_id)][-2:] == [EventKind.ERROR, EventKind.RUN_STATUS]


async def test_moving_to_where_the_run_is_changes_nothing(store: Store) -> None:
    run_id = await ended(store)
    before = await store.run(run_id), await store.events(run_id)
    assert not await store.move(run_id, RunStatus.IDLE, outcome="again")
    assert (await store.run(run_id), await store.events(run_id)) == before


async def test_a_forbidden_move_changes_nothing(store: Store) -> None:
    run_id = await ended(store)
    before = await store.run(run_id), await store.events(run_id)
    with pytest.raises(Conflict, match="is idle; it cannot become running"):
        await store.move(run_id, RunStatus.RUNNING)
    assert (await store.run(run_id), await store.events(run_id)) == before


# Sessions


async def test_a_conversation_keeps_its_first_session(store: Store) -> None:
    run_id = await accepted(store)
    assert await store.remember_session(run_id, "one") == "one"
    assert await store.remember_session(run_id, "two") == "one"
    assert (await store.job(run_id)).session_id == "one"


async def test_a_later_run_of_the_ticket_knows_the_session(store: Store) -> None:
    first = await accepted(store)
    await store.remember_session(first, "one")
    await store.move(first, RunStatus.IDLE)
    assert (await store.job(await accepted(store))).session_id == "one"
    assert (await store.job(await accepted(store, claim_of("PROJ-2")))).session_id is None


# Pull requests


async def test_a_pull_request_is_remembered_and_told_once(store: Store) -> None:
    run_id = await accepted(store)
    pull_request = PullRequest(url="https://github.com/a/b/pull/1", number=1, repository="a/b", draft=True)
    for _ in range(2):
        await store.add_pull_request(run_id, pull_request)
    other = pull_request.model_copy(update={"url": "https://github.com/a/c/pull/7", "repository": "a/c"})
    await store.add_pull_request(run_id, other)
    assert (await store.run(run_id)).pull_requests == (pull_request, other)
    told = [event for event in await store.events(run_id) if event.kind == EventKind.PULL_REQUEST]
    assert [event.payload["url"] for event in told] == [pull_request.url, other.url]
