from datetime import UTC, datetime, timedelta

import pytest

from app.domain.model_limits import OPEN, ModelLimits, Pass

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def limits_of(jitter: float = 1.0) -> ModelLimits:
    return ModelLimits(jitter=lambda: jitter)


def leave(limits: ModelLimits, at: datetime = NOW) -> Pass:
    given = limits.admit(at)
    assert given is not None
    return given


def parked(seconds: float = 3.0) -> ModelLimits:
    """Limits that are reached for so long from NOW on."""
    limits = limits_of()
    limits.answered(leave(limits), 429, {"retry-after": f"{seconds:g}"}, NOW)
    return limits


def test_at_first_everything_passes() -> None:
    limits = limits_of()
    assert not any(leave(limits).probe for _ in range(50))
    assert limits.standing == OPEN


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413])
def test_an_answer_that_is_about_the_request_parks_nobody(status: int) -> None:
    limits = limits_of()
    assert not limits.answered(leave(limits), status, {"retry-after": "30"}, NOW)
    assert limits.standing == OPEN


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:07 GMT"}, 7),
        ({"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "1795193400"}, 17_400),
        (
            {
                "retry-after": "5",
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": "1795193400",
            },
            17_400,
        ),
        ({"anthropic-ratelimit-unified-status": "allowed", "anthropic-ratelimit-unified-reset": "1795193400"}, 1),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-20T12:00:20Z",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2026-11-20T13:00:00Z",
            },
            20,
        ),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 1),
        ({"retry-after": "1e300"}, 8 * 86_400),
        ({"retry-after": "soon", "anthropic-ratelimit-unified-reset": "later"}, 1),
        ({}, 1),
    ],
)
def test_a_reached_limit_parks_everybody_until_the_time_that_the_api_names(
    headers: dict[str, str], seconds: float
) -> None:
    limits = limits_of()
    assert limits.answered(leave(limits), 429, headers, NOW)
    assert (limits.standing.state, limits.standing.until) == ("parked", after(seconds))
    assert limits.standing.reason == "The account's limit at Claude's API is reached."
    assert limits.admit(after(seconds - 0.1)) is None


def test_after_the_time_exactly_one_request_goes_first() -> None:
    limits = parked()
    assert leave(limits, after(3)).probe
    assert [limits.admit(after(3)) for _ in range(7)] == [None] * 7
    assert limits.is_probing


def test_the_first_ones_success_lets_all_go() -> None:
    limits = parked()
    limits.answered(leave(limits, after(3)), 200, {}, after(4))
    assert limits.standing == OPEN
    assert not leave(limits, after(4)).probe


def test_the_first_ones_failure_parks_all_again() -> None:
    limits = parked()
    limits.answered(leave(limits, after(3)), 429, {"retry-after": "60"}, after(4))
    assert limits.standing.until == after(64)
    assert limits.admit(after(63)) is None


def test_when_the_first_one_is_given_up_another_goes() -> None:
    limits = parked()
    limits.released(leave(limits, after(3)))
    assert leave(limits, after(3)).probe


def test_a_first_one_that_says_nothing_for_long_is_not_waited_for() -> None:
    limits = parked()
    leave(limits, after(3))
    assert limits.admit(after(32.9)) is None
    assert leave(limits, after(33)).probe


def test_waits_grow_while_the_api_is_overloaded_and_begin_anew_when_it_is_back() -> None:
    limits, now, waits = limits_of(), NOW, []
    for _ in range(8):
        limits.answered(leave(limits, now), 529, {}, now)
        assert limits.standing.until is not None
        waits.append((limits.standing.until - now).total_seconds())
        now = limits.standing.until
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    limits.answered(leave(limits, now), 200, {}, now)
    limits.answered(leave(limits, now), 529, {}, now)
    assert limits.standing.until == now + timedelta(seconds=1)


def test_waits_are_not_the_same_for_everybody() -> None:
    limits = limits_of(jitter=0.0)
    for seconds in (0, 1):
        limits.failed(leave(limits, after(seconds)), "Claude's API cannot be reached.", after(seconds))
    assert limits.standing.until == after(1 + 1.5)
    assert limits.standing.reason == "Claude's API cannot be reached."


def test_of_many_that_fail_together_the_first_one_counts() -> None:
    limits = limits_of()
    together = [leave(limits) for _ in range(8)]
    for each in together:
        limits.answered(each, 529, {}, NOW)
    assert limits.standing.until == after(1)


def test_what_was_sent_before_does_not_open_what_was_parked_since() -> None:
    limits = limits_of()
    early, late = leave(limits), leave(limits)
    limits.answered(late, 429, {"retry-after": "60"}, NOW)
    limits.answered(early, 200, {}, NOW)
    assert limits.standing.until == after(60)
    limits.released(early)
    assert limits.admit(after(59)) is None


def test_of_two_times_that_the_api_names_the_later_one_holds() -> None:
    limits = limits_of()
    first, second, third = (leave(limits) for _ in range(3))
    for each, seconds in ((first, 10), (second, 60), (third, 20)):
        limits.answered(each, 429, {"retry-after": f"{seconds}"}, NOW)
    assert limits.standing.until == after(60)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(529, "Claude's API is overloaded."), (502, "Claude's API fails (status 502).")],
)
def test_why_everybody_waits_is_said(status: int, reason: str) -> None:
    limits = limits_of()
    limits.answered(leave(limits), status, {}, NOW)
    assert limits.standing.reason == reason
