"""Who of the workers hangs, and what people are told of them."""

from datetime import UTC, datetime

import pytest

from app.domain.workforce import Watch, alive, amiss
from app.results import Worker, WorkerState

AT = datetime(2026, 1, 2, tzinfo=UTC)
NOTE = "1.2 GB are free."


def worker(name: str = "one", state: WorkerState = WorkerState.WORKING) -> Worker:
    note = NOTE if state is WorkerState.FULL else ""
    return Worker(id=name, host=f"host-{name}", state=state, note=note, started_at=AT, seen_at=AT)


def watched(watch: Watch, *, until: float, since: float = 0.0, **seen: float) -> frozenset[str]:
    """What it says last, when it looks every five seconds and always sees the same of the others."""
    found = frozenset[str]()
    for now in range(int(since), int(until) + 1, 5):
        found = watch.hung({"me": 5.0, **seen}, now=now)
    return found


def test_a_worker_that_is_silent_for_a_minute_hangs() -> None:
    assert watched(Watch(own="me"), until=60, quick=4.0, slow=59.0, silent=61.0) == {"silent"}


@pytest.mark.parametrize("until", [0, 55])
def test_nobody_is_judged_by_who_has_not_been_there_for_a_minute(until: float) -> None:
    assert watched(Watch(own="me"), until=until, silent=1000.0) == frozenset()


def test_who_was_away_judges_nobody_until_the_others_had_time_to_be_seen() -> None:
    watch = Watch(own="me")
    assert watched(watch, until=100) == frozenset()
    assert watch.hung({"me": 3600.0, "other": 3600.0}, now=105) == frozenset(), "the clock of the database jumped"
    assert watched(watch, since=110, until=165, other=3600.0) == frozenset()
    assert watched(watch, since=170, until=170, other=3600.0) == {"other"}


def test_a_missed_heartbeat_begins_the_minute_again() -> None:
    watch = Watch(own="me")
    watched(watch, until=100)
    watch.missed()
    assert watched(watch, since=105, until=160, other=100.0) == frozenset()
    assert watched(watch, since=165, until=165, other=100.0) == {"other"}


def test_who_is_not_known_yet_judges_nobody() -> None:
    watch = Watch(own="me")
    for now in range(0, 200, 5):
        assert watch.hung({"other": 1000.0}, now=now) == frozenset()


def test_a_worker_is_alive_for_a_minute_after_its_last_word() -> None:
    one, two = worker("one"), worker("two")
    assert alive([(one, 60.0), (two, 60.5)]) == (one,)


def test_people_hear_of_a_full_disk_and_where_it_is() -> None:
    full = worker("two", WorkerState.FULL)
    assert amiss([worker(), full], unmanned_s=0.0) == f"No new run begins on host-two: {NOTE}"


@pytest.mark.parametrize("workers", [[], [worker(state=WorkerState.DRAINING)]], ids=["none", "one that drains"])
def test_people_hear_that_no_worker_is_there_once_it_is_more_than_a_restart(workers: list[Worker]) -> None:
    assert amiss(workers, unmanned_s=59.0) == ""
    assert amiss(workers, unmanned_s=61.0).startswith("No worker is running, so no run begins.")


def test_nothing_is_amiss_while_somebody_works() -> None:
    assert amiss([worker("one", WorkerState.DRAINING), worker("two")], unmanned_s=1000.0) == ""
