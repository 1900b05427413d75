"""A conversation of 5,000 events: it opens at its end, is read back to its beginning, and goes on meanwhile."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from app.models import EventKind
from tests.journeys.seeding import seeding
from tests.journeys.showroom import Showroom, showroom
from tests.journeys.stories import long
from tests.journeys.story import Story
from tests.web.browser import Browsing

pytestmark = pytest.mark.asyncio(loop_scope="session")

_EVENTS = 5_000
_STEPS_TOLD = 480
_LAST = f"The rows of step {_STEPS_TOLD:04d} are whole"
_VIEW = {"width": 1440, "height": 900}

_WEIGHT = """() => ({nodes: document.querySelectorAll('*').length,
  items: document.querySelectorAll('#thread [id]:not([id$="-in"], [id$="-label"], [id$="-out"])').length,
  heap: performance.memory.usedJSHeapSize})"""
_STEPS = """() => [...document.querySelectorAll('#thread .prose')]
  .map((text) => /^Step (\\d+):/.exec(text.textContent.trim())).filter(Boolean).map((found) => Number(found[1]))"""
_DOUBLES = """() => { const seen = new Set();
  return [...document.querySelectorAll('[id]')].map(({id}) => id).filter((id) => seen.has(id) || !seen.add(id)); }"""
_READ_BACK = """async () => {
  for (let older; (older = document.querySelector('a#older')); ) {
    older.click();
    while (older.isConnected) await new Promise(requestAnimationFrame);
  }
}"""
# Once it has stood still for five frames: heights are estimates until they are drawn.
_TOP = """(id) => new Promise((done) => {
  let before = NaN, still = 0;
  const look = () => {
    const {top} = document.getElementById(id).getBoundingClientRect();
    still = top === before ? still + 1 : 0;
    before = top;
    if (still < 5) requestAnimationFrame(look); else done(top);
  };
  look();
})"""
_IN_VIEW = """() => { const middle = innerHeight / 2;
  return [...document.querySelectorAll('#thread .prose')].map((text) => text.closest('[id]'))
    .find((item) => item.getBoundingClientRect().top > middle).id; }"""


@dataclass(frozen=True)
class LongOne:
    """The service, and the story of the conversation."""

    place: Showroom
    story: Story


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def long_one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LongOne]:
    """A conversation that is under way."""
    async with showroom(tmp_path_factory.mktemp("long")) as place:
        with seeding(place.workspace) as past:
            story = long(past, "BILL-1", events=_EVENTS, ended=False)
        yield LongOne(place, story)


async def opened(browsing: Browsing, long_one: LongOne) -> Page:
    """Its page, once it is live."""
    page = await browsing.page(f"{long_one.place.url}/code-runs/BILL-1", viewport=_VIEW)
    await expect(page.locator("[data-live-status]")).to_have_text("Live")
    return page


async def test_it_opens_at_its_end_with_its_last_200_events(browsing: Browsing, long_one: LongOne) -> None:
    page = await opened(browsing, long_one)
    # Another test of this module may have let it go on by a few.
    assert (await long_one.place.store.conversation("BILL-1")).last_seq >= _EVENTS

    await expect(page.get_by_text(_LAST)).to_be_visible()
    left = "(it => it.scrollHeight - it.scrollTop - it.clientHeight)(document.querySelector('[data-follow]'))"
    assert await page.evaluate(left) < 2
    weight = await page.evaluate(_WEIGHT)
    assert weight["items"] <= 200
    assert weight["nodes"] < 4_000
    assert weight["heap"] < 32 << 20
    assert await page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize") < 300_000


async def test_what_is_earlier_comes_above_without_a_jump(browsing: Browsing, long_one: LongOne) -> None:
    page = await opened(browsing, long_one)
    earlier = page.get_by_role("link", name="Earlier")
    for _ in range(3):
        await earlier.scroll_into_view_if_needed()
        item = await page.evaluate(_IN_VIEW)
        before, href = await page.evaluate(_TOP, item), await earlier.get_attribute("href")
        await earlier.click()
        await expect(page.locator(f'#older[href="{href}"]')).to_have_count(0)
        assert await page.evaluate(_TOP, item) == pytest.approx(before, abs=2)


async def test_it_is_read_back_to_its_beginning_without_a_gap_or_a_double(
    browsing: Browsing, long_one: LongOne
) -> None:
    page = await opened(browsing, long_one)
    await page.evaluate(_READ_BACK)

    await expect(page.get_by_text("Look around first.")).to_be_attached()
    assert await page.evaluate(_STEPS) == list(range(1, _STEPS_TOLD + 1))
    assert await page.evaluate(_DOUBLES) == []
    assert await page.evaluate("performance.memory.usedJSHeapSize") < 96 << 20


async def test_what_comes_while_the_past_is_read_moves_nothing_and_is_counted(
    browsing: Browsing, long_one: LongOne
) -> None:
    page = await opened(browsing, long_one)
    await page.get_by_role("region", name="Conversation history").hover()
    await page.mouse.wheel(0, -2_000)
    jump = page.locator("[data-jump]")
    await expect(page.get_by_text(_LAST)).not_to_be_in_viewport()
    item = await page.evaluate(_IN_VIEW)
    before = await page.evaluate(_TOP, item)
    for words in ("One.", "Two.", "The last of three."):
        await long_one.place.store.append(long_one.story.run, EventKind.TEXT, {"text": words, "role": "author"})

    await expect(jump).to_have_text("3 new steps")
    assert await page.evaluate(_TOP, item) == before
    await jump.click()
    await expect(page.get_by_text("The last of three.")).to_be_in_viewport()
    await expect(jump).to_be_hidden()
