"""The gateway in front of the Messages API, or of another that Claude is asked at."""

import random

from app.domain.model_limits import ModelLimits, Standing
from app.errors import Parked
from app.services.gateway.api import Api
from app.services.gateway.base import Gateway, Ledger
from app.services.gateway.breaker import Breaker
from app.services.gateway.door import LocalDoor
from app.services.gateway.messages import Messages
from app.services.gateway.passage import Passage
from app.services.gateway.till import Ceilings, Till
from app.services.gateway.traffic import PATIENCE_S, Traffic, utc_now
from app.services.gateway.upstream import Credential, Upstream


class GatewayClient(Gateway):
    """One account behind all doors: its credential, its limits, its money. `question_s` is how often a credential that
    was refused is tried again, `patience_s` how long a request may wait for an account that is not served.
    """

    def __init__(
        self,
        *,
        api: Api | None = None,
        base_url: str | None,
        credential: Credential,
        ledger: Ledger,
        ceilings: Ceilings,
        patience_s: float = PATIENCE_S,
        question_s: float = 30.0,
    ) -> None:
        self._api = api or Messages()
        self._upstream = Upstream(api=self._api, base_url=base_url, credential=credential)
        self._traffic = Traffic(limits=ModelLimits(jitter=random.random), patience_s=min(patience_s, PATIENCE_S))
        self._breaker = Breaker(upstream=self._upstream, every_s=question_s)
        self._till = Till(ledger=ledger, ceilings=ceilings)
        self._passage = Passage(upstream=self._upstream, traffic=self._traffic, breaker=self._breaker, till=self._till)
        self._doors: set[LocalDoor] = set()

    async def start(self) -> None:
        await self._upstream.open()

    async def stop(self) -> None:
        for door in self._doors:
            await door.close()
        await self._breaker.stop()
        await self._till.drain()
        await self._upstream.close()

    async def open(self, session_id: str) -> LocalDoor:
        door = LocalDoor(api=self._api, session_id=session_id, take=self._passage.take, begun=self._till.forget)
        await door.open()
        self._doors = {each for each in self._doors if each.is_open} | {door}
        return door

    @property
    def standing(self) -> Standing:
        return self._breaker.standing or self._traffic.standing

    async def admitted(self) -> None:
        standing = self.standing
        if standing.state == "closed" and standing.until is not None:
            raise Parked(standing.reason, until=standing.until)
        if standing.until is not None and standing.until > utc_now():
            raise self._traffic.parked()
