"""Which connections a program in a room can make, tried on the kernel that runs the tests."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sandbox import Sandbox
from tests.sandbox.conftest import Make, attempt, room_of


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


async def test_only_the_rooms_ports_can_be_reached(sandbox: Sandbox, worktree: Path, server: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        allowed, refused = server.getsockname()[1], other.getsockname()[1]
        program = """
def reach(port):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5):
        return "reached"
print(json.dumps([tried(lambda: reach(port)) for port in given]))
"""
        room = room_of(sandbox, worktree, ports=[allowed])
        assert await attempt(sandbox, room, program, allowed, refused) == ["reached", "EACCES"]


async def test_no_socket_goes_around_the_ports(sandbox: Sandbox, worktree: Path, server: socket.socket) -> None:
    port = server.getsockname()[1]
    program = """
def made(*how):
    return tried(lambda: socket.socket(*how).close())
def fast():
    with socket.socket() as client:
        return client.sendto(b"x", 0x20000000, ("127.0.0.1", int(given[0])))
print(json.dumps({
    "tcp": made(socket.AF_INET, socket.SOCK_STREAM),
    "tcp6": made(socket.AF_INET6, socket.SOCK_STREAM, 6),
    "local": made(socket.AF_UNIX, socket.SOCK_STREAM),
    "pair": tried(lambda: [each.close() for each in socket.socketpair()] and None),
    "udp": made(socket.AF_INET, socket.SOCK_DGRAM),
    "udp6": made(socket.AF_INET6, socket.SOCK_DGRAM),
    "raw": made(socket.AF_INET, socket.SOCK_RAW, 1),
    "ping": made(socket.AF_INET, socket.SOCK_DGRAM, 1),
    "mptcp": made(socket.AF_INET, socket.SOCK_STREAM, 262),
    "sctp": made(socket.AF_INET, socket.SOCK_STREAM, 132),
    "packet": made(17, socket.SOCK_RAW, 0),
    "vsock": made(40, socket.SOCK_STREAM, 0),
    "fast open": tried(fast),
}))
"""
    seen = await attempt(sandbox, room_of(sandbox, worktree), program, port)
    assert {name for name, result in seen.items() if result == "done"} == {"tcp", "tcp6", "pair"}
    assert (seen["udp"], seen["local"]) == ("EACCES", "EACCES")
    assert seen["fast open"] in {"EOPNOTSUPP", "ENOTSUP"}  # one number


@pytest.mark.parametrize("network", ["none", "open"])
@pytest.mark.parametrize("allowed", [False, True])
async def test_local_servers_are_reached_only_where_the_operator_says_so(
    network: str, allowed: bool, make: Make, worktree: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        program = """
def reach():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(given[0])
        return "reached"
print(json.dumps(tried(reach)))
"""
        sandbox = make(agent_network=network, agent_local_sockets=allowed)
        reached = await attempt(sandbox, room_of(sandbox, worktree), program, tmp_path / "s")
        assert reached == ("reached" if allowed else "EACCES")


async def test_where_the_network_is_open_all_of_it_is(make: Make, worktree: Path, server: socket.socket) -> None:
    sandbox = make(agent_network="open")
    program = """
def reach():
    with socket.create_connection(("127.0.0.1", int(given[0])), timeout=5), socket.socket(type=socket.SOCK_DGRAM):
        return "reached"
print(json.dumps(tried(reach)))
"""
    assert await attempt(sandbox, room_of(sandbox, worktree), program, server.getsockname()[1]) == "reached"


async def test_ports_that_the_operator_opens_are_open_to_every_room(
    make: Make, worktree: Path, server: socket.socket
) -> None:
    port = server.getsockname()[1]
    sandbox = make(agent_ports=f"1,1024-{port}")
    program = """
with socket.create_connection(("127.0.0.1", int(given[0])), timeout=5):
    print(json.dumps("reached"))
"""
    assert await attempt(sandbox, room_of(sandbox, worktree), program, port) == "reached"
