from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.budget import Admission, Spending, admission
from app.models import Tokens

PASS, WAIT, REFUSE = Admission.PASS, Admission.WAIT, Admission.REFUSE
dollars = st.floats(0, 100)


@pytest.mark.parametrize(
    ("spent", "reserved", "estimate", "answer"),
    [
        (0, 0, 1, PASS),
        (5, 3, 1, PASS),
        (5, 4, 2, WAIT),
        (9.99, 0, 5, PASS),
        (9.99, 0.01, 5, WAIT),
        (10, 0, 0, REFUSE),
        (11, 1, 1, REFUSE),
    ],
)
def test_a_ceiling_of_ten_dollars(spent: float, reserved: float, estimate: float, answer: Admission) -> None:
    asked = {"spent_usd": spent, "reserved_usd": reserved, "estimate_usd": estimate}
    assert admission(**asked, ceiling_usd=10) is answer


@given(dollars, dollars, dollars)
def test_without_a_ceiling_everything_passes(spent: float, reserved: float, estimate: float) -> None:
    assert admission(spent_usd=spent, reserved_usd=reserved, estimate_usd=estimate, ceiling_usd=None) is PASS


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=30), st.floats(1, 10))
def test_however_many_ask_at_once_all_together_pass_the_ceiling_by_one_request_at_most(
    costs: list[float], ceiling: float
) -> None:
    spent, on_their_way = 0.0, list[float]()
    for cost in costs:
        asked = {"spent_usd": spent, "estimate_usd": cost, "ceiling_usd": ceiling}
        while admission(**asked, reserved_usd=sum(on_their_way)) is WAIT:
            spent += on_their_way.pop()
            asked["spent_usd"] = spent
        if admission(**asked, reserved_usd=sum(on_their_way)) is PASS:
            on_their_way.append(cost)
    assert spent + sum(on_their_way) <= ceiling + max(costs) + 1e-9


def spending_of(at: datetime, tokens: Tokens) -> Spending:
    return Spending(id="1", ticket="PROJ-1", run_id="r", session_id="s", at=at, cost_usd=1, tokens=tokens)


def test_a_request_counts_to_its_day_in_utc() -> None:
    just_after_midnight_in_tokyo = datetime(2026, 11, 21, 0, 30, tzinfo=timezone(timedelta(hours=9)))
    assert spending_of(just_after_midnight_in_tokyo, Tokens()).day == date(2026, 11, 20)


def test_the_cached_share_is_of_all_input() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    assert spending_of(at, Tokens(input=10, cache_read=70, cache_write=20, output=500)).cached_share == 0.7
    assert spending_of(at, Tokens()).cached_share is None
