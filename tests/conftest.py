"""What every test has."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import Postgres

# How long an example takes says nothing on a machine that runs other things too.
settings.register_profile("here", deadline=None)
settings.load_profile("here")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server, for as long as the tests run."""
    with Postgres() as server:
        yield server
