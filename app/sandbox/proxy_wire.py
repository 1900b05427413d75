"""One connection of the allow-listing proxy, and how bytes go from one to another.

h11 reads and writes HTTP; here is what it leaves to its user: the socket, the headers that end at a proxy, and time
limits. What is waiting to be sent is bounded, so that a slow reader slows its sender down.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from http import HTTPStatus
from typing import Self

import h11

MOST_HEAD_BYTES = 16 << 10
CHUNK = 128 << 10

_LINGER_S = 1.0
# What is said to a proxy, and not to who is behind it. Host is set anew: from the address that was judged.
_FOR_PROXIES = frozenset(
    (b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
     b"trailer", b"upgrade", b"expect", b"host")
)  # fmt: skip
Headers = Iterable[tuple[bytes, bytes]]


class Refused(Exception):
    """A request is not served: `status` and `reason` for the client, and `why` for the log, if it goes there."""

    def __init__(self, status: int, reason: str, *, why: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.why = why


class Wire:
    """A TCP connection that begins with HTTP/1.1."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: type[h11.CLIENT | h11.SERVER]
    ) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(role, max_incomplete_event_size=MOST_HEAD_BYTES)

    @classmethod
    async def of(cls, connection: socket.socket) -> Self:
        """A client's connection."""
        reader, writer = await asyncio.open_connection(sock=connection, limit=CHUNK)
        return cls(reader, writer, h11.SERVER)

    @classmethod
    async def open(cls, host: str, port: int, *, tls: bool = False) -> Self:
        """Connect to a server. Raises OSError."""
        reader, writer = await asyncio.open_connection(host, port, ssl=tls or None, limit=CHUNK)
        return cls(reader, writer, h11.CLIENT)

    async def event(self) -> h11.Event | None:
        """What the other side says next, in HTTP; None when it said all. Raises h11.RemoteProtocolError."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self.say(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(CHUNK))
        return event if isinstance(event, h11.Event) else None

    async def say(self, *events: h11.Event) -> None:
        """Send these in HTTP."""
        for event in events:
            if data := self._http.send(event):
                self._writer.write(data)
        await self._writer.drain()

    async def answer(self, status: int, text: str) -> None:
        """Send a whole answer, the last one, and wait a moment for it to be read."""
        body = text.encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        phrase = HTTPStatus(status).phrase.encode()
        response = h11.Response(status_code=status, reason=phrase, headers=[*headers, ("Connection", "close")])
        with contextlib.suppress(h11.LocalProtocolError):  # nothing can be said any more
            await self.say(response, h11.Data(data=body), h11.EndOfMessage())
            await self.say_last(b"")

    def beginning(self) -> bytes:
        """What came behind the HTTP part, once the connection is a tunnel."""
        return self._http.trailing_data[0]

    async def read(self) -> bytes:
        """Bytes of a tunnel; none at its end."""
        return await self._reader.read(CHUNK)

    async def write(self, data: bytes) -> None:
        """Send bytes of a tunnel, when the other side keeps up."""
        self._writer.write(data)
        await self._writer.drain()

    async def say_last(self, data: bytes) -> None:
        """Send bytes, and wait a moment for them to be read: closing with unread input would cut them off."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await self.write(data)
                self.end()
                while await self._reader.read(CHUNK):
                    pass

    def end(self) -> None:
        """Say that no more bytes will come. The other side may go on."""
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def close(self) -> None:
        """Close, and send what is waiting if that is soon done."""
        self._writer.close()
        try:
            async with asyncio.timeout(_LINGER_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self._writer.transport.abort()


async def splice(client: Wire, server: Wire, *, idle_s: float) -> None:
    """Pass bytes both ways until both sides have ended. Raises TimeoutError after `idle_s` seconds without a byte."""
    loop = asyncio.get_running_loop()

    async def pass_on(source: Wire, sink: Wire) -> None:
        while data := await source.read():
            limit.reschedule(loop.time() + idle_s)
            await sink.write(data)
        sink.end()

    async with asyncio.timeout(idle_s) as limit, asyncio.TaskGroup() as both:
        both.create_task(pass_on(client, server))
        both.create_task(pass_on(server, client))


async def relay(client: Wire, server: Wire, request: h11.Request, *, idle_s: float) -> None:
    """Send one request on, and its answer back. Raises as `splice`, and h11.RemoteProtocolError."""
    loop = asyncio.get_running_loop()

    async def pass_on(source: Wire, sink: Wire) -> None:
        ended = False
        while not ended:
            event = await source.event()
            limit.reschedule(loop.time() + idle_s)
            if isinstance(event, h11.Response):
                headers = [*passed(event.headers), (b"Connection", b"close")]
                await sink.say(h11.Response(status_code=event.status_code, reason=event.reason, headers=headers))
            elif isinstance(event, h11.Data):
                await sink.say(h11.Data(data=event.data))
            elif not isinstance(event, h11.InformationalResponse):
                await sink.say(h11.EndOfMessage())
                ended = True

    async with asyncio.timeout(idle_s) as limit, asyncio.TaskGroup() as both:
        await server.say(request)
        asking = both.create_task(pass_on(client, server))
        await pass_on(server, client)
        asking.cancel()


def passed(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers that go through a proxy: all but its own and those that `Connection` names."""
    kept = [(key, value) for key, value in headers if key not in _FOR_PROXIES]  # h11 gives names in lower case
    named = {name.strip().lower() for key, value in headers if key == b"connection" for name in value.split(b",")}
    framing = {b"content-length", b"transfer-encoding"}
    if any(key == b"transfer-encoding" for key, _ in kept):  # which wins, so that a length beside it would be a lie
        named, framing = named | {b"content-length"}, {b"transfer-encoding"}
    return [(key, value) for key, value in kept if key not in named - framing]
