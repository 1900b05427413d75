"""The door for Jira: a webhook comes in, the ticket is stored and queued, and only then is the answer 202."""

import hashlib
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from app.api.bodies import as_invalid_input, limited_body
from app.api.dependencies import RunnerDep
from app.api.rate_limit import Limiter
from app.api.security import check_webhook
from app.domain.eligibility import reason_to_ignore
from app.domain.jira_payload import AutomationPayload, JiraEvent, JiraPayload
from app.errors import InvalidInput
from app.models import Receipt, Ticket, Trigger
from app.services.runner import Delivery

_DELIVERY_ID = "X-Atlassian-Webhook-Identifier"
_LONGEST_ID = 200  # Jira's have 64; Postgres refuses names of some thousand in an index

Shape = TypeVar("Shape", bound=BaseModel)


def make_router(limiter: Limiter, rate: str) -> APIRouter:
    """The webhook's route, which takes `rate` requests of one address."""
    router = APIRouter(tags=["webhooks"])

    @router.post("/webhook/jira", status_code=202, response_model=None)
    @limiter.limit(rate)
    async def jira(request: Request, runner: RunnerDep) -> Response:
        """Take a ticket. 202 says what became of it: accepted, duplicate, or ignored with the reason."""
        body = await limited_body(request)
        headers = request.headers
        check_webhook(request, request.app.state.webhook_secret, body)
        event = _read(JiraEvent, body)
        if (reason := reason_to_ignore(event.event())) is not None:
            return _answer(Receipt(status="ignored", reason=reason))
        digest = hashlib.sha256(body).hexdigest()
        delivery = Delivery(id=_delivery_id(headers), digest=digest, sender=event.sender())
        return _answer(await runner.handle_ticket(_ticket(event, body), trigger=Trigger.WEBHOOK, delivery=delivery))

    return router


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


def _answer(receipt: Receipt) -> Response:
    body = receipt.model_dump(exclude_none=True)
    if receipt.run_id is not None:
        body["url"] = f"/code-runs/{receipt.ticket}"
    return JSONResponse(body, status_code=202)
