"""A reader's browser: what a page weighs, when it is painted, and when words become visible in it.

Words are timed by the page itself. A MutationObserver sees them arrive, an animation frame after that draws them, and
what runs after the frame writes down `Date.now()`. That is the clock of this machine, which `time.time()` reads, too.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page

from tests.flows.service import ACCESS_CODE
from tests.web.browser import chromium

_PATIENCE_S = 60.0

_WATCH = """
  window.seen = {};
  window.longest = 0;
  const note = (marks) => {
    const at = Date.now();
    for (const mark of marks) seen[mark] ??= at;
  };
  new MutationObserver((changes) => {
    const text = changes.flatMap(({addedNodes}) => [...addedNodes].map((node) => node.textContent)).join(' ');
    const marks = text.match(/mark\\d{4}/g);
    if (marks) requestAnimationFrame(() => setTimeout(note, 0, marks));
  }).observe(document, {subtree: true, childList: true});
  new PerformanceObserver((list) => {
    for (const {duration} of list.getEntries()) longest = Math.max(longest, duration);
  }).observe({entryTypes: ['longtask']});
"""
_SEEN = """(last) => new Promise((done) => {
  const look = () => (last in seen ? done(seen) : setTimeout(look, 50));
  look();
})"""
_LOADED = """async () => {
  const paints = () => performance.getEntriesByName('first-contentful-paint');
  while (!paints().length) await new Promise((go) => setTimeout(go, 20));
  const [page] = performance.getEntriesByType('navigation');
  const files = performance.getEntriesByType('resource').filter(({initiatorType}) => initiatorType !== 'fetch');
  const all = [page, ...files];
  const kind = ({name}) => (/\\.(css|js)$/.exec(new URL(name).pathname) ?? [, 'html'])[1];
  const weight = {html: 0, css: 0, js: 0};
  for (const each of all) if (!each.name.endsWith('.svg')) weight[kind(each)] += each.transferSize;
  const [{startTime: painted}] = paints();
  const nodes = document.querySelectorAll('*').length;
  return {painted, loaded: page.loadEventEnd, weight, requests: all.length, nodes, longest};
}"""


@dataclass(frozen=True)
class Opened:
    """A page that was opened with nothing cached. Times in milliseconds since it was asked for, weights in bytes as
    they came over the wire, headers included."""

    painted: float
    loaded: float
    weight: dict[str, int]
    requests: int
    nodes: int
    longest: float

    @property
    def weighs(self) -> str:
        """In words."""
        parts = " + ".join(f"{self.weight[kind] / 1000:.0f}" for kind in ("html", "css", "js"))
        return f"{parts} kB, {self.requests} requests"


class Readers:
    """Readers who hold the organisation's code; each has a browser that has never been here."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def open(self, url: str) -> Opened:
        """Open the page, and close it."""
        page = await self.stay(url)
        found: dict[str, Any] = await page.evaluate(_LOADED)
        await page.context.close()
        return Opened(**found)

    async def stay(self, url: str) -> Page:
        """Open the page, and read on."""
        headers = {"Authorization": f"Bearer {ACCESS_CODE}"}
        context = await self._browser.new_context(viewport={"width": 1440, "height": 900}, extra_http_headers=headers)
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        await page.goto(url)
        return page


@asynccontextmanager
async def readers() -> AsyncIterator[Readers]:
    """Readers, as long as the block lasts."""
    async with chromium() as browser:
        yield Readers(browser)


async def seen(page: Page, *, last: str) -> dict[str, float]:
    """When each mark was visible in the page, in seconds since the epoch, as soon as the last one is."""
    async with asyncio.timeout(_PATIENCE_S):
        marks: dict[str, float] = await page.evaluate(_SEEN, last)
    return {mark: at / 1000 for mark, at in marks.items()}
