"""What every test has."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import Postgres

# Compiling the scanner's rules takes seconds, which each home of its own would cost anew.
os.environ.setdefault("KF_RULE_CACHE_DIR", str(Path(tempfile.gettempdir()) / "auto-code-scanner-rules"))
# What git puts into each new repository otherwise: samples of hooks, which nobody asked for.
os.environ.setdefault("GIT_TEMPLATE_DIR", "")

pytest_plugins = ["tests.web.browser"]

# How long an example takes says nothing on a machine that runs other things too. The same few examples each time: a
# suite that runs at every change is no search; `--hypothesis-profile=search` is one.
settings.register_profile("search", deadline=None)
settings.register_profile("here", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("here")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server, for as long as the tests run."""
    with Postgres() as server:
        yield server
