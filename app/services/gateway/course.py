"""What becomes of one request: when it was sent, what it was answered, what it cost."""

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any

from app.domain.budget import Spending
from app.domain.prices import price_of
from app.errors import WorkFailed
from app.results import Account
from app.services.gateway.api import Api
from app.services.gateway.listener import Connection, Request
from app.services.gateway.traffic import utc_now
from app.services.gateway.usage import Meter

_MODEL_FIRST = re.compile(rb'\s*\{\s*"model"\s*:\s*"([\w.:@\[\]-]+)"')
_AGENT = b"x-claude-code-agent-id"


@dataclass
class OpenTurn:
    """A turn that may ask the model, and what it was last refused for."""

    account: Account
    session_id: str
    refusal: WorkFailed | None = None


@dataclass(frozen=True)
class Order:
    """A request that may pass to the API, for the address `target` of it."""

    api: Api
    turn: OpenTurn
    request: Request
    connection: Connection
    target: str

    @property
    def is_metered(self) -> bool:
        """It asks the model, which costs money."""
        return self.api.is_metered(self.request.method, self._path)

    @cached_property
    def body(self) -> dict[str, Any]:
        """What is asked; empty where that is no JSON object."""
        try:
            parsed = json.loads(self.request.body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @cached_property
    def model(self) -> str:
        """The model that is asked."""
        if known := self.api.model_in(self._path):
            return known
        # The CLI names it first: a long conversation is not read before it is sent.
        named = _MODEL_FIRST.match(self.request.body)
        return named.group(1).decode() if named else str(self.body.get("model") or "")

    @property
    def _path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def agent_id(self) -> str:
        """The sub-agent that asks; empty for the session itself."""
        return self.request.header(_AGENT)

    def estimated(self, *, output_tokens: int) -> Spending:
        """What it may cost, if its answer is that long."""
        account = self.turn.account
        return Spending(
            id=str(uuid.uuid4()),
            ticket=account.ticket,
            run_id=account.run_id,
            session_id=self.turn.session_id,
            at=utc_now(),
            model=self.model,
            cost_usd=price_of(self.model).estimate(request_bytes=len(self.request.body), output_tokens=output_tokens),
        )


@dataclass
class Course:
    """The way of one request, so far. Times are monotonic, in seconds."""

    came_at: float = field(default_factory=time.monotonic)
    waited_s: float = 0.0
    """For the account to be served."""
    sent_at: float | None = None
    """None while nothing of it has reached the API."""
    status: int | None = None
    meter: Meter | None = None
    """Reads the answer that the client gets."""

    def sending(self) -> None:
        """It is sent, perhaps once more."""
        self.sent_at, self.status, self.meter = time.monotonic(), None, None

    def settled(self, spending: Spending, *, rewritten: str | None) -> Spending:
        """What it was, in place of its estimate."""
        known: dict[str, Any] = {"settled": True, "cost_usd": round(self._cost(spending), 6), "status": self.status}
        known |= {"added_ms": self._added_ms, "rewritten": rewritten}
        if (meter := self.meter) is not None:
            known |= {"model": meter.model or spending.model, "first_token_ms": self._first_token_ms(meter)}
            known |= {"tokens": meter.tokens, "cache_write_1h": meter.cache_write_1h}
        return spending.model_copy(update=known)

    def _cost(self, spending: Spending) -> float:
        if self.meter is not None and self.meter.seen:
            price = price_of(self.meter.model or spending.model)
            return price.of(self.meter.tokens, cache_write_1h=self.meter.cache_write_1h)
        if self.sent_at is None or (self.status or 0) >= HTTPStatus.BAD_REQUEST:
            return 0.0
        return spending.cost_usd  # the answer did not say, or was given up before it could

    @property
    def _added_ms(self) -> float:
        return 0.0 if self.sent_at is None else round((self.sent_at - self.came_at - self.waited_s) * 1000, 3)

    def _first_token_ms(self, meter: Meter) -> float | None:
        if self.sent_at is None or meter.first_piece_at is None:
            return None
        return round((meter.first_piece_at - self.sent_at) * 1000, 3)
