"""Every store remembers alike what happens in a run: events, stages, turns, and who follows them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.models import Event, EventKind, RunStatus, StageName, StageStatus, Tokens
from app.results import Turn
from app.services.store import Store
from tests.contracts.test_store import accepted, claim_of


async def told(store: Store, run_id: str, *kinds: EventKind) -> list[dict[str, Any]]:
    return [event.payload for event in await store.events(run_id) if event.kind in kinds]


async def taken(events: AsyncIterator[Event], count: int) -> list[int]:
    return [(await anext(events)).seq for _ in range(count)]


async def everything(store: Store, run_id: str, *, after: int = 0) -> list[int]:
    return [event.seq async for event in store.follow(run_id, after=after)]


def turn_of(session_cost_usd: float, *, session: str = "s", text: str = "Done.") -> Turn:
    tokens = Tokens(input=10, output=2, cache_read=5, cache_write=1)
    return Turn(
        text=text, session_id=session, turns=3, session_cost_usd=session_cost_usd, tokens=tokens, duration_s=1.5
    )


# Events


async def test_events_are_numbered_from_one_without_gaps(store: Store) -> None:
    first, second = await accepted(store), await accepted(store, claim_of("PROJ-2"))
    for number in range(5):
        await store.append(first, EventKind.NOTICE, {"text": f"{number}"})
        await store.append(second, EventKind.NOTICE, {"text": f"{number}"})
    for run_id in (first, second):
        assert [event.seq for event in await store.events(run_id)] == [1, 2, 3, 4, 5, 6]


async def test_appending_says_the_events_number(store: Store) -> None:
    run_id = await accepted(store)
    numbers = [await store.append(run_id, EventKind.NOTICE, {}) for _ in range(3)]
    assert numbers == [2, 3, 4]


async def test_events_that_are_written_at_once_all_get_a_number(store: Store) -> None:
    run_id = await accepted(store)
    numbers = await asyncio.gather(*(store.append(run_id, EventKind.NOTICE, {"n": n}) for n in range(30)))
    assert sorted(number for number in numbers if number) == list(range(2, 32))
    assert {event.payload.get("n") for event in await store.events(run_id)} == {None, *range(30)}


async def test_an_event_that_happens_once_is_kept_once_a_run(store: Store) -> None:
    first, second = await accepted(store), await accepted(store, claim_of("PROJ-2"))
    assert await store.append(first, EventKind.NOTICE, {"text": "one"}, once="greeting") == 2
    assert await store.append(first, EventKind.NOTICE, {"text": "two"}, once="greeting") is None
    assert await store.append(second, EventKind.NOTICE, {"text": "three"}, once="greeting") == 2
    assert await told(store, first, EventKind.NOTICE) == [{"text": "one"}]


async def test_a_payload_is_kept_as_the_json_that_it_is(store: Store) -> None:
    run_id = await accepted(store)
    payload = {"text": "ünï 🌙", "list": [1, 2.5, None, True], "nested": {"a": [{}]}}
    await store.append(run_id, EventKind.TEXT, payload)
    await store.append(run_id, EventKind.TEXT, {"stage": StageName.LINT, "pair": (1, 2)})
    assert await told(store, run_id, EventKind.TEXT) == [payload, {"stage": "lint", "pair": [1, 2]}]


async def test_null_characters_are_replaced_wherever_they_are(store: Store) -> None:
    run_id = await accepted(store)
    await store.append(run_id, EventKind.TEXT, {"a\0b": ["\0", {"c": "d\0"}]})
    assert await told(store, run_id, EventKind.TEXT) == [{"a\ufffdb": ["\ufffd", {"c": "d\ufffd"}]}]


async def test_what_is_not_json_is_refused_and_leaves_no_gap(store: Store) -> None:
    run_id = await accepted(store)
    with pytest.raises(Exception, match="not JSON serializable"):
        await store.append(run_id, EventKind.TEXT, {"text": object()}, once="it")
    assert await store.append(run_id, EventKind.TEXT, {"text": "words"}, once="it") == 2


async def test_events_come_in_pages(store: Store) -> None:
    run_id = await accepted(store)
    for _ in range(6):
        await store.append(run_id, EventKind.NOTICE, {})
    assert [event.seq for event in await store.events(run_id, after=2, limit=3)] == [3, 4, 5]
    assert [event.seq for event in await store.events(run_id, after=5, limit=3)] == [6, 7]
    assert await store.events(run_id, after=7) == ()


# Stages


async def test_a_stage_is_shown_from_its_start_to_its_end(store: Store) -> None:
    run_id = await accepted(store)
    await store.stage_started(run_id, StageName.LINT)
    (running,) = (await store.run(run_id)).stages
    assert (running.name, running.status, running.ended_at) == (StageName.LINT, StageStatus.RUNNING, None)
    await store.stage_ended(run_id, StageName.LINT, StageStatus.FAILED, rounds=3, summary="still fails")
    (ended,) = (await store.run(run_id)).stages
    assert (ended.status, ended.rounds, ended.summary) == (StageStatus.FAILED, 3, "still fails")
    assert ended.ended_at is not None
    assert running.started_at == ended.started_at <= ended.ended_at


async def test_stages_are_shown_in_the_order_of_their_first_start(store: Store) -> None:
    run_id = await accepted(store)
    for stage, visit in ((StageName.LINT, 1), (StageName.TESTS, 1), (StageName.LINT, 2)):
        await store.stage_started(run_id, stage, visit=visit)
        await store.stage_ended(run_id, stage, StageStatus.PASSED, visit=visit, summary=f"visit {visit}")
    stages = (await store.run(run_id)).stages
    assert [(stage.name, stage.summary) for stage in stages] == [("lint", "visit 2"), ("tests", "visit 1")]


async def test_a_stage_that_was_said_before_a_crash_is_not_said_again(store: Store) -> None:
    run_id = await accepted(store)
    for _ in range(2):
        await store.stage_started(run_id, StageName.LINT)
        await store.stage_ended(run_id, StageName.LINT, StageStatus.PASSED, summary="at once")
        shown = (await store.run(run_id)).stages
    assert shown == (await store.run(run_id)).stages
    assert await told(store, run_id, EventKind.STAGE_STARTED) == [{"stage": "lint"}]
    end = {"stage": "lint", "status": "passed", "rounds": 0, "summary": "at once"}
    assert await told(store, run_id, EventKind.STAGE_ENDED) == [end]


async def test_a_stage_that_is_visited_again_is_said_again(store: Store) -> None:
    run_id = await accepted(store)
    await store.stage_started(run_id, StageName.LINT)
    await store.stage_ended(run_id, StageName.LINT, StageStatus.PASSED)
    await store.stage_started(run_id, StageName.LINT, visit=2)
    (stage,) = (await store.run(run_id)).stages
    assert (stage.status, stage.ended_at) == (StageStatus.RUNNING, None)
    assert len(await told(store, run_id, EventKind.STAGE_STARTED)) == 2


@pytest.mark.parametrize(
    ("to", "error", "shown"),
    [(RunStatus.FAILED, "No network.", StageStatus.FAILED), (RunStatus.IDLE, None, StageStatus.WARNED)],
)
async def test_no_stage_outlives_its_run(store: Store, to: RunStatus, error: str | None, shown: StageStatus) -> None:
    run_id = await accepted(store)
    await store.move(run_id, RunStatus.RUNNING)
    await store.stage_started(run_id, StageName.IMPLEMENT)
    await store.stage_ended(run_id, StageName.IMPLEMENT, StageStatus.PASSED, summary="4 turns")
    await store.stage_started(run_id, StageName.LINT)
    await store.move(run_id, to, error=error)
    implement, lint = (await store.run(run_id)).stages
    assert (implement.status, implement.summary) == (StageStatus.PASSED, "4 turns")
    assert (lint.status, lint.summary) == (shown, "Cut short.")
    assert lint.ended_at is not None


# Turns


async def test_a_turn_costs_what_its_session_had_not_cost_before(store: Store) -> None:
    run_id = await accepted(store)
    costs = [(await store.record_turn(run_id, name, turn_of(cost))).cost_usd for name, cost in (("a", 0.5), ("b", 0.8))]
    assert costs == [0.5, 0.3]
    review = await store.record_turn(run_id, "review", turn_of(0.2, session="reviewer"))
    assert review.cost_usd == 0.2
    assert (await store.run(run_id)).cost_usd == 1.0


async def test_a_later_run_of_a_session_pays_only_for_itself(store: Store) -> None:
    first = await accepted(store)
    await store.record_turn(first, "implement", turn_of(0.5))
    await store.move(first, RunStatus.IDLE)
    second = await accepted(store)
    await store.record_turn(second, "implement", turn_of(0.75))
    assert ((await store.run(first)).cost_usd, (await store.run(second)).cost_usd) == (0.5, 0.25)


async def test_a_session_that_counts_anew_costs_nothing_less_than_nothing(store: Store) -> None:
    run_id = await accepted(store)
    await store.record_turn(run_id, "implement", turn_of(0.5))
    assert (await store.record_turn(run_id, "fix", turn_of(0.1))).cost_usd == 0


async def test_a_turn_is_recorded_once(store: Store) -> None:
    run_id = await accepted(store)
    first = await store.record_turn(run_id, "implement", turn_of(0.5, text="first"))
    events = await store.events(run_id)
    assert await store.record_turn(run_id, "implement", turn_of(0.9, text="second")) == first
    assert await store.turn(run_id, "implement") == first
    assert await store.events(run_id) == events
    assert (await store.run(run_id)).cost_usd == 0.5


async def test_turns_belong_to_their_run(store: Store) -> None:
    first, second = await accepted(store), await accepted(store, claim_of("PROJ-2"))
    await store.record_turn(first, "implement", turn_of(0.5))
    assert await store.turn(second, "implement") is None
    assert await store.turn(first, "review") is None


async def test_a_run_sums_the_tokens_of_its_turns_and_tells_it(store: Store) -> None:
    run_id = await accepted(store)
    for name, cost in (("implement", 0.5), ("fix", 0.75)):
        await store.record_turn(run_id, name, turn_of(cost))
    assert (await store.run(run_id)).tokens == Tokens(input=20, output=4, cache_read=10, cache_write=2)
    sums = [(each["cost_usd"], each["tokens"]["input"]) for each in await told(store, run_id, EventKind.COST_UPDATED)]
    assert sums == [(0.5, 10), (0.75, 20)]
    ends = await told(store, run_id, EventKind.TURN_ENDED)
    assert [(end["turn"], end["turns"], end["cost_usd"], end["finished"]) for end in ends] == [
        ("implement", 3, 0.5, True),
        ("fix", 3, 0.25, True),
    ]


async def test_a_turn_keeps_what_it_said(store: Store) -> None:
    run_id = await accepted(store)
    await store.record_turn(run_id, "implement", turn_of(0.5, text="ünï"))
    kept = await store.turn(run_id, "implement")
    assert kept is not None
    assert (kept.text, kept.turns, kept.duration_s, kept.tokens.cache_read) == ("ünï", 3, 1.5, 5)


# Followers


async def test_a_follower_gets_what_was_what_comes_and_the_end(store: Store) -> None:
    run_id = await accepted(store)
    await store.append(run_id, EventKind.NOTICE, {"text": "before"})
    following = store.follow(run_id)
    assert await taken(following, 2) == [1, 2]
    coming = asyncio.create_task(taken(following, 1))
    await store.append(run_id, EventKind.NOTICE, {"text": "now"})
    assert await coming == [3]
    await store.move(run_id, RunStatus.IDLE)
    assert [event.seq async for event in following] == [4]


async def test_a_follower_of_an_ended_run_gets_all_and_leaves(store: Store) -> None:
    run_id = await accepted(store)
    for _ in range(205):
        await store.append(run_id, EventKind.NOTICE, {})
    await store.move(run_id, RunStatus.IDLE)
    assert await everything(store, run_id) == list(range(1, 208))
    assert await everything(store, run_id, after=205) == [206, 207]
    assert await everything(store, run_id, after=207) == []


async def test_followers_lose_and_repeat_nothing_while_others_write(store: Store) -> None:
    run_id = await accepted(store)
    readers = [asyncio.create_task(everything(store, run_id, after=after)) for after in (0, 0, 10)]
    for number in range(40):
        await store.append(run_id, EventKind.NOTICE, {"n": number})
    await store.move(run_id, RunStatus.IDLE)
    assert await asyncio.gather(*readers) == [list(range(1, 43)), list(range(1, 43)), list(range(11, 43))]


async def test_a_follower_that_comes_back_goes_on_where_it_was(store: Store) -> None:
    run_id = await accepted(store)
    for _ in range(5):
        await store.append(run_id, EventKind.NOTICE, {})
    first = store.follow(run_id)
    seen = await taken(first, 3)
    await first.aclose()  # type: ignore[attr-defined]
    await store.move(run_id, RunStatus.IDLE)
    assert seen + await everything(store, run_id, after=seen[-1]) == [1, 2, 3, 4, 5, 6, 7]
