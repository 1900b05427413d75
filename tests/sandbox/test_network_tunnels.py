"""Tunnels of the agent's way out: what they carry, and when they end."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from app.sandbox.network import Limits
from app.sandbox.proxy_addresses import Address
from tests.sandbox.certificates import certificate_of
from tests.sandbox.egress import HOST, Egress, Origin, at, connect, hello, logged, refusals, within

SHORT = Limits(head_s=0.1, reach_s=2, idle_s=0.1)


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    async with Egress() as made:
        yield made


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with logged() as stream:
        yield stream


# Tunnels


async def test_a_tunnel_carries_what_both_sides_say_and_ends_each_way_by_itself(egress: Egress) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)))
    reader, writer = await client.tunnel()
    writer.write(b"and more")
    writer.write_eof()
    assert await within(reader.read()) == b"all here"
    assert origin.connections[0].endswith(b"and more")


async def test_a_program_speaks_tls_to_an_allowed_host_and_checks_its_certificate(
    egress: Egress, tmp_path: Path
) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\npackage")

    served, trusting = certificate_of(HOST, tmp_path)
    client = await egress.proxied(at(await egress.serve(web, tls=served)))
    async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{client.port}", verify=trusting, trust_env=False) as program:
        assert (await program.get(f"https://{HOST}/simple/")).text == "package"
        with pytest.raises(httpx.ProxyError, match="403"):
            await program.get("https://elsewhere.test/")


async def test_a_client_hello_in_small_pieces_arrives_unchanged(egress: Egress) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)))
    reader, writer = await client.tunnel(first=b"")
    said = hello(HOST.upper())
    for place in range(0, len(said), 100):
        writer.write(said[place : place + 100])
        await asyncio.sleep(0)
    writer.write_eof()
    await within(reader.read())
    assert origin.connections == [said]


@pytest.mark.parametrize(
    "first",
    [hello("elsewhere.test"), hello(None), b"GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n", b"SSH-2.0-x\r\n"],
    ids=["another host", "no host", "no TLS", "ssh"],
)
async def test_a_tunnel_in_which_tls_does_not_ask_for_its_host_is_cut(
    egress: Egress, log: io.StringIO, first: bytes
) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)))
    reader, writer = await client.tunnel(first=first)
    await within(reader.read())
    writer.close()
    await within(origin.ended.wait())
    assert origin.connections == [b""]
    assert "TLS asked for" in str(refusals(log)[0]["why"])


async def test_what_is_sent_along_with_the_request_for_a_tunnel_is_not_lost(egress: Egress) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)))
    reader, writer = await client.ask(connect(f"{HOST}:443"), hello(HOST) + b"more")
    writer.write_eof()
    assert (await within(reader.read())).endswith(b"all here")
    assert origin.connections == [origin.connections[0]]
    assert origin.connections[0].endswith(b"more")


async def test_a_big_download_and_upload_arrive_whole(egress: Egress) -> None:
    block = bytes(range(256)) * 4096
    seen = hashlib.sha256()

    async def big(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(hello_))
        for _ in range(20):
            writer.write(block)
            await writer.drain()
        while data := await reader.read(1 << 18):
            seen.update(data)

    hello_ = hello(HOST)
    client = await egress.proxied(at(await egress.serve(big)))
    reader, writer = await client.tunnel(first=hello_)
    assert await within(reader.readexactly(20 * len(block))) == 20 * block
    for _ in range(20):
        writer.write(block)
        await within(writer.drain())
    writer.write_eof()
    assert await within(reader.read()) == b""
    assert seen.digest() == hashlib.sha256(20 * block).digest()


async def test_a_client_that_does_not_read_slows_its_server_down(egress: Egress) -> None:
    sent = asyncio.Event()

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _mebibyte in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
        sent.set()

    client = await egress.proxied(at(await egress.serve(flood)))
    reader, _ = await client.ask(connect(f"{HOST}:443"), hello(HOST))
    await within(reader.readexactly(100))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sent.wait(), 0.5)


async def test_a_client_that_is_gone_takes_its_connection_to_the_server_along(egress: Egress) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)))
    _, writer = await client.tunnel()
    writer.transport.abort()
    await within(origin.ended.wait())


async def test_a_server_that_is_gone_ends_the_tunnel(egress: Egress) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    client = await egress.proxied(at(await egress.serve(leave)))
    reader, _ = await client.tunnel()
    assert await within(reader.read()) == b""


# Time and room


async def test_a_request_that_comes_too_slowly_is_cut(egress: Egress) -> None:
    client = await egress.proxied(limits=SHORT)
    reader, writer = await client.ask("CONNECT regi")

    async def drip() -> None:
        while not writer.is_closing():
            writer.write(b"s")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await within(reader.read())).startswith(b"HTTP/1.1 408 ")
    dripping.cancel()


@pytest.mark.parametrize("said", [b"", hello(HOST)[:50], hello(HOST)], ids=["nothing", "half", "hello"])
async def test_a_silent_tunnel_is_cut(egress: Egress, said: bytes) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)), limits=SHORT)
    reader, _ = await client.tunnel(first=said)
    assert await within(reader.read()) == b""
    await within(origin.ended.wait())


async def test_a_tunnel_in_which_something_is_said_now_and_then_stays(egress: Egress) -> None:
    client = await egress.proxied(at(await egress.serve(Origin())), limits=Limits(idle_s=0.5))
    reader, writer = await client.tunnel()
    for _ in range(3):
        await asyncio.sleep(0.2)
        writer.write(b"still here")
    writer.write_eof()
    assert await within(reader.read()) == b"all here"


async def test_a_host_that_does_not_answer_plain_http_is_given_up(egress: Egress) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)), limits=SHORT)
    assert await client.answer(f"GET http://{HOST}/ HTTP/1.1\nHost: {HOST}\n\n") == ""
    await within(origin.ended.wait())


async def test_a_name_that_is_not_answered_in_time_is_said(egress: Egress) -> None:
    async def never(host: str, port: int) -> Sequence[Address]:
        await asyncio.Event().wait()
        return []

    client = await egress.proxied(resolve=never, limits=Limits(reach_s=0.05))
    assert (await client.answer(connect(f"{HOST}:443"))).startswith("HTTP/1.1 504 ")


async def test_more_clients_than_there_are_places_wait_for_one(egress: Egress) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)), limits=Limits(connections=1))
    _, first = await client.tunnel()
    waiting = asyncio.create_task(client.answer(connect("elsewhere.test:443")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.1)
    first.transport.abort()
    assert (await within(waiting)).startswith("HTTP/1.1 403 ")


async def test_stopping_cuts_tunnels_and_listens_no_more(egress: Egress) -> None:
    origin = Origin()
    client = await egress.proxied(at(await egress.serve(origin)))
    reader, _ = await client.tunnel()
    await within(client.proxy.stop())
    assert await within(reader.read()) == b""
    await within(origin.ended.wait())
    with pytest.raises(ConnectionRefusedError):
        await client.ask("")
    await client.proxy.stop()
