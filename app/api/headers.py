"""What every answer tells the browser to refuse: other sites' scripts, frames, guesses about types, old copies."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No script and no style but the service's own files."""

_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def security_headers(*, https: bool) -> Mapping[str, str]:
    """The headers of every answer; `https` keeps browsers to it for a year."""
    return _ALWAYS | ({"Strict-Transport-Security": "max-age=31536000"} if https else {})


class SecurityHeaders:
    """Middleware that adds them, and `Cache-Control: no-store` where an answer says nothing of caching.

    `https` says that the service is reached by it, even where the request itself comes by http from a proxy.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, with more headers. Streams pass through piece by piece."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        extra = security_headers(https=self._https or scope["scheme"] == "https")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.update(extra)
            await send(message)

        await self._app(scope, receive, send_with_headers)
