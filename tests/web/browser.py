"""Real Chromium for tests, through Playwright.

Its fixtures are there for every test. A module's tests share one browser on one event loop:

    pytestmark = pytest.mark.asyncio(loop_scope="module")

    async def test_the_page_greets(browsing: Browsing) -> None:
        page = await browsing.page(color_scheme="dark")

Whatever a page complains of fails its test: errors on the console, exceptions of scripts, violations of the content
security policy. No browser is a failure, never a skip.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

_CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WATCH_POLICY = """addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI || event.sourceFile}`));"""
_LIMIT_MS = 10_000


class Browsing:
    """Pages of one test, each in a context of its own unless it is opened `beside` another one."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._complaints: list[str] = []
        self._expected: list[str] = []

    async def page(self, url: str | None = None, *, beside: Page | None = None, **options: Any) -> Page:
        """A page, at `url` when one is given. `options` are those of Playwright's `new_context`."""
        context = beside.context if beside else await self._context(**options)
        page = await context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self._complaints.append(f"exception: {error}"))
        if url is not None:
            await page.goto(url)
        return page

    def expect(self, pattern: str) -> None:
        """Let complaints pass that match, as those about a connection that the test itself cuts."""
        self._expected.append(pattern)

    @property
    def complaints(self) -> list[str]:
        """What the pages complained of so far, without what is expected."""
        return [said for said in self._complaints if not any(re.search(known, said) for known in self._expected)]

    async def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            await context.close()

    async def _context(self, **options: Any) -> BrowserContext:
        # Without a graphics card each turn of a spinner is drawn by the processor that the other tests need.
        context = await self._browser.new_context(**{"reduced_motion": "reduce", **options})
        context.set_default_timeout(_LIMIT_MS)
        await context.add_init_script(_WATCH_POLICY)
        self._contexts.append(context)
        return context

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complaints.append(message.text)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium, for as long as the `async with` lasts."""
    if not _CHROMIUM.exists():
        pytest.fail(f"{_CHROMIUM} is missing. Install it: apt-get install --no-install-recommends chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the tests of a module."""
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="module")
async def browsing(browser: Browser) -> AsyncIterator[Browsing]:
    """Pages for one test, which must not complain."""
    visits = Browsing(browser)
    yield visits
    await visits.close()
    assert visits.complaints == []
