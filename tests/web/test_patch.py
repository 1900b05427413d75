"""How fragments come into a page, in a real browser and under the pages' content security policy."""

from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from app.api.headers import POLICY
from app.web.assets import Assets

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASSETS = Assets()
STATIC = f"{ASSETS.path}/{ASSETS.version}"
HTMX_CONFIG = '{"includeIndicatorCSS":false,"noSwap":[204,304,"4xx","5xx"]}'
SIZES = "pre.short { height: 60px; overflow: auto } p.tall { height: 100px; margin: 0 }"
SITE = "http://localhost:1"  # nothing listens there: every answer is the test's own

ICON = ASSETS.url("img/favicon.svg")
HEAD = f"""<!doctype html><html lang="en"><head><title>PROJ-1</title><meta charset="utf-8">
<meta name="htmx-config" content='{HTMX_CONFIG}'>
<script src="{ASSETS.url("js/theme.js")}"></script>
{"".join(f'<link rel="stylesheet" href="{url}">' for url in ASSETS.stylesheets)}
<link rel="stylesheet" href="/sizes.css">
<link rel="icon" id="favicon" href="{ICON}" data-attention="{ASSETS.url("img/favicon-attention.svg")}">
<script src="{ASSETS.url("vendor/htmx.min.js")}" defer></script>
<script type="module" src="{ASSETS.url("js/page.js")}"></script></head>"""

THREAD = """<body data-live="/events" data-after="0"><div class="app"><main class="main"><section class="talk">
<div class="scroll" data-follow tabindex="0"><div class="thread" role="log" aria-live="off">
<a class="more" id="older" href="?before=40" data-fragments="/items?before=40">Earlier</a>
<div class="items" id="thread">{items}</div>
<article class="msg" id="writing" hidden><div class="body"><div class="prose" data-written></div></div></article>
</div></div>
<div class="dock"><button type="button" class="jump" data-jump hidden><span></span></button></div>
<div class="vh" role="status" id="announcer"></div>
<div class="note-bar bad" id="problem" role="alert" hidden><span></span><button type="button"></button></div>
</section></main></div></body>"""


class Site:
    """A page at `/`, the static files, and whatever else a test says."""

    def __init__(self, body: str) -> None:
        self.answers: dict[str, tuple[int, str]] = {"/": (200, HEAD + body), "/events": (204, "")}
        self.requests: list[str] = []

    async def answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path.startswith(STATIC):
            await route.fulfill(path=f"{ASSETS.directory}{path.removeprefix(STATIC)}")
            return
        if path == "/sizes.css":
            await route.fulfill(body=SIZES, content_type="text/css")
            return
        self.requests.append(f"{route.request.method} {path}")
        status, body = self.answers.get(path, (404, "Not here."))
        kind = (
            "text/plain" if status >= 400 else "text/event-stream" if path == "/events" else "text/html; charset=utf-8"
        )
        await route.fulfill(status=status, body=body, headers={"Content-Security-Policy": POLICY, "Content-Type": kind})


async def visit(browsing: Any, body: str, **answers: tuple[int, str]) -> tuple[Page, Site]:
    """The page with this body, once its scripts have run."""
    site = Site(body)
    site.answers.update({f"/{name.replace('_', '?', 1)}": answer for name, answer in answers.items()})
    page = await browsing.page(viewport={"width": 900, "height": 700})
    await page.route("**/*", site.answer)
    await page.goto(SITE)
    return page, site


async def patch(page: Page, *fragments: str) -> None:
    """Apply one batch, as the stream does."""
    await page.evaluate(
        "async ([url, fragments]) => (await import(url)).patch(fragments)", [f"{STATIC}/js/patch.js", list(fragments)]
    )


async def bare(browsing: Any, body: str) -> Page:
    page, _ = await visit(browsing, f"<body>{body}</body>")
    return page


def into(name: str, number: int, text: str = "", **more: str) -> str:
    attributes = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in more.items())
    return f'<p id="item-{number}" data-into="#{name}"{attributes}>{text or number}</p>'


