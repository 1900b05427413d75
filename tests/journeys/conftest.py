"""One office and one browser for all tests of a process. They run on one event loop:

pytestmark = pytest.mark.asyncio(loop_scope="session")
"""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.journeys.office import Office, People
from tests.web.browser import chromium


@pytest.fixture(scope="session")
def office() -> Iterator[Office]:
    """The office."""
    with Office() as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_browser() -> AsyncIterator[Browser]:
    """The browser."""
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="session")
async def people(office: Office, one_browser: Browser) -> AsyncIterator[People]:
    """The test's people, whose pages must not complain."""
    present = People(office, one_browser)
    yield present
    await present.leave()
    assert present.browsing.complaints == []
