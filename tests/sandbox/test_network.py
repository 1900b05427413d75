"""The agent's way out: allowed hosts and nothing else, whatever is tried."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from app.sandbox.proxy_addresses import Address
from tests.sandbox.egress import HOST, Egress, Origin, at, connect, logged, refusals, within


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    async with Egress() as made:
        yield made


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with logged() as stream:
        yield stream


# What is refused


@pytest.mark.parametrize(
    "target",
    ["elsewhere.test:443", f"sub.{HOST}:443", f"evil{HOST}:443", f"{HOST}:22", f"{HOST}:80", f"{HOST}:8443",
     "127.0.0.1:443", "[::1]:443", "2130706433:443", "127.1:443", "93.184.216.34:443"],
)  # fmt: skip
async def test_what_no_entry_names_is_refused_before_it_is_looked_up(
    egress: Egress, log: io.StringIO, target: str
) -> None:
    client = await egress.proxied()
    answer = await client.answer(connect(target))
    assert answer.startswith("HTTP/1.1 403 ")
    assert f"{target} is not allowed" in answer
    assert client.lookups == []
    assert [(line["host"], line["why"]) for line in refusals(log)] == [
        (target.rpartition(":")[0].strip("[]"), "not allowed")
    ]


INSIDE = ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
          "fd00::1", "fe80::1%eth0", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1", "fec0::1",
          "168.63.129.16", "fd00:ec2::254", "224.0.0.1", "198.51.100.1", "240.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
async def test_an_allowed_name_that_leads_inside_is_refused(egress: Egress, log: io.StringIO, address: str) -> None:
    origin = Origin()
    port = await egress.serve(origin)
    answers: dict[str, Sequence[Address]] = {"cdn.wild.test": [(address, port)], "named.test": [(address, port)]}
    client = await egress.proxied(answers, hosts=("named.test",), trusted=("*.wild.test",))
    for host in answers:
        assert (await client.answer(connect(f"{host}:443"))).startswith("HTTP/1.1 403 ")
    assert origin.connections == []
    assert [line["why"] for line in refusals(log)] == ["leads to an address inside"] * 2


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "fe80::1"])
async def test_a_clouds_metadata_is_refused_also_to_a_host_that_is_named_in_full(egress: Egress, address: str) -> None:
    client = await egress.proxied({HOST: [(address, 80)]})
    answer = await client.answer(f"GET http://{HOST}/latest/meta-data HTTP/1.1\nHost: {HOST}\n\n")
    assert answer.startswith("HTTP/1.1 403 ")


async def test_of_several_addresses_only_those_that_may_be_reached_are_tried(egress: Egress) -> None:
    origin = Origin()
    port = await egress.serve(origin)
    client = await egress.proxied({HOST: [("169.254.169.254", port), ("127.0.0.1", 1), ("127.0.0.1", port)]})
    _, writer = await client.tunnel()
    writer.write_eof()
    await within(origin.ended.wait())
    assert client.lookups == [HOST]


async def test_an_address_that_the_operator_names_needs_no_dns(egress: Egress) -> None:
    origin = Origin()
    port = await egress.serve(origin)
    client = await egress.proxied(trusted=(f"127.0.0.1:{port}",))
    reader, writer = await client.ask(connect(f"127.0.0.1:{port}"), b"anything")
    writer.write_eof()
    assert (await within(reader.read())).endswith(b"all here")
    assert origin.connections == [b"anything"]
    assert client.lookups == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("nonsense\n\n", 400),
        ("GET / HTTP/1.1\nHost: registry.test\n\n", 400),
        ("GET https://registry.test/ HTTP/1.1\nHost: registry.test\n\n", 400),
        ("GET http://user:password@registry.test/ HTTP/1.1\nHost: registry.test\n\n", 400),
        ("GET http://registry.test\\@elsewhere.test/ HTTP/1.1\nHost: registry.test\n\n", 400),
        ("GET http:///etc/passwd HTTP/1.1\nHost: registry.test\n\n", 400),
        ("GET http://[broken/ HTTP/1.1\nHost: registry.test\n\n", 400),
        ("GET ftp://registry.test/ HTTP/1.1\nHost: registry.test\n\n", 400),
        ("CONNECT registry.test HTTP/1.1\nHost: registry.test\n\n", 400),
        ("CONNECT registry.test:443/x HTTP/1.1\nHost: registry.test\n\n", 400),
        ("CONNECT registry.test:99999 HTTP/1.1\nHost: registry.test\n\n", 400),
        ("CONNECT u@registry.test:443 HTTP/1.1\nHost: registry.test\n\n", 400),
        ("CONNECT registry.test:443 HTTP/1.1\nX: " + "x" * 20_000, 431),
        ("\x16\x03\x01\n\n", 400),
    ],
)
async def test_what_is_no_request_to_a_proxy_is_refused(egress: Egress, head: str, status: int) -> None:
    client = await egress.proxied()
    assert (await client.answer(head)).startswith(f"HTTP/1.1 {status} ")
    assert client.lookups == []


async def test_a_host_that_cannot_be_reached_is_said(egress: Egress) -> None:
    client = await egress.proxied(at(1))
    assert (await client.answer(connect(f"{HOST}:443"))).startswith("HTTP/1.1 502 ")
    unknown = await egress.proxied()
    assert (await unknown.answer(connect(f"{HOST}:443"))).startswith("HTTP/1.1 502 ")


async def test_a_refused_host_is_logged_once_in_a_while_and_many_do_not_fill_the_log(
    egress: Egress, log: io.StringIO
) -> None:
    now = [0.0]
    client = await egress.proxied(clock=lambda: now[0])
    for _ in range(3):
        await client.answer(connect("elsewhere.test:443"))
    assert [line["host"] for line in refusals(log)] == ["elsewhere.test"]
    await asyncio.gather(*(client.answer(connect(f"host-{each}.test:443")) for each in range(150)))
    assert len(refusals(log)) == 100
    assert "note" in refusals(log)[-1]
    now[0] += 3600
    await client.answer(connect("elsewhere.test:443"))
    assert refusals(log)[-1]["host"] == "elsewhere.test"