async def test_what_is_there_is_replaced_and_what_is_not_is_added(browsing: Any) -> None:
    page = await bare(browsing, '<div id="list"><p id="item-1">1</p></div><p id="cost">$0</p>')
    await patch(
        page, into("list", 2) + '<p id="cost">$1</p>', into("list", 1, "one"), '<p id="nowhere">?</p><p>no id</p>'
    )
    assert await page.locator("#list > *").all_text_contents() == ["one", "2"]
    assert await page.locator("body > p").all_text_contents() == ["$1"]


async def test_the_last_revision_in_a_batch_wins_and_keeps_its_place(browsing: Any) -> None:
    page = await bare(browsing, '<div id="list"></div>')
    group = '<div id="item-1" data-into="#list"><div id="steps"><p>{}</p></div></div>'
    await patch(page, group.format("a"), into("list", 2), group.format("b"), into("steps", 3))
    assert await page.locator("#list > *").evaluate_all("(all) => all.map(({ id }) => id)") == ["item-1", "item-2"]
    assert await page.locator("#list p").all_text_contents() == ["b", "3", "2"]


async def test_older_items_come_to_the_start_in_their_order(browsing: Any) -> None:
    page = await bare(browsing, '<div id="list"><p>3</p></div>')
    await patch(page, into("list", 1, data_at="start") + into("list", 2, data_at="start"))
    assert await page.locator("#list > *").all_text_contents() == ["1", "2", "3"]


async def test_what_the_reader_opened_or_closed_stays_so(browsing: Any) -> None:
    group = """<div id="group"><details{0} id="a"><summary>a</summary></details>
      <details{1}><summary>b</summary></details>{2}<details{0}><summary>c</summary></details></div>"""
    page = await bare(browsing, group.format(" open", "", ""))
    await page.get_by_text("a", exact=True).click()
    await page.get_by_text("b", exact=True).click()
    for _ in range(2):
        await patch(page, group.format(" open", "", '<details id="new"><summary>n</summary></details>'))
        states = await page.locator("details").evaluate_all("(all) => all.map(({ open }) => open)")
        assert states == [False, True, False, True]


async def test_what_nobody_touched_is_as_the_server_says(browsing: Any) -> None:
    page = await bare(browsing, '<details id="step" open><summary>Running</summary></details>')
    await patch(page, '<details id="step"><summary>Ran</summary></details>')
    await expect(page.locator("#step")).not_to_have_attribute("open", "")


async def test_the_focus_stays_on_the_same_control(browsing: Any) -> None:
    card = '<div id="card"><b>{}</b><button data-key="approve">Approve</button></div>'
    page = await bare(browsing, card.format(1))
    await page.get_by_text("Approve").focus()
    await patch(page, card.format(2))
    await expect(page.get_by_text("Approve")).to_be_focused()
    assert await page.locator("b").inner_text() == "2"


async def test_a_field_in_which_somebody_types_is_never_replaced(browsing: Any) -> None:
    card = """<form id="card" class="{0}"><p>{0}</p><div data-of="{0}"><b>{0}</b>
      <textarea name="answer" id="answer"></textarea><i>{0}</i></div>
      <button type="button" hx-post="/{0}" hx-swap="none">{0}</button></form>"""
    page, _ = await visit(browsing, f"<body>{card.format('old')}</body>", new=(204, ""))
    field = page.locator("textarea")
    await field.press_sequentially("my own words")
    await field.evaluate("(it) => { it.setSelectionRange(3, 6); it.mine = true; }")
    await patch(page, card.format("new"))
    assert await page.locator("#card").inner_text() == "new\n\nnew new\nnew"
    assert await page.locator("[class=new] > [data-of=new]").count() == 1
    kept = await field.evaluate("(it) => [it.mine, it.value, it.selectionStart, it === document.activeElement]")
    assert kept == [True, "my own words", 3, True]
    async with page.expect_response("**/new"):
        await page.locator("button").click()


async def test_a_field_that_is_gone_from_the_fragment_goes(browsing: Any) -> None:
    page = await bare(browsing, '<form id="card"><textarea name="answer"></textarea></form>')
    await page.locator("textarea").press_sequentially("too late")
    await patch(page, '<p id="card">Answered by Mira</p>')
    assert await page.locator("#card").inner_text() == "Answered by Mira"


