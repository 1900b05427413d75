"""What every test has."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import Postgres

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
