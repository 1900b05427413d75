"""Who may come in."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.dependencies import SettingsDep
from app.api.identity import THE_API, ReceptionDep
from app.api.origin import check_not_foreign, check_same_origin
from app.config import Settings
from app.errors import Unauthorized

_bearer = HTTPBearer(auto_error=False, description="ADMIN_ACCESS_CODE")


def check_webhook(settings: Settings, *, token: str | None, signature: str | None, body: bytes) -> None:
    """Raise Unauthorized unless the sender knows the webhook's secret. Without a secret (development) anybody may send.

    Jira Automation can only send fixed headers, so its proof is a token; Jira's system webhooks sign the raw body.
    """
    if settings.webhook_secret is None:
        return
    secret = settings.webhook_secret.get_secret_value().encode()
    if signature is not None:
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(_as_sent(signature), expected.encode()):
            return
        raise Unauthorized(
            "X-Hub-Signature does not match the body. Give the webhook at Jira WEBHOOK_SECRET as its secret."
        )
    if token is None:
        raise Unauthorized("X-Webhook-Token is missing. Send WEBHOOK_SECRET in it.")
    if not hmac.compare_digest(_as_sent(token), secret):
        raise Unauthorized("X-Webhook-Token is wrong. Send WEBHOOK_SECRET in it.")


async def caller(
    request: Request,
    settings: SettingsDep,
    reception: ReceptionDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """Who uses the JSON API: a program with the access code, or a person who is signed in on the pages.

    Raises Unauthorized for everybody else; development without a code is open. Raises Forbidden for what another
    site makes a person's browser send.
    """
    if credentials is not None and reception.is_code(_as_sent(credentials.credentials)):
        return THE_API
    if credentials is None and (person := await reception.known(request)) is not None:
        check_same_origin(request)
        return person.name
    if reception.open:
        check_not_foreign(request)
        return "somebody"
    if settings.admin_access_code is None:
        raise Unauthorized("The API is closed: set ADMIN_ACCESS_CODE and send it as a bearer token.")
    raise Unauthorized("Send ADMIN_ACCESS_CODE as a bearer token.")


def _as_sent(header: str) -> bytes:
    return header.encode("latin-1")  # as the server decoded it, so that a secret may have any characters


CallerDep = Annotated[str, Depends(caller)]


def address_of(request: Request) -> str:
    """The address that a request came from, for its limit."""
    return request.client.host if request.client else "unknown"
