"""HTTP/1.1 as the stand-ins need it: whole requests in, answers out that can stop or break at any byte.

h11 knows the grammar; the socket stays in reach, because a test wants to hold it silent or to reset it.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

Credential = Literal["absent", "wrong", "right"]


@dataclass
class Request:
    """One request as it came. Header names are lower-case, credentials are masked: see `credential`."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    credential: Credential = "absent"
    at: float = field(default_factory=time.monotonic)
    """Monotonic clock, in seconds: comparable with `time.monotonic()` of any process on this machine."""
    wall: datetime = field(default_factory=lambda: datetime.now(UTC))
    hanging: bool = False
    """Its client sits before a silence that was asked for."""
    finished: bool = False
    """Its answer was sent to the last byte."""


@dataclass(frozen=True)
class Answer:
    """A whole answer. It is sent chunk by chunk, `first_chunk_s` after its headers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[bytes] = ()
    first_chunk_s: float = 0.0

    @property
    def halves(self) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """The chunks before and after the middle; a single chunk is cut in two."""
        if len(self.chunks) == 1:
            [chunk] = self.chunks
            return [chunk[: len(chunk) // 2]], [chunk[len(chunk) // 2 :]]
        middle = len(self.chunks) // 2
        return self.chunks[:middle], self.chunks[middle:]


class Connection(asyncio.Protocol):
    """One client's connection. Each request that came in whole is handed to `handle`, one at a time.

    A client that hangs up cancels the handling of its request; `lost` is called when the connection is no more.
    """

    def __init__(
        self,
        handle: Callable[["Connection", Request], "asyncio.Task[None]"],
        lost: Callable[["Connection"], None],
    ) -> None:
        self._handle = handle
        self._lost = lost
        self._http = h11.Connection(h11.SERVER)
        self._body = bytearray()
        self._head: h11.Request | None = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._read()
        except h11.RemoteProtocolError:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()
        self._lost(self)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status and the headers."""
        self._send(h11.Response(status_code=status, headers=list(headers.items())))

    def send(self, chunk: bytes) -> None:
        """Send a piece of the body."""
        assert self._head is not None
        if self._head.method != b"HEAD":
            self._send(h11.Data(data=chunk))

    def end(self) -> None:
        """Finish the answer. The connection is kept for the next request if the client wishes so."""
        self._send(h11.EndOfMessage())
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            asyncio.get_running_loop().call_soon(self._read)
        else:
            self._transport.close()

    def cut(self) -> None:
        """Break the connection: the client of a TCP socket sees a reset."""
        peer: socket.socket | None = self._transport.get_extra_info("socket")
        if peer is not None and peer.family == socket.AF_INET and not self._transport.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _send(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> None:
        if data := self._http.send(event):
            self._transport.write(data)

    def _read(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA and self._http.they_are_waiting_for_100_continue:
                self._transport.write(self._http.send(_GO_AHEAD) or b"")
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.ConnectionClosed):
                self._transport.close()
                return
            self._take(event)

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._head, self._body = event, bytearray()
        elif isinstance(event, h11.Data):
            self._body += event.data
        elif isinstance(event, h11.EndOfMessage) and self._head is not None:
            self.task = self._handle(self, _request(self._head, self._body))


_GO_AHEAD = h11.InformationalResponse(status_code=100, headers=[])


def _request(head: h11.Request, body: bytearray) -> Request:
    target = urlsplit(head.target.decode())
    return Request(
        method=head.method.decode(),
        path=unquote(target.path),
        query=dict(parse_qsl(target.query, keep_blank_values=True)),
        headers={name.decode().lower(): value.decode("latin-1") for name, value in head.headers},
        body=bytes(body),
    )
