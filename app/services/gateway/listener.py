"""HTTP/1.1 on a loopback port, for one program: whole requests in, answers out as they come.

h11 knows the grammar. A server framework is not used here, because a door must be able to break an answer off (so that
a cut upstream is not taken for a complete answer), and to be opened and closed for each process within a millisecond.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import h11

MOST_BYTES = 64 << 20
"""Of a request; the API itself takes half of that."""

_LOOPBACK = "127.0.0.1"
_BACKLOG = 64
_MOST_HEAD_BYTES = 64 << 10

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Request:
    """A request as it came; names of headers are in lower case. `peer` is the address that sent it."""

    method: str
    target: str
    headers: Headers
    body: bytes
    peer: str

    def header(self, name: bytes) -> str:
        """The first header of that name; empty where there is none."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")

    @property
    def is_local(self) -> bool:
        """It comes from this machine, and was meant for it: a name that resolves to loopback is none of ours."""
        host = self.header(b"host").rpartition(":")[0] or self.header(b"host")
        return _is_loopback(self.peer) and (host == "localhost" or _is_loopback(host.strip("[]")))


class Connection(asyncio.Protocol):
    """A client's connection: one request after the other, each handed to `handle`.

    A client that hangs up cancels the handling of its request. An answer that was begun and not ended when its handling
    is over breaks the connection.
    """

    def __init__(
        self,
        handle: Callable[[Request, "Connection"], Awaitable[None]],
        connections: "set[Connection]",
    ) -> None:
        self._handle = handle
        self._connections = connections
        self._http = h11.Connection(h11.SERVER, _MOST_HEAD_BYTES)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # What handlers call

    def begin(self, status: int, headers: Headers) -> None:
        """Send the status and the headers."""
        self._send(h11.Response(status_code=status, headers=list(headers)))

    async def send(self, chunk: bytes) -> None:
        """Send a piece of the body, at the speed at which the client takes it."""
        self._send(h11.Data(data=chunk))
        await self._writable.wait()

    def end(self) -> None:
        """The answer is complete."""
        self._send(h11.EndOfMessage())

    def cut(self) -> None:
        """Break the connection, and give up its request."""
        self._transport.abort()

    @property
    def is_busy(self) -> bool:
        """A request is being handled."""
        return self._task is not None and not self._task.done()

    async def closed(self) -> None:
        """Wait until the request that was handled is given up."""
        if self._task is not None:
            await asyncio.wait({self._task})

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker: TCP has no other
        self._transport = transport
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._writable.set()
        if self._task is not None:
            self._task.cancel()
        if not self.is_busy:
            self._connections.discard(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._read()

    # Own

    def _read(self) -> None:
        while not self._transport.is_closing():
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                return self.cut()
            if event is h11.PAUSED:
                return self._transport.pause_reading()
            if event is h11.NEED_DATA:
                return self._answer_expectation()
            if isinstance(event, h11.ConnectionClosed):
                return self._transport.close()
            self._take(event)
        return None

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._head, self._body = event, bytearray()
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > MOST_BYTES:
                self.cut()
        elif isinstance(event, h11.EndOfMessage) and self._head is not None:
            head, body = self._head, bytes(self._body)
            request = Request(head.method.decode(), head.target.decode("latin-1"), list(head.headers), body, self._peer)
            self._body = bytearray()
            self._task = asyncio.create_task(self._exchange(request))
            self._task.add_done_callback(self._forget_when_lost)

    def _answer_expectation(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[]))

    async def _exchange(self, request: Request) -> None:
        try:
            await self._handle(request, self)
        finally:
            self._next()

    def _forget_when_lost(self, _task: "asyncio.Task[None]") -> None:
        """Known until its request is given up, too: whoever closes the port waits for that."""
        if self._transport.is_closing():
            self._connections.discard(self)

    def _next(self) -> None:
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self.cut() if self._http.our_state is h11.SEND_BODY else self._transport.close()
            return
        self._http.start_next_cycle()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_soon(self._read)

    def _send(self, event: h11.Event) -> None:
        if not self._transport.is_closing() and (data := self._http.send(event)):
            self._transport.write(data)


class Listener:
    """A port of its own on loopback."""

    def __init__(self, handle: Callable[[Request, Connection], Awaitable[None]]) -> None:
        self._handle = handle
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """It has a port."""
        return self._server is not None

    async def open(self) -> int:
        """Take connections; the return is the port."""
        listening = socket.create_server((_LOOPBACK, 0), backlog=_BACKLOG)
        make = lambda: Connection(self._handle, self._connections)  # noqa: E731
        self._server = await asyncio.get_running_loop().create_server(make, sock=listening)
        return int(listening.getsockname()[1])

    def cut_busy(self) -> None:
        """Break the connections whose request is being handled; idle ones stay for the next."""
        for connection in list(self._connections):
            if connection.is_busy:
                connection.cut()

    async def close(self) -> None:
        """Close the port, and give up what is on its way. A second call changes nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            connections = list(self._connections)
            for connection in connections:
                connection.cut()
            for connection in connections:
                await connection.closed()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
