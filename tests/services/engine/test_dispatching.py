"""Which works begin next."""

from app.services.engine.dispatching import Limits, Queued, next_works


def queued(*named: str, priority: int = 3) -> list[Queued]:
    """Works like "BUCKET 1", each bucket's in this order."""
    places = dict[str, int]()
    made = list[Queued]()
    for age, work_id in enumerate(named):
        bucket = work_id.split()[0]
        places[bucket] = places.get(bucket, 0) + 1
        made.append(Queued(id=work_id, bucket=bucket, priority=priority, place=places[bucket], queued_at_ms=age))
    return made


def test_there_is_room_for_what_this_worker_and_all_together_may_have() -> None:
    limits = Limits(worker=4, total=6)
    assert limits.room(here=1, everywhere=1) == 3
    assert limits.room(here=1, everywhere=5) == 1
    assert limits.room(here=0, everywhere=7) == 0
    assert Limits(worker=4).room(here=1, everywhere=100) == 3


def test_buckets_take_turns_beginning_with_the_one_that_has_the_least_at_work() -> None:
    works = queued("A 1", "A 2", "A 3", "B 1", "C 1", "C 2")
    assert next_works(works, {"A": 1}, room=5, limits=Limits(worker=9)) == ("B 1", "C 1", "A 1", "C 2", "A 2")


def test_what_people_wait_for_comes_before_every_ticket() -> None:
    said = queued("A 9", priority=0)
    assert next_works([*queued("B 1"), *said], {"A": 3}, room=1, limits=Limits(worker=9)) == ("A 9",)


def test_a_full_bucket_keeps_no_other_one_waiting() -> None:
    works = [*queued("A 1", "A 2", "A 3", priority=0), *queued("B 1")]
    limits = Limits(worker=9, per_bucket=2)
    assert next_works(works, {"A": 1}, room=9, limits=limits) == ("A 1", "B 1")
    assert limits.full({"A": 2, "B": 1, "C": 3}) == {"A", "C"}


def test_no_more_begin_than_there_is_room_for() -> None:
    assert next_works(queued("A 1", "A 2"), {}, room=0, limits=Limits(worker=9)) == ()
    assert next_works(queued("A 1", "A 2"), {}, room=1, limits=Limits(worker=9)) == ("A 1",)
