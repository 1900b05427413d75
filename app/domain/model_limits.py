"""Whether the model's API takes requests of the account, as its answers tell: open, or parked until some time.

After that time one request goes first, and its answer decides for all. It keeps no clock: the time is passed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from app.models import Model

_LONGEST = timedelta(days=8)
"""Beyond the account's longest window, a week: a time further away is none that the API means."""
_SHORTEST_S = 1.0
_LONGEST_WAIT_S = 30.0
_PROBE = timedelta(seconds=30)
_SERVER_FAULT = 500
_TOO_MANY = 429
_OVERLOADED = 529
_BUCKETS = ("requests", "tokens", "input-tokens", "output-tokens")
_PREFIX = "anthropic-ratelimit-"


class Standing(Model):
    """How the account stands. `until` is when it is tried again; `reason` is a sentence for people.

    `announced`: the API itself said until when; else that is only when it is tried next.

    open: requests pass. parked: none does before `until`. closed: the credential is refused, people must act.
    """

    state: Literal["open", "parked", "closed"] = "open"
    until: datetime | None = None
    reason: str = ""
    announced: bool = False


OPEN = Standing()


@dataclass(frozen=True)
class Pass:
    """Leave to send one request. `probe`: it is the one that tries whether the account is served again."""

    wave: int
    probe: bool = False


class ModelLimits:
    """What the answers so far say of the next request. `jitter` gives numbers between 0 and 1."""

    def __init__(self, *, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._standing = OPEN
        self._wave = 0
        self._failures = 0
        self._probing_until: datetime | None = None

    @property
    def standing(self) -> Standing:
        """Open, or parked; parked it stays until a probe has come through."""
        return self._standing

    def admit(self, now: datetime) -> Pass | None:
        """Leave to send a request now, or None: wait until `again_at`."""
        if self._standing.state == "open":
            return Pass(self._wave)
        if now < self.again_at:
            return None
        self._probing_until = now + _PROBE
        return Pass(self._wave, probe=True)

    @property
    def again_at(self) -> datetime:
        """When `admit` may say yes, at the latest; sooner where a probe comes back before."""
        return self._probing_until or self._standing.until or datetime.min.replace(tzinfo=UTC)

    @property
    def is_probing(self) -> bool:
        """A probe is on its way."""
        return self._probing_until is not None

    def answered(self, leave: Pass, status: int, headers: Mapping[str, str], now: datetime) -> bool:
        """Learn from an answer's status and headers (names in lower case); whether it was one of the account's limits.

        What was sent before the account was parked neither opens it, nor makes its waits longer.
        """
        if status == _TOO_MANY or status >= _SERVER_FAULT:
            self._park(leave, _reason(status), _told_until(headers, now), now)
            return True
        if leave.wave == self._wave:
            self._standing, self._failures, self._probing_until = OPEN, 0, None
        return False

    def failed(self, leave: Pass, reason: str, now: datetime) -> None:
        """Learn that there was no answer, or that it broke off for a reason of the API's own."""
        self._park(leave, reason, None, now)

    def released(self, leave: Pass) -> None:
        """Learn nothing: the request was given up before its answer. Another one may try."""
        if leave.probe and leave.wave == self._wave:
            self._probing_until = None

    def _park(self, leave: Pass, reason: str, told: datetime | None, now: datetime) -> None:
        if leave.wave != self._wave:
            if told is not None and self._standing.until is not None and told > self._standing.until:
                self._standing = Standing(state="parked", until=told, reason=reason, announced=True)
            return
        until = told or now + timedelta(seconds=self._wait_s())
        self._standing = Standing(state="parked", until=until, reason=reason, announced=told is not None)
        self._failures += 1
        self._wave += 1
        self._probing_until = None

    def _wait_s(self) -> float:
        grown: float = min(_LONGEST_WAIT_S, _SHORTEST_S * 2 ** min(self._failures, 10))
        return max(_SHORTEST_S, grown * (0.75 + self._jitter() / 4))


def _reason(status: int) -> str:
    if status == _TOO_MANY:
        return "The account's limit at Claude's API is reached."
    return "Claude's API is overloaded." if status == _OVERLOADED else f"Claude's API fails (status {status})."


def _told_until(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """The time that the API names, at least a moment and at most the longest window away; None where it names none.

    `retry-after` is of the answer itself; the account's window may end later, and the buckets of requests and tokens
    are asked only where neither is told.
    """
    named = [_retry_after(headers.get("retry-after"), now)]
    if headers.get(f"{_PREFIX}unified-status") == "rejected":
        named.append(_epoch(headers.get(f"{_PREFIX}unified-reset")))
    times = [each for each in named if each is not None]
    if not times:
        empty = [name for name in _BUCKETS if headers.get(f"{_PREFIX}{name}-remaining") == "0"]
        resets = (_rfc3339(headers.get(f"{_PREFIX}{name}-reset")) for name in empty)
        times = [each for each in resets if each is not None]
    if not times:
        return None
    return min(max(*times, now + timedelta(seconds=_SHORTEST_S)), now + _LONGEST)


def _retry_after(value: str | None, now: datetime) -> datetime | None:
    """Seconds, or a date."""
    if not value:
        return None
    try:
        return now + timedelta(seconds=min(float(value), _LONGEST.total_seconds()))
    except (ValueError, OverflowError):
        pass
    try:
        return _aware(parsedate_to_datetime(value))
    except ValueError:
        return None


def _epoch(value: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(value or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _rfc3339(value: str | None) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(value or ""))
    except ValueError:
        return None


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
