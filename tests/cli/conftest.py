"""Fixtures of the command line's tests."""

from pathlib import Path

import pytest

from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty home."""
    return Shell(tmp_path)
