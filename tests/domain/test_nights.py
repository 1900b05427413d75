"""Housekeeping comes at night, in local time, and soon where a night was missed."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.nights import first_due, next_due

NOON = datetime(2026, 5, 5, 12).astimezone()
NIGHT = datetime(2026, 5, 6, 3).astimezone()


def test_it_is_due_at_three_of_the_next_night_whatever_zone_the_time_comes_in() -> None:
    assert next_due(NOON, share=0) == NIGHT
    assert next_due(NOON.astimezone(UTC), share=0) == NIGHT
    assert next_due(NIGHT - timedelta(seconds=1), share=0) == NIGHT


def test_once_it_is_done_the_next_one_is_tomorrow() -> None:
    for minutes in (0, 10, 30):
        done = next_due(NIGHT + timedelta(minutes=minutes), share=0)
        assert done == NIGHT + timedelta(days=1)


def test_workers_are_spread_over_half_an_hour() -> None:
    assert next_due(NOON, share=1.0) == NIGHT + timedelta(minutes=30)
    assert next_due(NOON, share=0.5) == NIGHT + timedelta(minutes=15)


@pytest.mark.parametrize("last", [None, NOON - timedelta(days=3), NOON - timedelta(hours=25)])
def test_a_missed_night_is_made_up_for_soon_after_the_start(last: datetime | None) -> None:
    assert first_due(NOON, last=last, share=0) == NOON + timedelta(minutes=5)
    assert first_due(NOON, last=last, share=1) == NOON + timedelta(minutes=10)


def test_a_night_that_was_not_missed_is_not_made_up_for() -> None:
    assert first_due(NOON, last=NOON - timedelta(hours=9), share=0) == NIGHT
