"""The API behind the gateway: the same request with the real credential in place of the CLI's token."""

import contextlib
from collections.abc import Callable

from pydantic import SecretStr

from app.errors import ConfigurationError
from app.http import StreamedReply, StreamingClient
from app.services.gateway.api import Api
from app.services.gateway.listener import Headers, Request

Credential = Callable[[], tuple[str, SecretStr] | None]
"""Variable and value of the credential as it is at the moment."""

_SILENCE_S = 600.0
"""A backstop: the CLI gives up much sooner, and its hanging up ends the request."""

_HOP_BY_HOP = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"expect",
}  # fmt: skip
_REPLACED = _HOP_BY_HOP | {b"host", b"content-length", b"x-api-key", b"authorization", b"accept-encoding"}


class Upstream:
    """Asks the API, at `base_url` where that is not its own address."""

    def __init__(self, *, api: Api, base_url: str | None, credential: Credential) -> None:
        self._api = api
        self._client = StreamingClient(base_url=base_url or api.address, silence_s=_SILENCE_S)
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
        return known[0] if known else self._api.credential_name

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
        asked = self._api.question
        headers = self._with_credential(asked.headers)
        async with self._client.send(asked.method, asked.target, headers=headers, body=asked.body) as reply:
            return reply.status

    def _with_credential(self, headers: Headers) -> Headers:
        # Uncompressed, because what was spent is read from the answer.
        made = [*headers, (b"accept-encoding", b"identity")]
        known = self._credential()
        return made if known is None else self._api.signed(made, *known)


def answer_headers(reply: StreamedReply) -> Headers:
    """The headers of an answer that are for the CLI."""
    return [(name, value) for name, value in reply.headers if name.lower() not in _HOP_BY_HOP]
