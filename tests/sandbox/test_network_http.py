"""Plain HTTP through the agent's way out, and the operator's proxy behind it."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from app.config import Settings
from app.sandbox.network import EgressProxy
from tests.sandbox.egress import HOST, Egress, Origin, at, connect, hello, logged, refusals, within


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    async with Egress() as made:
        yield made


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with logged() as stream:
        yield stream


# Plain HTTP


async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the request: its head, and a body of three bytes if there is one."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(3) if b"ontent-length: 3" in head.lower() else b""
    said = head + body
    writer.write(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))


async def test_plain_http_reaches_the_host_of_its_address_without_what_is_for_the_proxy(egress: Egress) -> None:
    client = await egress.proxied(at(await egress.serve(echoed)))
    answer = await client.answer(
        f"POST http://{HOST}/a%20b?c=d#e HTTP/1.1\nHost: elsewhere.test\nProxy-Authorization: Basic eA==\n"
        "Connection: X-Hop\nX-Hop: 1\nX-End: 2\nContent-Length: 3\nExpect: 100-continue\n\n",
        b"abcGET http://elsewhere.test/ HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n",
    )
    assert "HTTP/1.1 200 OK" in answer
    assert "keep-alive" not in answer.lower()
    head, _, body = answer[answer.index("POST ") :].partition("\r\n\r\n")
    assert body == "abc"
    assert head.lower().split("\r\n") == [
        "post /a%20b?c=d http/1.1", f"host: {HOST}", "connection: close", "x-end: 2", "content-length: 3",
    ]  # fmt: skip


async def test_chunks_and_an_answer_until_the_end_pass_through_plain_http(egress: Egress) -> None:
    async def until_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + said.partition(b"\r\n\r\n")[2])

    client = await egress.proxied(at(await egress.serve(until_end)))

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{client.port}", trust_env=False) as program:
        answer = await program.post(f"http://{HOST}/", content=body())
    assert answer.text == "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_an_answer_that_comes_before_the_end_of_its_request_ends_the_connection(egress: Egress) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    client = await egress.proxied(at(await egress.serve(hasty)))
    answer = await client.answer(f"POST http://{HOST}/ HTTP/1.1\nHost: {HOST}\nContent-Length: 100\n\n", b"abc")
    assert answer.startswith("HTTP/1.1 413 ")


async def test_who_still_sends_when_refused_reads_why(egress: Egress) -> None:
    client = await egress.proxied()
    body = bytes(8 << 20)
    head = f"POST http://elsewhere.test/ HTTP/1.1\nHost: elsewhere.test\nContent-Length: {len(body)}\n\n"
    assert "AGENT_NETWORK_HOSTS" in await client.answer(head, body)


async def test_a_host_that_speaks_no_http_is_said(egress: Egress) -> None:
    async def ssh(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n\r\n")

    client = await egress.proxied(at(await egress.serve(ssh)))
    answer = await client.answer(f"GET http://{HOST}/ HTTP/1.1\nHost: {HOST}\n\n")
    assert answer.startswith("HTTP/1.1 502 ")


async def test_the_settings_let_programs_reach_the_mirrors_of_the_operator_by_the_systems_dns(egress: Egress) -> None:
    port = await egress.serve(echoed)
    environment = {"PIP_INDEX_URL": f"http://user:password@localhost:{port}/simple"}
    proxy = EgressProxy.of(Settings(_env_file=None, agent_network_hosts=("*.named.test",)), environment)
    for _ in range(2):  # it can be started again
        async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{await proxy.start()}", trust_env=False) as program:
            assert (await program.get(f"http://localhost:{port}/simple/")).status_code == 200
            assert (await program.get("http://localhost/simple/")).status_code == 403
            assert (await program.get("http://user.test/")).status_code == 403
        await proxy.stop()


# The operator's proxy


class OperatorsProxy:
    """Records what it is asked, opens tunnels to nowhere, and answers plain requests."""

    def __init__(self, status: str = "200 Yes", greeting: bytes = b"") -> None:
        self.status = status
        self.greeting = greeting
        self.heads: list[str] = []
        self.inside = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        length = "" if self.greeting else "Content-Length: 0\r\n"
        writer.write(f"HTTP/1.1 {self.status}\r\n{length}\r\n".encode() + self.greeting)
        self.inside = await reader.read()


async def test_tunnels_and_plain_http_go_through_the_operators_proxy_with_its_credentials(egress: Egress) -> None:
    theirs = OperatorsProxy()
    url = f"http://us%65r:p%40ss@127.0.0.1:{await egress.serve(theirs)}"
    client = await egress.proxied(hosts=("*.wild.test",), upstream={"HTTPS_PROXY": url, "http_proxy": url})
    said = hello("a.b.wild.test")
    reader, writer = await client.tunnel("a.b.wild.test:443", first=said)
    writer.write_eof()
    await within(reader.read())
    assert theirs.inside == said
    await client.answer(f"GET http://{HOST}/x HTTP/1.1\nHost: {HOST}\n\n")
    assert client.lookups == []
    tunnel, plain = theirs.heads
    assert tunnel.startswith("CONNECT a.b.wild.test:443 HTTP/1.1\r\n")
    assert plain.startswith(f"GET http://{HOST}/x HTTP/1.1\r\n")
    for head in theirs.heads:
        assert f"proxy-authorization: Basic {base64.b64encode(b'user:p@ss').decode()}".lower() in head.lower()


async def test_what_comes_along_with_the_operators_proxys_answer_is_not_lost(egress: Egress) -> None:
    url = f"http://127.0.0.1:{await egress.serve(OperatorsProxy(greeting=b'220 welcome'))}"
    client = await egress.proxied(trusted=(f"{HOST}:2525",), upstream={"HTTPS_PROXY": url})
    reader, writer = await client.tunnel(f"{HOST}:2525", first=b"")
    writer.write_eof()
    assert await within(reader.read()) == b"220 welcome"


async def test_what_the_operator_reaches_directly_does_not_go_through_the_proxy(egress: Egress) -> None:
    origin, theirs = Origin(), OperatorsProxy()
    url = f"http://127.0.0.1:{await egress.serve(theirs)}"
    client = await egress.proxied(
        at(await egress.serve(origin)), upstream={"ALL_PROXY": url, "NO_PROXY": "other, .test"}
    )
    _, writer = await client.tunnel()
    writer.write_eof()
    await within(origin.ended.wait())
    assert theirs.heads == []


@pytest.mark.parametrize("status", ["407 Who are you", "403 No", "301 There", "nonsense"])
async def test_an_operators_proxy_that_refuses_is_said_without_its_credentials(
    egress: Egress, log: io.StringIO, status: str
) -> None:
    url = f"http://user:topsecret@127.0.0.1:{await egress.serve(OperatorsProxy(status))}"
    client = await egress.proxied(upstream={"HTTPS_PROXY": url})
    answer = await client.answer(connect(f"{HOST}:443"))
    assert answer.startswith("HTTP/1.1 502 ")
    assert "The operator's proxy did not lead to" in answer
    assert [line["host"] for line in refusals(log)] == [HOST]
    assert "topsecret" not in answer + log.getvalue()
    assert base64.b64encode(b"user:topsecret").decode() not in answer + log.getvalue()
