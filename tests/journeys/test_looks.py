"""Every page in every state, in both themes, on a desk and on a phone: nothing for axe to find, nothing cut off.

Each view leaves its pictures in `.pictures/`, for people to look at.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, StorageState, ViewportSize, expect

from tests.flows.service import ACCESS_CODE
from tests.journeys import stories
from tests.journeys.people import Person
from tests.journeys.seeding import seeding
from tests.journeys.showroom import bare_showroom, showroom
from tests.journeys.story import MIRA
from tests.journeys.tickets import tracker
from tests.web.browser import Browsing
from tests.web.fault_proxy import FaultProxy

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PICTURES = Path(__file__).parents[2] / ".pictures"
_AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
# What is far below is not drawn before somebody scrolls, and keeps the colours of the theme before until then.
_DRAW_ALL = """() => { const sheet = new CSSStyleSheet();
  sheet.replaceSync('* { content-visibility: visible !important }');
  document.adoptedStyleSheets = [sheet]; }"""
_FIND = """async (rules) => {
  const {violations} = await axe.run({resultTypes: ['violations'], preload: false, ...rules && {runOnly: rules}});
  return violations.flatMap(({id, impact, nodes}) =>
    nodes.map(({target, failureSummary}) => `${impact} ${id}: ${target} ${failureSummary}`));
}"""
_CUT_OFF = """() => [...document.querySelectorAll('html, .main, .scroll, [data-panel], [popover], dialog')]
  .filter((box) => box.checkVisibility())
  .filter((box) => box.scrollWidth > box.clientWidth || box.getBoundingClientRect().right > innerWidth + 1)
  .map((box) => `${box.localName}.${box.className} is cut off: ${box.scrollWidth} wide in ${box.clientWidth}`)"""

_RULES: dict[Literal["light", "dark"], list[str] | None] = {"light": None, "dark": ["color-contrast"]}
"""What axe looks for in each theme; None for everything. A theme is colours alone."""

_DESK, _PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
_NARROWEST = ViewportSize(width=320, height=640)

House = Literal["company", "empty", "first"]


@dataclass(frozen=True)
class View:
    """A page in a state: the service that it is at, its path, and what somebody does there first."""

    name: str
    path: str
    prepare: Callable[[Page], Awaitable[object]] | None = None
    house: House = "company"
    signed_in: bool = True


async def _choose_a_ticket(page: Page) -> None:
    mira = Person(page, MIRA)
    await page.get_by_role("link", name="Return 409 when an endpoint").click()
    await mira.chooses_repositories("workers")
    await mira.chooses_mode("Edits", draft_pr=True)
    await page.get_by_label("Instructions for Claude Code").fill(
        "Say in the answer which endpoint has the address already, by its id. Keep 422 for addresses that are none. "
        "The import in acme/workers registers endpoints, too: let it skip those that exist, and count them."
    )


def _open_menu(button: str) -> Callable[[Page], Awaitable[object]]:
    async def open_menu(page: Page) -> None:
        await page.get_by_role("button", name=button).click()

    return open_menu


async def _wait_for_writing(page: Page) -> None:
    await expect(page.get_by_text(stories.WRITING)).to_be_in_viewport()


async def _open_a_step(page: Page) -> None:
    await page.locator("details.work summary").first.click()
    await page.locator("details.step summary").first.click()
    await expect(page.locator("details.step table, details.step pre").first).to_be_visible()


async def _open_keys(page: Page) -> None:
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()


async def _come_from_elsewhere(page: Page) -> None:
    form = f'<form method="post" action="{page.url}"><button>Win a prize</button></form>'
    await page.goto(f"data:text/html,{form}")
    await page.get_by_role("button").click()
    await expect(page.get_by_role("heading", name="You may not do that")).to_be_visible()


VIEWS = (
    View("home-first", "/code-runs", house="first"),
    View("home-empty", "/code-runs", house="empty"),
    View("home", "/code-runs", _choose_a_ticket),
    View("home-found", "/code-runs?status=pr_opened"),
    View("home-mode", "/code-runs", _open_menu("Mode:")),
    View("home-repos", "/code-runs", _open_menu("Add repos")),
    View("home-tickets", "/code-runs", _open_menu("Add ticket")),
    View("keys", "/code-runs", _open_keys),
    View("login", "/login", signed_in=False),
    View("new-ticket", "/tickets/new"),
    View("ticket", "/tickets/ACME-63"),
    View("running", "/code-runs/ACME-42", _wait_for_writing),
    View("queue", "/code-runs/WEB-79"),
    View("queued", "/code-runs/ACME-61"),
    View("question", "/code-runs/ACME-57"),
    View("plan", "/code-runs/ENG-203"),
    View("plans", "/code-runs/ENG-203?tab=plan"),
    View("failed", "/code-runs/OPS-118"),
    View("done", "/code-runs/ACME-35"),
    View("step", "/code-runs/ACME-35", _open_a_step),
    View("details", "/code-runs/ACME-42?tab=details"),
    View("changes", "/code-runs/ACME-42/changes"),
    View("changes-tab", "/code-runs/OPS-118?tab=changes"),
    View("earlier", "/code-runs/ACME-42/items?before=30"),
    View("diff", "/code-runs/ACME-42/diff?repo=acme/backend&path=webhooks/retry.py&view=split"),
    View("not-found", "/code-runs/NONE-1"),
    View("forbidden", "/code-runs", _come_from_elsewhere),
)


class Houses:
    """The services that are looked at, and who looks."""

    def __init__(self, urls: dict[House, str], browser: Browser, port: int) -> None:
        self.urls = urls
        self.port = port
        self._browser = browser
        self._cookies: StorageState | None = None

    async def look(self, browsing: Browsing, view: View) -> Page:
        """The page of a view."""
        signed_in = view.signed_in and view.house == "company"
        options: dict[str, Any] = {"viewport": _DESK, "base_url": self.urls[view.house]}
        page = await browsing.page(storage_state=await self.cookies() if signed_in else None, **options)
        await page.goto(view.path)
        if view.prepare is not None:
            await view.prepare(page)
        return page

    async def cookies(self) -> StorageState:
        """Of somebody who has signed in."""
        if self._cookies is None:
            page = await self._browser.new_page(base_url=self.urls["company"])
            await page.goto("/login")
            await Person(page, MIRA).sign_in(ACCESS_CODE)
            self._cookies = await page.context.storage_state()
            await page.context.close()
        return self._cookies


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def houses(tmp_path_factory: pytest.TempPathFactory, one_browser: Browser) -> AsyncIterator[Houses]:
    """A company at work, a service that was never used, and one that nobody has set up."""
    root = tmp_path_factory.mktemp("houses")
    async with AsyncExitStack() as opened:
        first = await opened.enter_async_context(bare_showroom())
        empty = await opened.enter_async_context(showroom(root / "empty", anthropic_api_key="a key"))
        company = await opened.enter_async_context(
            showroom(root / "company", tracker=tracker(), anthropic_api_key="a key", admin_access_code=ACCESS_CODE)
        )
        with seeding(company.workspace) as past:
            stories.company(past)
        await company.store.whisper((await company.store.conversation("ACME-42")).run.id, stories.WRITING)
        urls: dict[House, str] = {"first": first, "empty": empty.url, "company": company.url}
        yield Houses(urls, one_browser, company.port)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
async def test_a_page_is_readable_for_everybody(houses: Houses, browsing: Browsing, view: View) -> None:
    browsing.expect(r"status of 40[34]")
    assert await faults_of(await houses.look(browsing, view), view.name) == []


async def test_a_page_that_lost_its_connection_is_readable_for_everybody(houses: Houses, browsing: Browsing) -> None:
    browsing.expect("net::ERR|Failed to fetch|Failed to load")
    async with FaultProxy(houses.port) as proxy:
        cookies = await houses.cookies()
        page = await browsing.page(viewport=_DESK, base_url=proxy.url, storage_state=cookies)
        await page.goto("/code-runs/ACME-42")
        await expect(page.locator("[data-live-status]")).to_have_text("Live")
        proxy.mode = "refuse"
        proxy.cut()
        await expect(page.get_by_text("Connection lost")).to_be_visible()
        assert await faults_of(page, "offline") == []


async def faults_of(page: Page, name: str) -> list[str]:
    """What is wrong with the page in any theme and size; pictures of all of them are left."""
    _PICTURES.mkdir(exist_ok=True)
    await page.evaluate(_AXE)
    await page.evaluate(_DRAW_ALL)
    faults: list[str] = []
    for size, viewport in {"w": _DESK, "m": _PHONE}.items():
        await _resize(page, viewport)
        for theme, rules in _RULES.items():
            await page.emulate_media(color_scheme=theme)
            await page.screenshot(path=_PICTURES / f"{name}-{size}-{theme}.png", animations="disabled")
            faults += [f"{size} {theme}: {fault}" for fault in await page.evaluate(_FIND, rules)]
        faults += await page.evaluate(_CUT_OFF)
    await _resize(page, _NARROWEST)
    faults += await page.evaluate(_CUT_OFF)
    return faults


async def _resize(page: Page, size: ViewportSize) -> None:
    await page.set_viewport_size(size)
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
