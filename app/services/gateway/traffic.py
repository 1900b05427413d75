"""Holds requests back while the account is served none, lets one go first, and the others after it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.domain.model_limits import ModelLimits, Pass, Standing
from app.errors import Overloaded, Parked
from app.http import StreamedReply
from app.logger import get_logger

_SHORT = timedelta(seconds=5)
"""A request waits inside for a time that is no further away; its run needs not be disturbed."""
PATIENCE_S = 30.0
"""How long one request waits inside, in all."""

_log = get_logger(__name__)


def utc_now() -> datetime:
    """The time of day, as the API's headers speak of it."""
    return datetime.now(UTC)


class Traffic:
    """The account's limits, and who waits for them."""

    def __init__(
        self, *, limits: ModelLimits, patience_s: float = PATIENCE_S, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._limits = limits
        self._patience = timedelta(seconds=patience_s)
        self._now = now
        self._changed = asyncio.Event()

    @property
    def standing(self) -> Standing:
        """Open or parked."""
        return self._limits.standing

    def patience(self) -> datetime:
        """Until when a request that comes now may wait inside."""
        return self._now() + self._patience

    async def enter(self, give_up: datetime) -> Pass:
        """Leave to send one request, at once or in a moment. Raises Parked when it would take longer."""
        while (leave := self._limits.admit(self._now())) is None:
            now, again_at = self._now(), self._limits.again_at
            too_far = not self._limits.is_probing and again_at - now > _SHORT
            if too_far or now >= give_up:
                raise self.parked()
            await self._change(min(again_at, give_up) - now)
        return leave

    def parked(self) -> Parked:
        """What a run is told that cannot be served."""
        standing = self.standing
        until = max(standing.until or self._now(), self._now() + timedelta(seconds=1))
        return (Parked if standing.announced else Overloaded)(standing.reason, until=until)

    def answered(self, leave: Pass, reply: StreamedReply) -> bool:
        """Learn from an answer; whether it says that the account is not served."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers}
        before = self.standing
        limited = self._limits.answered(leave, reply.status, headers, self._now())
        self._tell(before)
        return limited

    def failed(self, leave: Pass, reason: str) -> None:
        """Learn that the API did not answer, or broke off overloaded."""
        before = self.standing
        self._limits.failed(leave, reason, self._now())
        self._tell(before)

    def released(self, leave: Pass) -> None:
        """The request was given up before its answer."""
        self._limits.released(leave)
        self._wake()

    def _tell(self, before: Standing) -> None:
        after = self.standing
        if after == before:
            return
        if after.state == "parked":
            _log.warning("model_parked", until=str(after.until), reason=after.reason)
        else:
            _log.info("model_open")
        self._wake()

    async def _change(self, longest: timedelta) -> None:
        try:
            async with asyncio.timeout(longest.total_seconds()):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
