"""Every store forgets what is old, keeps what is needed, and says how much there is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from app.domain.budget import Spending
from app.models import Answer, EventKind, PullRequest, RepositoryChanges, RunStatus
from app.results import Checkpoint, Turn, Worker, WorkerState
from app.services.store import Pruned, Store
from tests.contracts.conversing import KEY, ONE, TWO, Engine, asking, message_of, running
from tests.contracts.test_store import accepted, claim_of, ended, queue

NOW = datetime.now(UTC)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
KEEP_ALL = {"events_before": PAST, "transcripts_before": PAST, "deliveries_before": PAST}
FORGET_ALL = {"events_before": FUTURE, "transcripts_before": FUTURE, "deliveries_before": FUTURE}


async def over(store: Store, key: str = KEY, **asked: Any) -> str:
    """A person's run that has ended."""
    run_id = await running(store, message_of(key=key, **asked))
    await store.move(run_id, RunStatus.IDLE)
    return run_id


# Idle conversations


async def test_a_conversation_is_idle_since_its_last_run_ended(store: Store) -> None:
    for key in ("PROJ-2", "PROJ-1", "PROJ-3"):
        await over(store, key)
    await over(store, "PROJ-2")
    assert [idle.ticket for idle in await store.idle_since(FUTURE)] == ["PROJ-1", "PROJ-3", "PROJ-2"]
    assert await store.idle_since(PAST) == ()


async def test_a_conversation_that_works_or_waits_is_not_idle(store: Store) -> None:
    for key in ("PROJ-1", "PROJ-2", "PROJ-3"):
        await over(store, key)
    await accepted(store, claim_of("PROJ-1"))
    await asking(store, key="PROJ-2")
    await store.keep_ticket(claim_of("PROJ-9").ticket)
    assert [idle.ticket for idle in await store.idle_since(FUTURE)] == ["PROJ-3"]


async def test_an_idle_conversation_names_what_it_has_on_disks(store: Store) -> None:
    run_id = await running(store, message_of(repositories=ONE))
    await store.remember_session(run_id, "s")
    await store.keep_changes(run_id, RepositoryChanges(repository="a/three", branch="b", base="main"))
    await store.move(run_id, RunStatus.IDLE)
    await over(store, repositories=TWO)
    await over(store, "PROJ-2")
    first, second = await store.idle_since(FUTURE)
    assert (first.session_id, first.repositories) == ("s", ("a/one", "a/three", "a/two"))
    assert (second.session_id, second.repositories) == (None, ())


# Forgetting


async def test_the_events_of_a_conversation_go_when_its_last_run_is_old_and_its_runs_stay(store: Store) -> None:
    run_id = await running(store)
    for number in range(620):
        await store.append(run_id, EventKind.TEXT, {"text": f"{number}"})
    pull_request = PullRequest(url="https://forge.test/1", number=1, repository="a/one")
    await store.add_pull_request(run_id, pull_request)
    turn = await store.record_turn(run_id, "implement", Turn(text="Done.", session_id="s", session_cost_usd=0.5))
    await store.move(run_id, RunStatus.PR_OPENED)
    known = await store.run(run_id)
    number = (await store.conversation(KEY)).last_seq

    assert await store.prune(**KEEP_ALL) == Pruned()
    assert (await store.prune(**FORGET_ALL)).events == number
    assert await store.history(KEY) == ()
    assert await store.events(run_id) == ()
    assert await store.run(run_id) == known
    assert await store.turn(run_id, "implement") == turn
    assert (await store.conversation(KEY)).pull_requests == (pull_request,)
    assert await store.prune(**FORGET_ALL) == Pruned()


async def test_a_conversation_goes_on_counting_where_its_events_were_forgotten(store: Store) -> None:
    await over(store)
    number = (await store.conversation(KEY)).last_seq
    await store.prune(**FORGET_ALL)
    await accepted(store)
    assert [event.seq for event in await store.history(KEY)] == [number + 1]


async def test_nothing_of_a_conversation_with_an_active_run_is_forgotten(store: Store) -> None:
    await over(store)
    run_id = await asking(store)
    await store.remember_session(run_id, "author")
    await store.record_turn(run_id, "review", Turn(text="Fine.", session_id="reviewer"))
    await store.keep_checkpoint(run_id, checkpoint_of(bundle=None))
    for session in ("author", "reviewer"):
        await store.keep_entries(session, "", [{"uuid": "a"}])
    before = tuple(await store.history(KEY))
    assert await store.prune(**FORGET_ALL) == Pruned()
    assert tuple(await store.history(KEY)) == before
    await store.answer(KEY, "q", Answer(by="Ada", text="Navy"), queue)


