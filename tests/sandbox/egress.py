"""What the tests of the agent's way out share: servers on loopback, names that lead to them, and who asks.

It stands in for DNS and for every host; the proxy is the real one.
"""

import asyncio
import contextlib
import io
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar

import pytest

from app import logger
from app.sandbox.network import EgressProxy
from app.sandbox.proxy_addresses import Address

HOST = "registry.test"
LIMIT_S = 10

T = TypeVar("T")
Names = Mapping[str, Sequence[Address]]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Client:
    """Speaks to a proxy."""

    def __init__(self, proxy: EgressProxy, port: int, stack: AsyncExitStack) -> None:
        self.proxy = proxy
        self.port = port
        self.lookups: list[str] = []
        self._stack = stack

    async def ask(self, head: str, more: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send the beginning of a request on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._stack.push_async_callback(gone, writer)
        writer.write(head.replace("\n", "\r\n").encode() + more)
        await writer.drain()
        return reader, writer

    async def answer(self, head: str, more: bytes = b"") -> str:
        """All that comes back."""
        reader, _ = await self.ask(head, more)
        return (await within(reader.read())).decode()

    async def tunnel(
        self, target: str = f"{HOST}:443", first: bytes | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """An opened tunnel, in which `first` was said: else what TLS says first."""
        reader, writer = await self.ask(connect(target))
        status = await within(reader.readuntil(b"\r\n\r\n"))
        assert status.startswith(b"HTTP/1.1 200 ")
        writer.write(hello(target.rpartition(":")[0]) if first is None else first)
        return reader, writer


class Origin:
    """What a server was sent; it answers when the client's half is closed."""

    def __init__(self) -> None:
        self.connections: list[bytes] = []
        self.ended = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(b"")
        while data := await reader.read(1 << 16):
            self.connections[-1] += data
        writer.write(b"all here")
        self.ended.set()


class Egress:
    """Starts proxies for `registry.test` and servers behind them, and ends them all."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def serve(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> int:
        """The port of a server of one handler, which need not close its connections."""
        tasks: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await handler(reader, writer)
                if writer.can_write_eof():
                    writer.write_eof()
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()
                await gone(writer, abort=False)

        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
        self._stack.push_async_callback(ended, server, tasks)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def proxied(self, answers: Names | None = None, **facts: object) -> Client:
        """A client of a proxy for which names lead to these addresses."""

        async def resolve(host: str, port: int) -> Sequence[Address]:
            client.lookups.append(host)
            if host not in (answers or {}):
                raise OSError("no such name")
            return (answers or {})[host]

        proxy = EgressProxy(**{"hosts": (), "trusted": (HOST,), "resolve": resolve, **facts})  # type: ignore[arg-type]
        client = Client(proxy, await proxy.start(), self._stack)
        self._stack.push_async_callback(proxy.stop)
        return client


async def gone(writer: asyncio.StreamWriter, *, abort: bool = True) -> None:
    """Return when a connection is closed, and its transport forgotten."""
    if abort:
        writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def ended(server: asyncio.Server, tasks: set[asyncio.Task[None]]) -> None:
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def within(work: Awaitable[T]) -> T:
    async with asyncio.timeout(LIMIT_S):
        return await work


def connect(target: str) -> str:
    return f"CONNECT {target} HTTP/1.1\nHost: {target}\n\n"


def hello(host: str | None) -> bytes:
    """What a TLS client that wants to speak to this host says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = host is not None
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=host).do_handshake()
    return outgoing.read()


def refusals(log: io.StringIO) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["event"] == "egress_refused"]


def at(port: int, host: str = HOST) -> Names:
    """DNS, by which a name leads to a server of this test."""
    return {host: [("127.0.0.1", port)]}


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """What is logged meanwhile."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logger.configure("warning", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
