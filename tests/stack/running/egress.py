"""The firewall of deployment-plan.md, with a piece of internet beyond the host."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stack.containers import Stack
from tests.stack.plan import program

PUBLIC, METADATA, PRIVATE = "203.0.113.1", "169.254.169.254", "10.9.9.9"
HOST = "203.0.113.254"
HTTPS, HTTP = 443, 80

LISTEN = """
import socket, time
listening = [socket.create_server(("0.0.0.0", port)) for port in (443, 80)]
print("ready", flush=True)
time.sleep(600)
"""
REACH = """
import json, socket, sys
def reached(host, port):
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True
print(json.dumps([reached(host, port) for host, port in json.loads(sys.argv[1])]))
"""


def ip(*arguments: str, inside: int | None = None) -> None:
    enter = ["nsenter", "--target", str(inside), "--net"] if inside else []
    subprocess.run([*enter, "ip", *arguments], check=True)


@contextmanager
def internet() -> Iterator[None]:
    """Machines beyond this one, which all listen on two ports."""
    beyond = subprocess.Popen(["unshare", "--net", sys.executable, "-c", LISTEN], stdout=subprocess.PIPE, text=True)
    try:
        assert beyond.stdout is not None
        assert beyond.stdout.readline() == "ready\n"
        ip("link", "add", "world", "type", "veth", "peer", "name", "host", "netns", str(beyond.pid))
        ip("address", "add", f"{HOST}/24", "dev", "world")
        ip("link", "set", "world", "up")
        for address in (f"{PUBLIC}/24", f"{METADATA}/32", f"{PRIVATE}/32"):
            ip("address", "add", address, "dev", "host", inside=beyond.pid)
        ip("link", "set", "host", "up", inside=beyond.pid)
        ip("route", "add", "default", "via", PUBLIC)
        yield
    finally:
        beyond.kill()
        beyond.communicate()


@pytest.mark.skipif("CUT_OFF" not in os.environ, reason="Rules are laid only where the network is the engine's own.")
def test_the_plans_firewall_lets_out_what_the_service_needs_and_nothing_else(stack: Stack, tmp_path: Path) -> None:
    firewall = program("auto-code-egress", tmp_path)
    with internet(), socket.create_server(("0.0.0.0", 0)) as of_the_host:
        targets = [
            (PUBLIC, HTTPS),
            (PUBLIC, HTTP),
            (METADATA, HTTP),
            (PRIVATE, HTTPS),
            (HOST, of_the_host.getsockname()[1]),
        ]

        def reached() -> list[bool]:
            told: list[bool] = json.loads(stack.execute("auto-code", "python", "-c", REACH, json.dumps(targets)))
            return told

        assert reached() == [True] * 5, "Without the rules all of it is there."
        for _ in range(2):  # laid again they are the same
            subprocess.run([firewall], check=True)
            assert reached() == [True, False, False, False, False]
