"""The one place that builds an HTTP client.

A client asks one service with one credential. Each call has a time limit, and each answer a limited size. It follows
no redirect, which could take the credential to another host, and leaves the judging of a status to its caller.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.errors import TemporarilyFailed, WorkFailed

LIMIT_S = 10.0
MOST_BYTES = 10 << 20

RawHeaders = Sequence[tuple[bytes, bytes]]

_MOST_CONNECTIONS = 10
# The operator's proxies and certificates hold here as they do for git; what runs on this machine is asked directly.
_DIRECTLY: Mapping[str, None] = {"all://localhost": None, "all://127.0.0.1": None, "all://[::1]": None}


@dataclass(frozen=True)
class Reply:
    """A whole answer, whatever its status. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Asks the service at `base_url`. Connections are opened by the first call, and kept until `close`.

    `basic` is a user and a password. A call has `limit_s` seconds from its beginning to the last byte.
    """

    def __init__(
        self,
        *,
        base_url: str,
        basic: tuple[str, str] | None = None,
        limit_s: float = LIMIT_S,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).netloc
        self._basic = basic
        self._limit_s = limit_s
        self._most_bytes = most_bytes
        self._client: httpx.AsyncClient | None = None

    async def ask(
        self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, json: Any = None
    ) -> Reply:
        """Send a request once. `path` goes behind the base, and must be safe to put there.

        Raises TemporarilyFailed when there is no whole answer in time, WorkFailed when it is too large.
        """
        self._client = self._client or self._open()
        try:
            async with (
                asyncio.timeout(self._limit_s),
                self._client.stream(method, path, params=query, json=json) as answer,
            ):
                return Reply(answer.status_code, dict(answer.headers), await self._body(answer))
        except TimeoutError as error:
            raise TemporarilyFailed(
                f"{self._host} did not answer within {self._limit_s:g} seconds. Try again later."
            ) from error
        except httpx.RequestError as error:
            raise TemporarilyFailed(
                f"{self._host} cannot be reached ({error or type(error).__name__}). "
                "Check its address and the network, or try again later."
            ) from error

    async def close(self) -> None:
        """Close the connections. A later call opens them again."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._base_url,
            auth=self._basic,
            headers={"accept": "application/json", "user-agent": "auto-code"},
            timeout=None,  # noqa: S113 - the limit is on the whole call
            limits=httpx.Limits(max_connections=_MOST_CONNECTIONS),
            mounts=dict(_DIRECTLY),
            follow_redirects=False,
        )

    async def _body(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > self._most_bytes:
                raise WorkFailed(f"The answer of {self._host} is larger than {self._most_bytes:,} bytes.")
        return bytes(body)


@dataclass(frozen=True)
class StreamedReply:
    """An answer whose body is still coming. Its bytes are given as they are on the wire, whatever their encoding."""

    status: int
    headers: RawHeaders
    chunks: AsyncIterator[bytes]


class StreamingClient:
    """Passes on requests that others made to the service at `base_url`: exactly these headers, exactly these bytes.

    Connections are opened as they are needed, and kept warm until `close`. `silence_s` is how long the service may take
    for its next bytes.
    """

    def __init__(self, *, base_url: str, connect_s: float = LIMIT_S, silence_s: float) -> None:
        self._base_url = httpx.URL(base_url)
        self._path = self._base_url.raw_path.rstrip(b"/")
        self._limits = httpx.Timeout(connect=connect_s, read=silence_s, write=silence_s, pool=None)
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Load what connections need (certificates take a moment), so that the first request does not wait for it."""
        self._client = self._client or await asyncio.to_thread(self._make)

    @contextlib.asynccontextmanager
    async def send(self, method: str, target: str, *, headers: RawHeaders, body: bytes) -> AsyncIterator[StreamedReply]:
        """Send a request once; leaving the block ends it, whatever is still to come. `target` goes behind the base.

        Raises TemporarilyFailed when there is no answer, or when it breaks off.
        """
        self._client = self._client or self._make()
        url = self._base_url.copy_with(raw_path=self._path + target.encode())
        request = httpx.Request(method, url, headers=list(headers), content=body)
        try:
            reply = await self._client.send(request, stream=True)
            try:
                yield StreamedReply(reply.status_code, reply.headers.raw, reply.aiter_raw())
            finally:
                await reply.aclose()
        except httpx.TransportError as error:
            raise TemporarilyFailed(
                f"{self._base_url.netloc.decode()} does not answer ({error or type(error).__name__}). "
                "Check its address and the network, or try again later."
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _make(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=self._limits,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=120),
            mounts=dict(_DIRECTLY),
            follow_redirects=False,
        )
