"""One office and one browser for all tests of a process. They run on one event loop:

pytestmark = pytest.mark.asyncio(loop_scope="session")
"""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.journeys.office import Office, People
from tests.web.browser import Browsing, chromium

_LIMIT_MS = 15_000
"""For what takes no turn of Claude. The machine may be busy with other tests."""


@pytest.fixture(scope="session")
def office() -> Iterator[Office]:
    """The office."""
    with Office() as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_browser() -> AsyncIterator[Browser]:
    """The browser."""
    expect.set_options(timeout=_LIMIT_MS)
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="session")
async def people(office: Office, one_browser: Browser) -> AsyncIterator[People]:
    """The test's people, whose pages must not complain."""
    async with People(office, one_browser) as present:
        yield present


@pytest_asyncio.fixture(loop_scope="session")
async def browsing(one_browser: Browser) -> AsyncIterator[Browsing]:
    """Pages for one test of a showroom, which must not complain."""
    visits = Browsing(one_browser)
    yield visits
    await visits.close()
    assert visits.complaints == []
