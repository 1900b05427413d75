"""The door for Jira: a webhook comes in, the ticket is stored and queued, and only then is the answer 202."""

import hashlib
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from app import metrics
from app.api.addresses import address_of
from app.api.bodies import as_invalid_input, limited_body
from app.api.dependencies import RunnerDep
from app.api.error_handlers import status_of
from app.api.rate_limit import Limiter, RateLimitExceeded
from app.api.security import check_webhook
from app.domain.eligibility import reason_to_ignore
from app.domain.jira_payload import AutomationPayload, JiraEvent, JiraPayload
from app.errors import AutoCodeError, InvalidInput
from app.logger import get_logger
from app.models import Receipt, Ticket, Trigger
from app.services.runner import Delivery, Runner

_log = get_logger(__name__)

_DELIVERY_ID = "X-Atlassian-Webhook-Identifier"
_LONGEST_ID = 200  # Jira's have 64; Postgres refuses names of some thousand in an index

Shape = TypeVar("Shape", bound=BaseModel)


class Measured(APIRoute):
    """A route that is measured from the request to its answer, and counted by what became of it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler between a clock and a counter."""
        handle = super().get_route_handler()

        async def measured(request: Request) -> Response:
            request.state.outcome = "failed"
            try:
                with metrics.ack.time():
                    return await handle(request)
            except (AutoCodeError, HTTPException) as error:
                request.state.outcome = _outcome_of(error)
                raise
            finally:
                metrics.webhooks.labels(request.state.outcome).inc()

        return measured


def make_router(limiter: Limiter, rate: str) -> APIRouter:
    """The webhook's route, which takes `rate` requests of one address.

    What starts nothing is not counted: a bulk edit of labels is hundreds of deliveries, and would keep others out.
    Whoever proves nothing is counted apart, because behind a proxy all may have one address.
    """
    router = APIRouter(tags=["webhooks"], route_class=Measured)

    @router.post("/webhook/jira", status_code=202, response_model=None)
    async def jira(request: Request, runner: RunnerDep) -> Response:
        """Take a ticket. 202 says what became of it: accepted, duplicate, or ignored with the reason."""
        try:
            body, event = await _proven(request)
        except AutoCodeError as error:
            response: Response = await refused(request=request, error=error)
            return response
        if (reason := reason_to_ignore(event.event())) is not None:
            return _answer(request, Receipt(status="ignored", reason=reason))
        try:
            response = await counted(request=request, runner=runner, body=body, event=event)
        except RateLimitExceeded:
            # Jira comes again a few times; a rule of its Automation does not.
            _log.warning("webhook refused for its rate", ticket=event.key, rate=rate)
            raise
        return response

    @limiter.limit(rate, key_func=_whose)
    async def counted(*, request: Request, runner: Runner, body: bytes, event: JiraEvent) -> Response:
        digest = hashlib.sha256(body).hexdigest()
        delivery = Delivery(id=_delivery_id(request.headers), digest=digest, sender=event.sender())
        ticket = _ticket(event, body)
        return _answer(request, await runner.handle_ticket(ticket, trigger=Trigger.WEBHOOK, delivery=delivery))

    @limiter.limit(rate, key_func=_whose)
    async def refused(*, request: Request, error: AutoCodeError) -> Response:  # noqa: ARG001 - the limiter's
        raise error

    return router


async def _proven(request: Request) -> tuple[bytes, JiraEvent]:
    """The body of somebody who may send, and what it says. Raises Unauthorized, TooLarge, InvalidInput."""
    request.state.stranger = True
    body = await limited_body(request)
    check_webhook(request, request.app.state.webhook_secret, body)
    request.state.stranger = False
    return body, _read(JiraEvent, body)


def _whose(request: Request) -> str:
    return f"{address_of(request)} {'stranger' if request.state.stranger else 'tracker'}"


def _delivery_id(headers: Headers) -> str | None:
    name = headers.get(_DELIVERY_ID)
    if name is not None and len(name) > _LONGEST_ID:
        raise InvalidInput(_DELIVERY_ID, f"must have at most {_LONGEST_ID} characters")
    return name or None


def _ticket(event: JiraEvent, body: bytes) -> Ticket:
    return _read(AutomationPayload, body).ticket() if event.issue_on_top else _read(JiraPayload, body).ticket()


def _read(shape: type[Shape], body: bytes) -> Shape:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise as_invalid_input(error) from error


def _answer(request: Request, receipt: Receipt) -> Response:
    request.state.outcome = receipt.status
    body = receipt.model_dump(exclude_none=True)
    if receipt.run_id is not None:
        body["url"] = f"/code-runs/{receipt.ticket}"
    return JSONResponse(body, status_code=202)


def _outcome_of(error: AutoCodeError | HTTPException) -> str:
    status = status_of(error) if isinstance(error, AutoCodeError) else error.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limited"
    return "unavailable" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
