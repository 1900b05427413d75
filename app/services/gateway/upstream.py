"""The Messages API behind the gateway: the same request with the real credential in place of the CLI's token."""

import contextlib
from collections.abc import Callable

from pydantic import SecretStr

from app.errors import ConfigurationError
from app.http import StreamedReply, StreamingClient
from app.services.gateway.listener import Headers, Request

Credential = Callable[[], tuple[str, SecretStr] | None]
"""Variable and value of the credential as it is at the moment."""

API = "https://api.anthropic.com"

_OAUTH = "CLAUDE_CODE_OAUTH_TOKEN"
_OAUTH_BETA = b"oauth-2025-04-20"
_VERSION = (b"anthropic-version", b"2023-06-01")
_SILENCE_S = 600.0
"""A backstop: the CLI gives up much sooner, and its hanging up ends the request."""

_HOP_BY_HOP = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"expect",
}  # fmt: skip
_REPLACED = _HOP_BY_HOP | {b"host", b"content-length", b"x-api-key", b"authorization", b"accept-encoding"}


class Upstream:
    """Asks the API at `base_url`."""

    def __init__(self, *, base_url: str, credential: Credential) -> None:
        self._client = StreamingClient(base_url=base_url, silence_s=_SILENCE_S)
        self._credential = credential

    async def open(self) -> None:
        """Get ready."""
        await self._client.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def credential_name(self) -> str:
        """The variable that people must look at."""
        known = self.credential
        return known[0] if known else "ANTHROPIC_API_KEY"

    @property
    def credential(self) -> tuple[str, SecretStr] | None:
        """Variable and value, as they are at the moment; None where there is none that can be read."""
        try:
            return self._credential()
        except ConfigurationError:
            return None

    def send(self, request: Request, target: str) -> contextlib.AbstractAsyncContextManager[StreamedReply]:
        """Pass the request on. Raises TemporarilyFailed, as the client does."""
        kept = [(name, value) for name, value in request.headers if name not in _REPLACED]
        return self._client.send(request.method, target, headers=self._with_credential(kept), body=request.body)

    async def question(self) -> int:
        """The status of a question that costs nothing. Raises TemporarilyFailed."""
        headers = self._with_credential([_VERSION, (b"accept", b"application/json")])
        async with self._client.send("GET", "/v1/models?limit=1", headers=headers, body=b"") as reply:
            return reply.status

    def _with_credential(self, headers: Headers) -> Headers:
        # Uncompressed, because what was spent is read from the answer.
        made = [*headers, (b"accept-encoding", b"identity")]
        known = self._credential()
        if known is None:
            return made
        name, value = known[0], known[1].get_secret_value().encode()
        if name != _OAUTH:
            return [*made, (b"x-api-key", value)]
        betas = [held for key, held in made if key == b"anthropic-beta"]
        if _OAUTH_BETA not in b",".join(betas).split(b","):
            betas.append(_OAUTH_BETA)
        others = [(key, held) for key, held in made if key != b"anthropic-beta"]
        return [*others, (b"anthropic-beta", b",".join(betas)), (b"authorization", b"Bearer " + value)]


def answer_headers(reply: StreamedReply) -> Headers:
    """The headers of an answer that are for the CLI."""
    return [(name, value) for name, value in reply.headers if name.lower() not in _HOP_BY_HOP]
