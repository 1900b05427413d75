"""Who may come in."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.dependencies import SettingsDep
from app.api.gate import SIGNATURE
from app.api.identity import THE_API, ReceptionDep
from app.api.origin import check_not_foreign, check_same_origin
from app.api.proofs import Secret
from app.errors import Unauthorized

_bearer = HTTPBearer(auto_error=False, description="ADMIN_ACCESS_CODE")


def check_webhook(request: Request, secret: Secret | None, body: bytes) -> None:
    """Raise Unauthorized unless the sender knows the webhook's secret, or TooManyFailures.

    Jira Automation can only send fixed headers, so its proof is a token; Jira's system webhooks sign the raw body.
    Without a secret (development) anybody may send, but no other site by a person's browser: then Forbidden.
    """
    if secret is None:
        check_not_foreign(request)
        return
    token, signature = request.headers.get("x-webhook-token"), request.headers.get(SIGNATURE)
    if signature is not None:
        if secret.signed(request, _as_sent(signature), body):
            return
        raise Unauthorized(
            "X-Hub-Signature does not match the body. Give the webhook at Jira WEBHOOK_SECRET as its secret."
        )
    if token is None:
        raise Unauthorized("X-Webhook-Token is missing. Send WEBHOOK_SECRET in it.")
    if not secret.proved(request, _as_sent(token)):
        raise Unauthorized("X-Webhook-Token is wrong. Send WEBHOOK_SECRET in it.")


async def caller(
    request: Request,
    settings: SettingsDep,
    reception: ReceptionDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """Who uses the JSON API: a program with the access code, or whoever is signed in on the pages or named by Access.

    Behind Access its token is enough, of a person or of a program's service token, and the code alone is not.

    Raises Unauthorized for everybody else; development without a code is open. Raises Forbidden for what another
    site makes a person's browser send.
    """
    if credentials is not None and reception.is_code(request, _as_sent(credentials.credentials)):
        return THE_API
    if credentials is None and (person := await reception.known(request)) is not None:
        if not person.program:  # which no other site can make a browser be
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