async def test_scrolled_output_stays_where_it_is(browsing: Any) -> None:
    output = '<div id="step"><pre class="short">{}</pre></div>'
    page = await bare(browsing, output.format("line\n" * 50))
    await page.locator("pre").evaluate("(it) => it.scrollTo(0, 200)")
    await page.evaluate("new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    await patch(page, output.format("line\n" * 60))
    assert await page.locator("pre").evaluate("(it) => it.scrollTop") == 200


async def test_a_button_that_arrived_works_under_the_policy(browsing: Any) -> None:
    page, site = await visit(browsing, '<body><div id="list"></div></body>', stop=(204, ""))
    await patch(page, '<form id="act" data-into="#list" hx-post="/stop" hx-swap="none"><button>Stop</button></form>')
    async with page.expect_response("**/stop"):
        await page.get_by_text("Stop").click()
    assert "POST /stop" in site.requests


async def test_a_refusal_is_said_where_the_form_says_and_other_errors_in_the_bar(browsing: Any) -> None:
    browsing.expect("Failed to load resource|Response Status Error Code")
    form = """<form data-composer hx-post="/send" hx-swap="none" hx-status:422="target:#errors swap:innerHTML">
      <input type="hidden" name="message_id" value="first"><textarea name="text" data-draft="say" required></textarea>
      <button data-send>Send</button></form>
      <div id="errors"></div><div id="problem" hidden><span></span><button type="button"></button></div>"""
    page, site = await visit(browsing, f"<body>{form}</body>", send=(422, "<b>Too long.</b>"))
    await page.locator("textarea").fill("words")
    await page.get_by_text("Send").click()
    await expect(page.locator("#errors")).to_have_text("Too long.")
    site.answers["/send"] = (503, "The store is away.")
    await page.get_by_text("Send").click()
    await expect(page.locator("#problem span")).to_have_text("The store is away.")
    assert await page.locator("textarea").input_value() == "words"
    assert await page.locator("[name=message_id]").input_value() == "first"  # whatever arrived, it is one message
    site.answers["/send"] = (204, "")
    await page.get_by_text("Send").click()
    await expect(page.locator("textarea")).to_have_value("")
    await expect(page.locator("[name=message_id]")).not_to_have_value("first")
    await page.reload()
    await expect(page.locator("textarea")).to_have_value("")


async def test_a_draft_outlives_a_reload(browsing: Any) -> None:
    page = await bare(
        browsing, '<textarea data-draft="say" data-counter="n" maxlength="8000"></textarea><i id="n"></i>'
    )
    await page.locator("textarea").press_sequentially("half a thou")
    await page.reload()
    await expect(page.locator("textarea")).to_have_value("half a thou")
    await expect(page.locator("#n")).to_have_text("11 / 8,000")


def tall(number: int, more: str = "") -> str:
    """An item of 100 pixels."""
    return f'<p id="item-{number}" data-into="#thread" class="tall"{more}>{number}</p>'


def work(number: int) -> str:
    """A group of steps, open while it goes on."""
    group = f'<details class="work" id="work-{number}" data-fold open><summary>{number}</summary></details>'
    return f'<div id="item-{number}" data-into="#thread">{group}</div>'


def stream(*fragments: str, after: int = 0) -> tuple[int, str]:
    """An answer of the event stream, with a fragment for each event after `after`."""
    return 200, "".join(f"id: {seq}\ndata: {html}\n\n" for seq, html in enumerate(fragments, after + 1))


async def conversation(browsing: Any, *items: str) -> tuple[Page, Site]:
    """A conversation with these items; its stream is away until a test gives it an answer."""
    browsing.expect("Failed to load resource")
    return await visit(browsing, THREAD.format(items="".join(items)), events=(503, ""))


async def top_of(page: Page, item: int) -> float:
    """Where an item is on the screen."""
    return float(await page.locator(f"#item-{item}").evaluate("(it) => it.getBoundingClientRect().top"))


async def scroll(page: Page, top: int) -> None:
    """Scroll the thread, and let it notice."""
    await page.locator("[data-follow]").evaluate("(it, top) => it.scrollTo(0, top)", top)
    await page.evaluate("new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")


async def opened(page: Page) -> list[bool]:
    """Which `<details>` are open."""
    return list(await page.locator("details").evaluate_all("(all) => all.map(({ open }) => open)"))


async def test_the_thread_opens_at_its_end_and_goes_along(browsing: Any) -> None:
    page, site = await conversation(browsing, *map(tall, range(1, 30)))
    await expect(page.locator("#item-29")).to_be_in_viewport()
    site.answers["/events"] = stream(tall(30), tall(31))
    await expect(page.locator("#item-31")).to_be_in_viewport()
    await expect(page.locator("[data-jump]")).to_be_hidden()


async def test_the_view_stands_still_while_somebody_reads(browsing: Any) -> None:
    page, site = await conversation(browsing, *map(tall, range(1, 30)))
    await scroll(page, 1000)
    before = await top_of(page, 12)
    site.answers["/events"] = stream(tall(30), tall(31))
    await expect(page.locator("[data-jump]")).to_have_text("2 new steps")
    assert await top_of(page, 12) == before
    await page.locator("[data-jump]").click()
    await expect(page.locator("#item-31")).to_be_in_viewport()
    await expect(page.locator("[data-jump]")).to_be_hidden()


async def test_earlier_items_come_above_without_moving_the_view(browsing: Any) -> None:
    page, site = await conversation(browsing, *map(tall, range(40, 70)))
    earlier = "".join(tall(number, ' data-at="start"') for number in range(30, 40))
    site.answers["/items?before=40"] = (200, f'{earlier}<a class="more" id="older" href="?before=30">Earlier</a>')
    await scroll(page, 0)
    before = await top_of(page, 41)
    await page.locator("#older").click()
    await expect(page.locator("#item-30")).to_be_attached()
    assert await top_of(page, 41) == before
    ids = await page.locator("#thread > *").evaluate_all("(all) => all.map(({ id }) => id)")
    assert ids == [f"item-{number}" for number in range(30, 70)]


async def test_finished_work_folds_unless_the_reader_touched_it(browsing: Any) -> None:
    page, site = await conversation(browsing, work(1), work(2))
    for _ in range(2):
        await page.locator("#work-2 summary").click()
    site.answers["/events"] = stream(work(3))
    await expect(page.locator("#work-3")).to_be_attached()
    assert await opened(page) == [False, True, True]
    site.answers["/events"] = stream(work(1).replace(">1<", ">9 steps<"), after=1)
    await expect(page.locator("#work-1")).to_have_text("9 steps")
    assert await opened(page) == [False, True, True]


async def test_text_being_written_gives_way_to_the_item_that_it_becomes(browsing: Any) -> None:
    page, site = await conversation(browsing)
    site.answers["/events"] = (200, 'event: writing\ndata: {"id": "writing", "html": "<p>I will</p>"}\n\n')
    await expect(page.locator("#writing")).to_have_text("I will")
    site.answers["/events"] = stream(tall(1))
    await expect(page.locator("#item-1")).to_be_visible()
    await expect(page.locator("#writing")).to_be_hidden()


async def test_what_waits_for_the_reader_is_counted_and_what_is_done_is_said(browsing: Any) -> None:
    page, site = await conversation(browsing, tall(1))
    calm = await page.locator("#favicon").get_attribute("href")
    site.answers["/events"] = stream(tall(2, ' data-needs data-say="Plan to review"'))
    await expect(page).to_have_title("(1) PROJ-1")
    await expect(page.locator("#announcer")).to_have_text("Plan to review")
    assert await page.locator("#favicon").get_attribute("href") != calm
    site.answers["/events"] = (200, 'id: 2\nevent: remove\ndata: {"id": "item-2"}\n\n')
    await expect(page.locator("#item-2")).not_to_be_attached()
    await expect(page).to_have_title("PROJ-1")


async def test_the_body_of_a_step_comes_when_it_is_opened(browsing: Any) -> None:
    step = '<details id="step" data-fragments="/steps/7"><summary>Ran</summary><pre id="out"></pre></details>'
    page, site = await conversation(browsing, step)
    site.answers["/steps/7"] = (200, '<pre id="out">9 passed</pre>')
    for _ in range(3):
        await page.get_by_text("Ran").click()
    await expect(page.locator("#out")).to_have_text("9 passed")
    assert site.requests.count("GET /steps/7") == 1
