"""The suite's own tests of what the agent may do, in the service's container: its image, its user, its walls."""

import re

import pytest

from tests.stack.containers import Stack

CLEAN = ("env", "--ignore-environment", "PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "HOME=/workspace/home",
         "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")  # fmt: skip
"""Tests get no setting of the service."""


ROOMS = ("tests/sandbox/test_rooms.py", "tests/sandbox/test_supervisor.py")
AGENT = ("tests/flows/test_no_secrets.py",)
NO_NAMESPACES = "not bwrap and not bubblewrap"
"""The engine's own seccomp filter, which stays, allows no namespaces."""


@pytest.mark.parametrize("tests", [ROOMS, AGENT], ids=["rooms", "agent"])
def test_what_holds_on_a_host_holds_in_the_container(stack: Stack, tests: tuple[str, ...]) -> None:
    command = ("pytest", "-n0", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", NO_NAMESPACES, *tests)
    told = stack.compose("run", "--rm", "--no-deps", "--no-TTY", "inside", *CLEAN, *command)
    assert re.search(r"\b[1-9]\d* passed", told), told