async def test_transcripts_go_with_their_age_in_all_their_parts(store: Store) -> None:
    run_id = await running(store)
    await store.remember_session(run_id, "s")
    for part in ("", "subagents/a"):
        await store.keep_entries("s", part, [{"n": number} for number in range(400)])
    await store.move(run_id, RunStatus.IDLE)
    assert (await store.prune(**KEEP_ALL)).transcript_entries == 0
    assert (await store.prune(**{**KEEP_ALL, "transcripts_before": FUTURE})).transcript_entries == 800
    assert await store.entries("s") == {}
    assert len(await store.history(KEY)) > 0


def checkpoint_of(*, bundle: bytes | None) -> Checkpoint:
    return Checkpoint(id=str(uuid4()), repository="a/one", state={}, bundle=bundle)


async def test_a_checkpoint_goes_when_it_holds_no_work_and_stays_while_it_does(store: Store) -> None:
    published, unpublished = await running(store), await running(store, claim_of("PROJ-2"))
    await store.keep_checkpoint(published, checkpoint_of(bundle=None))
    await store.keep_checkpoint(unpublished, checkpoint_of(bundle=b"work"))
    for run_id in (published, unpublished):
        await store.move(run_id, RunStatus.IDLE)
    assert (await store.prune(**FORGET_ALL)).checkpoints == 1
    assert await store.checkpoint(KEY, "a/one") is None
    kept = await store.checkpoint("PROJ-2", "a/one")
    assert kept is not None
    assert kept.bundle == b"work"


async def test_a_delivery_is_known_until_it_is_forgotten(store: Store) -> None:
    claims = [claim_of(f"PROJ-{number}", (f"id:{number}", None)) for number in range(1, 4)]
    for claim in claims:
        await ended(store, claim)
    assert (await store.prune(**KEEP_ALL)).deliveries == 0
    assert (await store.claim(claims[0], queue)).status == "duplicate"
    assert (await store.prune(**{**KEEP_ALL, "deliveries_before": FUTURE})).deliveries == 3
    assert (await store.claim(claims[0], queue)).status == "accepted"


async def test_what_was_spent_is_never_forgotten(store: Store) -> None:
    run_id = await over(store)
    spending = Spending(id="1", ticket=KEY, run_id=run_id, session_id="s", at=NOW - timedelta(days=900), cost_usd=2.5)
    await store.settle(spending.model_copy(update={"settled": True}))
    await store.prune(**FORGET_ALL)
    assert (await store.spent(KEY, spending.day)).ticket_usd == 2.5


async def test_a_worker_that_lives_is_not_forgotten(store: Store) -> None:
    await store.beat(Worker(id="one", host="here", state=WorkerState.FULL, started_at=PAST, seen_at=PAST))
    assert (await store.prune(**FORGET_ALL)).workers == 0
    assert len(await store.workers()) == 1


# How much there is


async def test_an_empty_store_counts_nothing(store: Store) -> None:
    census = await store.census()
    assert (census.runs, census.queued, census.oldest_queued_s) == ({}, {}, None)


async def test_runs_are_counted_by_status_and_those_that_wait_by_bucket(store: Store) -> None:
    await ended(store, claim_of("OPS-1"))
    await running(store, claim_of("OPS-2"))
    for key in ("OPS-3", "PROJ-1", "PROJ-2", "A_B-1"):
        await accepted(store, claim_of(key))
    census = await store.census()
    assert census.runs == {RunStatus.IDLE: 1, RunStatus.RUNNING: 1, RunStatus.QUEUED: 4}
    assert census.queued == {"OPS": 1, "PROJ": 2, "A_B": 1}
    assert census.oldest_queued_s is not None
    assert 0 <= census.oldest_queued_s < 60


async def test_a_run_that_was_answered_waits_since_then_only(store: Store) -> None:
    run_id = await asking(store)
    asked_at = datetime.now(UTC)
    await store.answer(KEY, "q", Answer(by="Ada", text="Navy"), Engine())
    waits = (await store.census()).oldest_queued_s
    assert waits is not None
    assert waits <= (datetime.now(UTC) - asked_at).total_seconds()
    assert (await store.run(run_id)).created_at < asked_at
