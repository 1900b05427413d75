"""Workers on one database share its works: limits hold for all together, and what one leaves the others take up."""

import asyncio

from app.models import Work
from tests.contracts.fleets import Fellow, Fleet
from tests.contracts.records import LIMIT_S


def works(*buckets: str) -> list[Work]:
    """A work of each of these buckets, the older ones first."""
    return [Work(id=f"{bucket} {number}", bucket=bucket, priority=3) for number, bucket in enumerate(buckets)]


def begun(fellows: list[Fellow]) -> list[str]:
    """The works that any of them has begun."""
    return [work for fellow in fellows for work, _ in fellow.record.begun]


async def three_fellows(fleet: Fleet, **limits: int) -> list[Fellow]:
    """Workers whose only step is held."""
    return list(await asyncio.gather(*(fleet.fellow("step", held=("step",), **limits) for _ in range(3))))


async def until_begun(fellows: list[Fellow], count: int) -> list[str]:
    """What they have begun as soon as that is so many, which it stays."""
    async with asyncio.timeout(LIMIT_S):
        while len(begun(fellows)) < count:  # noqa: ASYNC110 - several processes tell
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.15)  # time to do it wrong; on a slow machine the test is too kind at most
    assert len(begun(fellows)) == count
    return begun(fellows)


async def let_go(fellows: list[Fellow], *works: str) -> None:
    """Let works end, wherever they are."""
    for fellow in fellows:
        await fellow.let_go(*works)


async def test_no_more_works_are_under_way_than_all_workers_together_may(fleet: Fleet) -> None:
    fellows = await three_fellows(fleet, concurrency=3, total=4)
    await fleet.place.enqueue(fleet.outside, *works(*["ONE"] * 7))
    ended = set[str]()
    for count in (4, 5, 6):
        ended.add(next(iter(set(await until_begun(fellows, count)) - ended)))
        await let_go(fellows, *ended)
    assert len(set(await until_begun(fellows, 7))) == 7


async def test_no_more_works_of_a_bucket_are_under_way_than_it_may_have(fleet: Fleet) -> None:
    fellows = await three_fellows(fleet, concurrency=3, per_bucket=2)
    await fleet.place.enqueue(fleet.outside, *works("ONE", "ONE", "ONE", "ONE", "TWO"))
    first, second, *_ = sorted(await until_begun(fellows, 3))
    assert [first[:3], second[:3]] == ["ONE", "ONE"]
    await let_go(fellows, first)
    await until_begun(fellows, 4)


async def until_unfinished_is(fleet: Fleet, expected: dict[str, str | None]) -> None:
    """Return when just these works are unfinished, at these workers."""
    async with asyncio.timeout(LIMIT_S):
        while dict(await fleet.outside.unfinished()) != expected:  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.01)


async def test_the_works_of_a_worker_that_dies_go_on_at_another_from_their_last_step(fleet: Fleet) -> None:
    first = await fleet.fellow("one", "two", held=("two",))
    await fleet.place.enqueue(fleet.outside, "work", "other")
    await first.record.until(lambda: ("work", "two") in first.record.begun and ("other", "two") in first.record.begun)
    second, third = await asyncio.gather(fleet.fellow("one", "two"), fleet.fellow("one", "two"))
    await first.kill()
    await until_unfinished_is(fleet, {})
    assert sorted([*second.record.begun, *third.record.begun]) == [("other", "two"), ("work", "two")]


async def test_works_of_a_worker_that_hangs_are_taken_over_and_its_results_refused(fleet: Fleet) -> None:
    hung = await fleet.fellow("one", "two", held=("one",), concurrency=1)
    await fleet.place.enqueue(fleet.outside, "work")
    await hung.record.until_at_work(1)
    second = await fleet.fellow("one", "two", held=("one",))
    assert await fleet.outside.unfinished() == {"work": hung.worker_id}
    await hung.tell("drain")
    await fleet.outside.take_over([hung.worker_id, "nobody"])
    await second.record.until_at_work(1)
    assert await fleet.outside.unfinished() == {"work": second.worker_id}
    await hung.let_go()
    await second.let_go()
    await second.record.until_ended(1)
    await until_unfinished_is(fleet, {})
    assert hung.record.results == {}
    assert [step for _, step in second.record.begun] == ["one", "two"]


async def test_a_worker_that_drains_ends_what_it_has_and_begins_nothing(fleet: Fleet) -> None:
    draining = await fleet.fellow("one", "two", held=("one",), concurrency=1)
    await fleet.place.enqueue(fleet.outside, "first", "second")
    await draining.record.until_at_work(1)
    (under_way,) = draining.record.at_work
    assert await draining.tell("drain") == {under_way}
    await draining.let_go()
    await draining.record.until_ended(1)
    assert {work for work, _ in draining.record.begun} == {under_way}
    second = await fleet.fellow("one", "two")
    await second.record.until_ended(1)
    assert under_way not in second.record.results


async def test_a_worker_that_halts_leaves_a_work_at_its_steps_end_to_another(fleet: Fleet) -> None:
    halted = await fleet.fellow("one", "two", held=("one",))
    await fleet.place.enqueue(fleet.outside, "work")
    await halted.record.until_at_work(1)
    second = await fleet.fellow("one", "two")
    assert await halted.tell("halt") == {"work"}
    await halted.let_go()
    await second.record.until_ended(1)
    assert halted.record.begun == [("work", "one")]
    assert second.record.begun == [("work", "two")]
    assert await halted.tell("halt") == frozenset()


async def test_what_a_worker_that_stops_was_in_the_middle_of_goes_on_elsewhere(fleet: Fleet) -> None:
    first = await fleet.fellow("one", "two", held=("two",))
    await fleet.place.enqueue(fleet.outside, "work")
    await first.record.until(lambda: ("work", "two") in first.record.begun)
    await first.stop()
    await until_unfinished_is(fleet, {"work": None})
    second = await fleet.fellow("one", "two")
    await second.record.until_ended(1)
    assert second.record.begun == [("work", "two")]


async def test_a_work_is_cancelled_wherever_it_is(fleet: Fleet) -> None:
    first = await fleet.fellow("step", held=("step",))
    await fleet.place.enqueue(fleet.outside, "work")
    await first.record.until_at_work(1)
    second = await fleet.fellow("step", held=("step",))
    await second.tell("cancel", "work")
    await first.record.until(lambda: first.record.cancelled == [("work", "step")])
    await until_unfinished_is(fleet, {})
