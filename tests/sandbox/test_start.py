"""The sandbox is tried before it is trusted."""

import os
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.sandbox import Sandbox, trial
from tests.sandbox.conftest import PYTHON, Make, attempt, inside, room_of


async def test_a_sandbox_that_works_starts(sandbox: Sandbox) -> None:
    how = sandbox.how
    await sandbox.start()
    assert sandbox.how == how
    await sandbox.stop()


PRODUCTION = {"node_env": "production", "agent_sandbox": "bwrap"}
WITHOUT_BUBBLEWRAP = {"PATH": "/nowhere"}


async def test_production_refuses_to_start_without_the_sandbox_that_is_named(make: Make) -> None:
    sandbox = make(environment=WITHOUT_BUBBLEWRAP, **PRODUCTION)
    with pytest.raises(ConfigurationError, match="AGENT_SANDBOX=bwrap does not work here: there is no program bwrap"):
        await sandbox.start()


async def test_development_goes_on_without_it(make: Make, worktree: Path) -> None:
    sandbox = make(environment=WITHOUT_BUBBLEWRAP, agent_sandbox="bwrap")
    await sandbox.start()
    assert sandbox.how == "off"
    assert (await inside(sandbox, room_of(sandbox, worktree), "/bin/sh", "-c", "echo works")).text == "works\n"


async def test_no_sandbox_at_all_starts_where_it_is_said_aloud(make: Make) -> None:
    sandbox = make(node_env="production", agent_sandbox="off")
    await sandbox.start()
    assert sandbox.how == "off"


async def test_a_sandbox_that_holds_nothing_is_found_out(make: Make, worktree: Path, tmp_path: Path) -> None:
    sandbox = make(agent_sandbox="off")
    outside = tmp_path / "outside"
    complaint = await trial.complaint(
        (PYTHON, "-I", "-c", trial.PROBE, str(outside), str(os.getpid()), "ports"),
        outside=outside,
        entrance=sandbox.entrance(room_of(sandbox, worktree), env=sandbox.environment(room_of(sandbox, worktree))),
        launcher=sandbox.launcher,
        cwd=worktree,
    )
    assert complaint is not None
    for possible in ("reading elsewhere", "writing elsewhere", "the service's environment", "any port", "UDP"):
        assert possible in complaint


def test_a_container_engine_in_reach_is_found(tmp_path: Path) -> None:
    socket_of_engine = tmp_path / "docker.sock"
    socket_of_engine.touch()
    line = "0000000000000000: 00000002 00000000 00010000 0001 01 4242"
    assert trial.engine_in_reach(f"Num RefCount …\n{line} {socket_of_engine}\n{line}\n") == str(socket_of_engine)
    assert trial.engine_in_reach(f"{line} /run/other.sock\n{line} @docker.sock\n{line} /gone/docker.sock\n") is None


async def test_registries_are_reached_through_a_proxy_that_knows_them(make: Make, worktree: Path) -> None:
    sandbox = make(agent_network="registries", environment={"PATH": os.environ["PATH"]})
    await sandbox.start()
    try:
        room = room_of(sandbox, worktree)
        environment = sandbox.environment(room)
        assert environment["HTTPS_PROXY"] == environment["https_proxy"] == environment["HTTP_PROXY"]
        assert "127.0.0.1" in environment["NO_PROXY"]
        program = """
with socket.create_connection(("127.0.0.1", int(given[0].rpartition(":")[2])), timeout=10) as proxy:
    proxy.sendall(b"CONNECT example.com:443 HTTP/1.1\\r\\nHost: example.com:443\\r\\n\\r\\n")
    print(json.dumps(proxy.recv(4096).decode().split()[1]))
"""
        assert await attempt(sandbox, room, program, environment["HTTPS_PROXY"]) == "403"
    finally:
        await sandbox.stop()
