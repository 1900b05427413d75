"""Remembers that the credential was refused, and asks from time to time whether it is good again."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from pydantic import SecretStr

from app.domain.model_limits import Standing
from app.errors import ConfigurationError, TemporarilyFailed
from app.logger import get_logger
from app.services.gateway.upstream import Upstream

_EVERY_S = 30.0
_FIRST_S = 2.0
"""A credential that is mended at once is noticed soon; later ones less often."""

_log = get_logger(__name__)


class Breaker:
    """Closed from the first refusal until a question that costs nothing is answered."""

    def __init__(self, *, upstream: Upstream, every_s: float = _EVERY_S) -> None:
        self._upstream = upstream
        self._every_s = every_s
        self._wait_s = every_s
        self._closed: Standing | None = None
        self._refused: tuple[str, SecretStr] | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def standing(self) -> Standing | None:
        """Why nothing passes; None while the credential is good."""
        return self._closed

    @property
    def reason(self) -> str:
        """The sentence for people; empty while the credential is good."""
        return self._closed.reason if self._closed is not None else ""

    async def refused(self, status: int) -> bool:
        """Learn that a request was refused with 401 or 403; whether it was the credential's fault.

        A 403 may be about what was asked for, e.g. a model; the question tells.
        """
        if status == HTTPStatus.FORBIDDEN and await self._is_good():
            return False
        self.trip()
        return True

    def trip(self) -> None:
        """Let nothing pass from now on."""
        if self._closed is None:
            name, self._refused = self._upstream.credential_name, self._upstream.credential
            self._wait_s = min(_FIRST_S, self._every_s)
            reason = f"Claude's API refused the credential. Check {name}, then retry the run."
            self._closed = Standing(state="closed", until=self._next_question(), reason=reason)
            _log.error("credential_refused", variable=name, message=reason)
            self._asking = asyncio.create_task(self._ask_until_good(name))

    async def stop(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask_until_good(self, name: str) -> None:
        while self._closed is not None:
            await asyncio.sleep(self._wait_s)
            if await self._is_good():
                self._closed = None
                _log.info("credential_accepted", variable=name)
            else:
                self._wait_s = min(2 * self._wait_s, self._every_s)
                self._closed = self._closed.model_copy(update={"until": self._next_question()})

    async def _is_good(self) -> bool:
        try:
            status = await self._upstream.question()
        except (TemporarilyFailed, ConfigurationError):
            return False
        if status == HTTPStatus.FORBIDDEN:  # it may not list models, but a new one may do what it is for
            return self._refused is not None and self._upstream.credential != self._refused
        # Where the question itself is refused, its credential was let in: not every address lists models, and Bedrock
        # is asked for nothing.
        return status < HTTPStatus.BAD_REQUEST or status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}

    def _next_question(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._wait_s)
