"""One request's way: charged, admitted, sent, and its answer given back piece by piece as it comes."""

import time
from http import HTTPStatus

from app import metrics
from app.domain.budget import Spending
from app.domain.model_limits import Pass
from app.errors import ConfigurationError, Parked, StoreUnavailable, TemporarilyFailed, WorkFailed
from app.http import StreamedReply
from app.logger import bind, get_logger
from app.services.gateway.answers import FINAL, refuse
from app.services.gateway.breaker import Breaker
from app.services.gateway.course import Course, Order
from app.services.gateway.events import events_of
from app.services.gateway.prefixes import Prefixes
from app.services.gateway.till import CeilingReached, Till
from app.services.gateway.traffic import Traffic
from app.services.gateway.upstream import Upstream, answer_headers
from app.services.gateway.usage import Meter

_LEAST_OUTPUT = 1_000
"""Tokens of output that an estimate counts at least."""
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_OVERLOADED = 529

_log = get_logger(__name__)


class Passage:
    """Passes requests on, for all doors."""

    def __init__(self, *, upstream: Upstream, traffic: Traffic, breaker: Breaker, till: Till) -> None:
        self._upstream = upstream
        self._traffic = traffic
        self._breaker = breaker
        self._till = till
        self._prefixes = Prefixes()
        self._largest_output = _LEAST_OUTPUT

    async def take(self, order: Order) -> None:
        """Answer the request: with the API's answer, or with why it was not asked."""
        # The connection's task was begun by whoever opened the door, maybe in another run.
        bind(run=order.turn.account.run_id, ticket=order.turn.account.ticket)
        course = Course()
        try:
            await (self._charged(order, course) if order.is_metered else self._sent(order, course))
        except Parked as parked:
            await self._refuse(order, HTTPStatus.TOO_MANY_REQUESTS, parked)
        except CeilingReached as reached:
            await self._refuse(order, HTTPStatus.BAD_REQUEST, reached)
        except StoreUnavailable as error:
            await self._refuse(order, _OVERLOADED, TemporarilyFailed(error.message))

    async def _charged(self, order: Order, course: Course) -> None:
        """Send it on the account of its turn."""
        estimate = order.estimated(output_tokens=self._largest_output)
        await self._till.reserve(order.turn.account, estimate)
        rewritten = None
        try:
            await self._sent(order, course)
            rewritten = self._rewritten(order, course)
        finally:
            spending = course.settled(estimate, rewritten=rewritten)
            self._largest_output = max(self._largest_output, spending.tokens.output)
            self._till.settle(spending)
            _count(spending)
            if spending.cached_share is not None:
                facts = {"cached_share": round(spending.cached_share, 3), "cost_usd": round(spending.cost_usd, 4)}
                _log.info("model_answered", model=spending.model, first_token_ms=spending.first_token_ms, **facts)

    async def _sent(self, order: Order, course: Course) -> None:
        """Send it when the account is served; again, where the API serves it none and will in a moment."""
        patience = self._traffic.patience()
        while True:
            waiting_since = time.monotonic()
            leave = await self._traffic.enter(patience)
            course.waited_s += time.monotonic() - waiting_since
            if (closed := self._breaker.standing) is not None:
                self._traffic.released(leave)
                return await self._refuse(order, HTTPStatus.UNAUTHORIZED, WorkFailed(closed.reason))
            if await self._tried(order, course, leave):
                return None
            metrics.retries.labels("request").inc()

    async def _tried(self, order: Order, course: Course, leave: Pass) -> bool:
        """Send it once. False when the API did not serve it, and the account's standing says what is next."""
        told = False
        course.sending()
        try:
            async with self._upstream.send(order.request, order.target) as reply:
                told, course.status = True, reply.status
                if self._traffic.answered(leave, reply):
                    return False
                course.meter = Meter(events_of(reply))
                await self._given_back(order, course.meter, reply)
                if course.meter.overloaded:
                    self._traffic.failed(leave, "Claude's API is overloaded.")
        except TemporarilyFailed:
            if told:
                return True  # it broke off: so does what the client gets, because nobody ends it
            told, course.sent_at = True, None
            self._traffic.failed(leave, "Claude's API cannot be reached.")
            return False
        except ConfigurationError:  # the credential's file cannot be read
            course.sent_at = None
            self._breaker.trip()
            return False
        finally:
            if not told:
                self._traffic.released(leave)
        return True

    async def _given_back(self, order: Order, meter: Meter, reply: StreamedReply) -> None:
        headers = list(answer_headers(reply))
        if reply.status in _REFUSED and await self._breaker.refused(reply.status):
            order.turn.refusal = WorkFailed(self._breaker.reason)
            headers.append(FINAL)  # the CLI would try again for minutes
        order.connection.begin(reply.status, headers)
        async for chunk in reply.chunks:
            await order.connection.send(chunk)
            meter.feed(chunk)
        meter.end()
        order.connection.end()

    async def _refuse(self, order: Order, status: int, why: WorkFailed) -> None:
        order.turn.refusal = why
        await refuse(order.connection, status, why.message)

    def _rewritten(self, order: Order, course: Course) -> str | None:
        """Why the cache could not be read as far as it was written, which costs many times as much."""
        if course.meter is None or not course.meter.seen:
            return None
        cause = self._prefixes.learn(order, at=course.came_at, cache_read=course.meter.tokens.cache_read)
        if cause is not None:
            paid = course.meter.tokens
            facts = {"session": order.turn.session_id, "agent": order.agent_id or None, "cause": cause}
            _log.warning("prefix_rewritten", **facts, cache_read=paid.cache_read, cache_write=paid.cache_write)
        return cause


def _count(spending: Spending) -> None:
    tokens, first_ms = spending.tokens, spending.first_token_ms
    metrics.model_answered(
        status=spending.status,
        counts=tokens.model_dump(),
        cost_usd=spending.cost_usd,
        first_token_s=None if first_ms is None else first_ms / 1000,
        cached_share=spending.cached_share,
    )
