"""The box of a new run in a real browser: what choosing a ticket does to the repositories."""

from typing import Any

import pytest
from playwright.async_api import Page

from app.models import RepositoryChoice, Request, RunMode
from app.results import TicketHit
from app.web.assets import Assets
from app.web.presenters.composer import new_run_composer
from app.web.presenters.home import home_page
from app.web.presenters.shell import shell
from app.web.rendering import Rendering
from tests.web.test_patch import SITE, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

API, WEB, DOCS = (RepositoryChoice(name=f"acme/{name}", base="main") for name in ("api", "web", "docs"))
HITS = tuple(TicketHit(key=key, summary="Log in") for key in ("API-1", "DOC-1", "NEW-1"))
SUGGESTED = {"API-1": "acme/api", "DOC-1": "acme/docs acme/web"}


async def home(browsing: Any) -> Page:
    """The first page, with `web` chosen as the service's default."""
    request = Request(mode=RunMode.EDITS, repositories=(WEB,))
    composer = new_run_composer(repositories=(WEB, API, DOCS), models={}, request=request, message_id="1")
    view = home_page(composer=composer, conversations=(), ready=HITS, suggested=SUGGESTED)
    site = Site("")
    frame = shell(person="Ada", conversations=(), live=None)
    site.answers["/"] = 200, Rendering(assets=Assets()).page("home.html", shell=frame, page=view)
    page: Page = await browsing.page()
    await page.route("**/*", site.answer)
    await page.goto(SITE)
    return page


async def pick(page: Page, key: str) -> None:
    await page.locator(f".cols [data-ticket={key}]").click()


async def chosen(page: Page) -> list[str]:
    return [str(await each.get_attribute("value")) for each in await page.locator("[name=repos]:checked").all()]


async def test_a_ticket_brings_the_repositories_of_its_project_and_no_other(browsing: Any) -> None:
    page = await home(browsing)
    await pick(page, "API-1")
    assert await chosen(page) == ["acme/api"]
    await pick(page, "DOC-1")
    assert await chosen(page) == ["acme/web", "acme/docs"]


async def test_a_ticket_of_a_project_without_repositories_changes_none(browsing: Any) -> None:
    page = await home(browsing)
    await pick(page, "NEW-1")
    assert await chosen(page) == ["acme/web"]


async def test_repositories_that_a_person_chose_stay(browsing: Any) -> None:
    page = await home(browsing)
    await page.get_by_role("button", name="Add repos").click()
    await page.get_by_label("docs", exact=True).check()
    await page.keyboard.press("Escape")
    await pick(page, "API-1")
    assert await chosen(page) == ["acme/web", "acme/docs"]
