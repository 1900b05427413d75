"""Every store keeps a run for the worker that took it last, knows the workers, and keeps what travels."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.errors import ClaimLost, NotFound
from app.models import EventKind, PullRequest, RepositoryChanges, RunStatus, StageName, StageStatus
from app.results import Checkpoint, Turn, Worker, WorkerState
from app.services.store import Store
from tests.contracts.conversing import KEY, QUESTION, everything, message_of, running
from tests.contracts.test_store import accepted, claim_of, queue

Both = tuple[Store, Store]
Write = Callable[[Store, str], Awaitable[Any]]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TOKEN = "ghp_" + "a1" * 18
TURN = Turn(text="Done.", session_id="s", session_cost_usd=0.5)


def worker_of(name: str = "one", **facts: object) -> Worker:
    said = {"state": WorkerState.WORKING, "host": "here", "started_at": LONG_AGO, "seen_at": LONG_AGO}
    return Worker.model_validate({"id": name, **said, **facts})


def checkpoint_of(repository: str = "a/one", *, bundle: bytes | None = b"\0\xffwork", **state: object) -> Checkpoint:
    return Checkpoint(id=str(uuid4()), repository=repository, state=state, bundle=bundle)


# Claims on runs


WRITES: dict[str, Write] = {
    "event": lambda store, run_id: store.append(run_id, EventKind.TEXT, {"text": "Hi."}),
    "event told once": lambda store, run_id: store.append(run_id, EventKind.TEXT, {"text": "Hi."}, once="hi"),
    "stage": lambda store, run_id: store.stage_started(run_id, StageName.LINT),
    "stage's end": lambda store, run_id: store.stage_ended(run_id, StageName.WORKSPACE, StageStatus.PASSED),
    "turn": lambda store, run_id: store.record_turn(run_id, "implement", TURN),
    "changes": lambda store, run_id: store.keep_changes(
        run_id, RepositoryChanges(repository="a/one", branch="b", base="main", patch="+1")
    ),
    "pull request": lambda store, run_id: store.add_pull_request(
        run_id, PullRequest(url="https://forge.test/1", number=1, repository="a/one")
    ),
    "question": lambda store, run_id: store.ask(run_id, QUESTION),
    "end": lambda store, run_id: store.move(run_id, RunStatus.IDLE, outcome="Done.", enqueue=queue),
    "session": lambda store, run_id: store.remember_session(run_id, "another"),
    "time": lambda store, run_id: store.worked(run_id, 1.0),
    "checkpoint": lambda store, run_id: store.keep_checkpoint(run_id, checkpoint_of()),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_who_lost_a_run_writes_nothing_for_it(both: Both, write: Write) -> None:
    zombie, other = both
    run_id = await running(zombie)
    await zombie.stage_started(run_id, StageName.WORKSPACE)
    await zombie.take(run_id, "zombie")
    await other.take(run_id, "other")
    before = await everything(other)
    with pytest.raises(ClaimLost):
        await write(zombie, run_id)
    assert await everything(other) == before
    await write(other, run_id)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_who_took_a_run_writes_for_it_also_when_it_was_another_ones_before(both: Both, write: Write) -> None:
    first, again = both
    run_id = await running(first)
    await first.stage_started(run_id, StageName.WORKSPACE)
    for store in (first, again, first):
        await store.take(run_id, "worker")
    await write(first, run_id)


async def test_a_claim_is_checked_at_the_database(both: Both) -> None:
    mine, other = both
    run_id = await running(mine)
    await mine.check_claim(run_id)
    await mine.take(run_id, "mine")
    await mine.check_claim(run_id)
    await other.take(run_id, "other")
    with pytest.raises(ClaimLost, match=run_id):
        await mine.check_claim(run_id)
    await other.check_claim(run_id)


async def test_a_run_that_does_not_exist_cannot_be_taken(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.take("nobody's", "worker")


async def test_people_may_act_on_a_run_wherever_it_is_worked_on(both: Both) -> None:
    here, there = both
    run_id = await running(here)
    await here.take(run_id, "here")
    await there.take(run_id, "there")
    await here.append(run_id, EventKind.NOTICE, {"text": "Said by the tracker."}, claimed=False)
    await here.send(message_of("And green?"), queue, message_id="m")
    await here.move(run_id, RunStatus.IDLE, outcome="Stopped.", by="Ada")
    assert (await there.run(run_id)).status is RunStatus.IDLE


async def test_a_run_that_is_taken_while_it_is_written_for_is_written_for_before_or_not_at_all(both: Both) -> None:
    """However they meet: each event that a store appended stands before the first one of the next taker."""
    first, second = both
    run_id = await running(first)
    await first.take(run_id, "first")
    lost = asyncio.Event()

    async def write_until_lost() -> None:
        try:
            while True:
                await first.append(run_id, EventKind.TEXT, {"text": "first"})
                await asyncio.sleep(0)
        except ClaimLost:
            lost.set()

    writing = asyncio.create_task(write_until_lost())
    for _ in range(20):
        await second.append(run_id, EventKind.NOTICE, {"text": "x"}, claimed=False)
    await second.take(run_id, "second")
    await second.append(run_id, EventKind.TEXT, {"text": "second"})
    await asyncio.wait_for(lost.wait(), 20)
    await writing
    told = [event.payload["text"] for event in await second.events(run_id, limit=10_000) if event.kind == "text"]
    assert told == ["first"] * told.count("first") + ["second"]


async def test_the_time_that_was_worked_on_a_run_adds_up_over_its_workers(both: Both) -> None:
    first, second = both
    run_id = await running(first)
    await first.take(run_id, "first")
    assert await first.worked(run_id, 15.0) == 15.0
    await second.take(run_id, "second")
    assert await second.worked(run_id, 2.5) == 17.5
    with pytest.raises(NotFound):
        await first.worked("nobody's", 1.0)


# Workers


async def test_a_worker_is_known_from_its_first_beat_until_it_leaves(both: Both) -> None:
    store, beside = both
    await store.beat(worker_of("one", note="new", at_work=1))
    await beside.beat(worker_of("two"))
    await store.beat(worker_of("one", state=WorkerState.DRAINING, host="there", note="", at_work=3))
    (one, age), (two, _) = await beside.workers()
    assert (one.id, one.state, one.host, one.note, one.at_work) == ("one", WorkerState.DRAINING, "there", "", 3)
    assert two.id == "two"
    assert 0 <= age < 60
    await store.leave("one")
    assert [worker.id for worker, _ in await store.workers()] == ["two"]


async def test_the_times_of_a_worker_are_the_databases_own(store: Store) -> None:
    await store.beat(worker_of())
    ((first, _),) = await store.workers()
    await store.beat(worker_of())
    ((again, _),) = await store.workers()
    assert first.started_at == again.started_at
    assert again.seen_at >= first.seen_at >= first.started_at
    assert abs(datetime.now(UTC) - first.started_at) < timedelta(minutes=5)


# What travels


async def test_the_newest_checkpoint_of_a_repository_is_the_one_that_is_known(both: Both) -> None:
    store, beside = both
    run_id, other = await running(store), await running(store, claim_of("PROJ-2"))
    await store.keep_checkpoint(run_id, checkpoint_of(bundle=b"old"))
    newest = checkpoint_of(bundle=b"\0\xff new", head="abc", parents=["def"])
    elsewhere, of_other = checkpoint_of("a/two", bundle=None), checkpoint_of()
    for run, each in ((run_id, newest), (run_id, elsewhere), (other, of_other)):
        await store.keep_checkpoint(run, each)
    assert await beside.checkpoint(KEY, "a/one") == newest
    assert await beside.checkpoint(KEY, "a/two") == elsewhere
    assert await beside.checkpoint("PROJ-2", "a/one") == of_other
    assert await beside.checkpoint(KEY, "a/three") is None


async def test_a_transcript_comes_back_as_it_was_in_its_parts_and_order(both: Both) -> None:
    store, beside = both
    main = [{"uuid": str(number), "type": "user", "text": f"é\n{number}", "n": [1.5, None]} for number in range(30)]
    await store.keep_entries("s", "", main[:20])
    await store.keep_entries("s", "subagents/a", main[:1])
    await beside.keep_entries("s", "", main[20:])
    await store.keep_entries("other", "", [{"uuid": "0"}])
    await store.keep_entries("s", "", [])
    kept = await beside.entries("s")
    assert {part: list(entries) for part, entries in kept.items()} == {"": main, "subagents/a": main[:1]}
    assert await store.entries("unknown") == {}


async def test_an_entry_is_kept_once_by_its_uuid_and_each_time_without_one(both: Both) -> None:
    store, beside = both
    await store.keep_entries("s", "", [{"uuid": "a", "n": 1}, {"type": "mode"}])
    await beside.keep_entries("s", "", [{"uuid": "a", "n": 2}, {"uuid": "b"}, {"type": "mode"}])
    await store.keep_entries("s", "part", [{"uuid": "a", "n": 3}])
    kept = await store.entries("s")
    assert list(kept[""]) == [{"uuid": "a", "n": 1}, {"type": "mode"}, {"uuid": "b"}, {"type": "mode"}]
    assert list(kept["part"]) == [{"uuid": "a", "n": 3}]


async def test_no_secret_is_kept_in_a_transcript_or_a_checkpoint(store: Store) -> None:
    run_id = await running(store)
    await store.keep_entries("s", "", [{"uuid": "a", "content": [{"text": f"export GH_TOKEN={TOKEN}"}], TOKEN: 1}])
    await store.keep_checkpoint(run_id, checkpoint_of(remote=f"https://x:{TOKEN}@forge.test"))
    assert "ghp_" not in str(await store.entries("s"))
    assert "[redacted: GitHub token]" in str(await store.entries("s"))
    assert "ghp_" not in str(await store.checkpoint(KEY, "a/one"))


async def test_the_transcript_of_a_run_that_was_lost_is_not_added_to(both: Both) -> None:
    zombie, other = both
    run_id = await running(zombie)
    await zombie.remember_session(run_id, "s")
    await zombie.take(run_id, "zombie")
    await zombie.keep_entries("s", "", [{"uuid": "a"}])
    await other.take(run_id, "other")
    with pytest.raises(ClaimLost):
        await zombie.keep_entries("s", "", [{"uuid": "b"}])
    await other.keep_entries("s", "", [{"uuid": "c"}])
    assert [entry["uuid"] for entry in (await other.entries("s"))[""]] == ["a", "c"]


async def test_a_run_that_nobody_took_is_written_for_by_anybody(both: Both) -> None:
    run_id = await accepted(both[0])
    for store in both:
        await store.append(run_id, EventKind.TEXT, {"text": "Hi."})
        await store.check_claim(run_id)
