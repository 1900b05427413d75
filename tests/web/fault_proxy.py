"""A TCP relay on loopback that makes the troubles of a network, on order.

It knows no HTTP beyond the one answer that it gives by itself (503). It refuses to outlive its `async with` block.
"""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Literal, Self

Mode = Literal["pass", "503", "refuse"]

_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FaultProxy:
    """Stands before `port`, and listens on `self.port`.

    `mode` is for connections from now on: relay them, answer 503 as a balancer does during a deploy, or reset them as
    a machine does where nobody listens.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.mode: Mode = "pass"
        self.connections = 0
        """How many have come so far."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._stalled: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._came = asyncio.Condition()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    async def connected(self, times: int) -> None:
        """Wait until so many connections have come."""
        async with self._came:
            await self._came.wait_for(lambda: self.connections >= times)

    def cut(self) -> None:
        """Reset all connections at both ends."""
        for writer in list(self._writers):
            _reset(writer)

    def stall(self) -> None:
        """Make all connections of this moment half-open: nothing passes any more, and nobody is told."""
        self._stalled |= self._writers

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _count(self) -> None:
        async with self._came:
            self.connections += 1
            self._came.notify_all()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._spawn(self._relay(reader, writer))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)  # before it is counted: who has seen it come may cut it at once
        await self._count()
        if self.mode == "refuse":
            _reset(writer)
            return
        if self.mode == "503":
            await self._answer_unavailable(reader, writer)
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.add(far_writer)
        self._spawn(self._pump(far_reader, writer))
        await self._pump(reader, far_writer)

    async def _answer_unavailable(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_UNAVAILABLE)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a browser opens connections that it then does not use
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if writer in self._stalled:
                    continue
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            if writer not in self._stalled:
                writer.close()
                self._writers.discard(writer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST: a linger of nothing throws away what is under way."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
