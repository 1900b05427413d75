"""Says in the log when the database goes away and when it is back: a line each, however many meet it."""

import time

from app.logger import get_logger

_log = get_logger(__name__)


class Outages:
    """Hears how each transaction ended. Used from one event loop.

    What was lost to one that writes is back with one that writes: a full disk still lets everybody read.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._answered_at = 0.0
        self._failed = 0
        self._lost_to_a_write = False

    def failed(self, reason: str, *, began: float, writes: bool) -> None:
        """The database did not answer a transaction that began then (`time.monotonic`)."""
        if began < self._answered_at:
            return  # it was cut off by an outage that is over
        self._failed += 1
        self._lost_to_a_write |= writes
        if self._since is None:
            self._since = began
            _log.error("database lost", reason=reason)

    def succeeded(self, *, writes: bool) -> None:
        """It answered."""
        if self._lost_to_a_write and not writes:
            return
        self._answered_at = time.monotonic()
        if self._since is not None:
            away_s = round(self._answered_at - self._since, 1)
            _log.warning("database back", away_s=away_s, failed=self._failed)
            self._since, self._failed, self._lost_to_a_write = None, 0, False
