"""The gate before all routes, closed by default: what comes without a proof gets no further, whatever its address.

Behind Cloudflare Access the proof is its signed token. In development, where a service without any secret is open to
the machine that it runs on, it is a local name: a site that points its own name here (DNS rebinding) speaks with the
browser's whole right to this service, but only under that name.
"""

from ipaddress import ip_address

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.error_handlers import answer_to
from app.api.identity import Reception
from app.errors import AutoCodeError, Forbidden

HEALTH, READY, LIVE = "/health", "/ready", "/live"
WEBHOOK = "/webhook/jira"
SIGNATURE = "X-Hub-Signature"

_POLICY_VIOLATION = 1008


class Gate:
    """Middleware before `app`. `webhooks_prove` says that there is a WEBHOOK_SECRET, which signatures are checked with.

    Only questions about the process's health and webhooks that carry a signature pass without the proof. A fixed token
    signs nothing, so behind Access its sender needs a service token of Access too.
    """

    def __init__(self, app: ASGIApp, *, reception: Reception, webhooks_prove: bool) -> None:
        self._app = app
        self._reception = reception
        self._webhooks_prove = webhooks_prove

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it pass, or answer with the reason."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._check(HTTPConnection(scope))
        except AutoCodeError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
                return
            await answer_to(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _check(self, connection: HTTPConnection) -> None:
        path = connection.scope["path"]
        if path in {HEALTH, READY, LIVE}:
            return
        webhook = path == WEBHOOK and connection.scope.get("method") == "POST"
        if self._reception.behind_access:
            if not (webhook and self._webhooks_prove and SIGNATURE in connection.headers):
                await self._reception.vouched(connection)
        elif self._reception.production or (webhook and self._webhooks_prove):
            return
        elif (webhook or self._reception.open) and not _is_local(connection.headers.get("host", "")):
            raise Forbidden(
                "This service is open to its own machine only. Open it as http://localhost with its port, or set "
                "ADMIN_ACCESS_CODE and WEBHOOK_SECRET to use it under another name."
            )


def _is_local(host: str) -> bool:
    """Whether no stranger can own the name: an address, `localhost` and below, or a name without a dot."""
    name = host.lower().rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host.lower()
    if "." not in name or name.endswith(".localhost"):
        return True
    try:
        return bool(ip_address(name.strip("[]")))
    except ValueError:
        return False
