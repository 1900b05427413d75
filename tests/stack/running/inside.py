"""The suite's own tests of what the agent may do, in the service's container: its image, its user, its walls."""

import pytest

from tests.stack.containers import Stack

CLEAN = ("env", "--ignore-environment", "PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "HOME=/workspace/home",
         "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")  # fmt: skip
"""Tests get no setting of the service."""


@pytest.mark.parametrize("tests", ["tests/sandbox", "tests/flows/test_no_secrets.py"])
def test_what_holds_on_a_host_holds_in_the_container(stack: Stack, tests: str) -> None:
    told = stack.compose(
        "run", "--rm", "--no-deps", "--no-TTY", "inside", *CLEAN, "pytest", "-n0", "-p", "no:cacheprovider", tests
    )
    assert " passed" in told or "100%" in told
