"""The live stream in a real browser, over connections that break: every event once, and in order."""

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from app.web.assets import Assets
from tests.web.fault_proxy import FaultProxy

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASSETS = Assets()

# Delays in milliseconds, far shorter than a page's own.
QUICK = {"minDelay": 20, "maxDelay": 60, "pollEvery": 60, "hiddenGrace": 20}
IMPATIENT = {"deadAfter": 300}  # of silence; what the watchdog takes for a half-open connection

PAGE = f"""<!doctype html><title>Thread</title><link rel="icon" href="data:,">
<div id="thread"></div><script type="module" src="{ASSETS.path}/{ASSETS.version}/js/live.js"></script>"""

# The test's own script talks to the modules as a page does.
START = """async ([static, url, options]) => {
  const { connect } = await import(`${static}/js/live.js`);
  const { patch } = await import(`${static}/js/patch.js`);
  window.heard = [];
  const apply = (events) => {
    const fragments = events.map(({ data }) => data);
    heard.push(...fragments);
    patch(fragments);
  };
  const on = { writing: ({ data }) => heard.push(`writing ${data}`) };
  window.live = connect(url, { ...options, apply, on });
}"""


class Origin:
    """A service with streams by name: a log of events, and what its connections are told."""

    def __init__(self) -> None:
        self.logs: dict[str, list[str]] = defaultdict(list)
        self.cursors: dict[str, list[str]] = defaultdict(list)
        """The `Last-Event-ID` of each request, by stream."""
        self.status = 200
        self.content_type = "text/event-stream"
        self.forgets = False
        """Whether the cursor is ignored, so that everything comes again."""
        self._changed = asyncio.Condition()
        self.port = 0

    async def add(self, name: str, *numbers: int) -> None:
        """Append items to a log, numbered as given."""
        await self.write(name, *(item(number) for number in numbers))

    async def write(self, name: str, *blocks: str) -> None:
        """Append raw text of the stream."""
        async with self._changed:
            self.logs[name] += blocks
            self._changed.notify_all()

    async def events(self, request: Request) -> Response:
        """Answer as the service would, or as `status` and `content_type` say."""
        name = request.path_params["name"]
        self.cursors[name].append(request.headers.get("last-event-id", ""))
        if self.status != 200 or self.content_type != "text/event-stream":
            body = item(99) if self.status == 200 else None
            return Response(body, status_code=self.status, media_type=self.content_type)
        cursor = 0 if self.forgets else int(request.headers.get("last-event-id") or 0)
        once = "once" in request.query_params
        return StreamingResponse(self._follow(name, cursor, once=once), media_type=self.content_type)

    async def _follow(self, name: str, cursor: int, *, once: bool) -> AsyncIterator[str]:
        log, sent = self.logs[name], 0
        while True:
            blocks, sent = log[sent:], len(log)
            for block in blocks:
                if (number := number_of(block)) is None or number > cursor:
                    yield block
            if once:
                return
            async with self._changed:
                while len(log) == sent:
                    await self._changed.wait()


def item(number: int, text: str | None = None) -> str:
    root = f'<p id="item-{number}" data-into="#thread">{text or number}</p>'
    return f"id: {number}\ndata: {root}\n\n"


def number_of(block: str) -> int | None:
    head = block.split("\n", 1)[0]
    return int(head.removeprefix("id: ")) if head.startswith("id: ") else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Origin]:
    origin = Origin()
    routes = [
        Route("/", lambda _: HTMLResponse(PAGE)),
        Route("/events/{name}", origin.events),
        Mount(ASSETS.path, ASSETS),
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    origin.port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    running = asyncio.create_task(server.serve([listener]))  # the socket listens already: nobody comes too early
    yield origin
    server.should_exit = True
    await running
    listener.close()


@pytest_asyncio.fixture(loop_scope="module")
async def origin(served: Origin) -> Origin:
    served.status, served.content_type, served.forgets = 200, "text/event-stream", False
    return served


@pytest_asyncio.fixture(loop_scope="module")
async def proxy(origin: Origin) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(origin.port) as relay:
        yield relay


async def start(page: Page, name: str, **options: Any) -> None:
    """Follow a stream on the page, which is at the origin or a proxy before it."""
    static = f"{ASSETS.path}/{ASSETS.version}"
    await page.evaluate(START, [static, f"/events/{name}", {**QUICK, **options}])


async def shows(page: Page, *numbers: int) -> None:
    """Wait until the page shows these items, each once, in this order."""
    await expect(page.locator("#thread > *")).to_have_text([str(number) for number in numbers])


async def reaches(page: Page, state: str) -> None:
    """Wait until the stream's state is this."""
    for _ in range(500):
        if await page.evaluate("live.state") == state:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"The stream is {await page.evaluate('live.state')!r} and not {state!r}.")


Fault = Callable[[FaultProxy], Awaitable[None]]


async def reset(proxy: FaultProxy) -> None:
    proxy.cut()


async def reset_five_times(proxy: FaultProxy) -> None:
    for _ in range(5):
        came = proxy.connections
        proxy.cut()
        await proxy.connected(came + 1)


async def killed_and_restarted(proxy: FaultProxy) -> None:
    await away(proxy, "refuse")


async def unavailable_for_a_while(proxy: FaultProxy) -> None:
    await away(proxy, "503")


async def half_open(proxy: FaultProxy) -> None:
    proxy.stall()


async def away(proxy: FaultProxy, mode: Any) -> None:
    proxy.mode = mode
    came = proxy.connections
    proxy.cut()
    await proxy.connected(came + 3)
    proxy.mode = "pass"


@pytest.mark.parametrize("fault", [reset, reset_five_times, killed_and_restarted, unavailable_for_a_while, half_open])
async def test_every_event_comes_once_and_in_order(
    browsing: Any, origin: Origin, proxy: FaultProxy, fault: Fault
) -> None:
    browsing.expect("Failed to load resource")
    page = await browsing.page(proxy.url)
    name = fault.__name__
    await origin.add(name, *range(1, 20))
    await start(page, name, **(IMPATIENT if fault is half_open else {}))
    await shows(page, *range(1, 20))
    await fault(proxy)
    await origin.add(name, *range(20, 40))
    await shows(page, *range(1, 40))
    assert await page.evaluate("live.last") == "39"


async def test_the_very_first_connection_may_fail(browsing: Any, origin: Origin, proxy: FaultProxy) -> None:
    browsing.expect("Failed to load resource")
    page = await browsing.page(proxy.url)
    await origin.add("first", 1, 2)
    await page.evaluate(f"import('{ASSETS.url('js/live.js')}')")
    await page.evaluate(f"import('{ASSETS.url('js/patch.js')}')")
    proxy.cut()
    proxy.mode = "503"
    came = proxy.connections
    await start(page, "first")
    await proxy.connected(came + 3)
    assert await page.evaluate("live.state") == "retrying"
    proxy.mode = "pass"
    await shows(page, 1, 2)


async def test_half_an_event_is_asked_for_again(browsing: Any, origin: Origin, proxy: FaultProxy) -> None:
    browsing.expect("Failed to load resource")
    page = await browsing.page(proxy.url)
    await origin.add("half", 1)
    await origin.write("half", item(2)[:-1])  # without the empty line that ends it
    await start(page, "half")
    await shows(page, 1)
    origin.logs["half"][-1] = item(2)
    proxy.cut()
    await shows(page, 1, 2)
    assert origin.cursors["half"] == ["", "1"]


async def test_what_comes_twice_is_shown_once(browsing: Any, origin: Origin, proxy: FaultProxy) -> None:
    browsing.expect("Failed to load resource")
    page = await browsing.page(proxy.url)
    origin.forgets = True
    await origin.add("twice", 1, 2, 3)
    await start(page, "twice")
    await shows(page, 1, 2, 3)
    proxy.cut()
    await origin.add("twice", 4)
    await shows(page, 1, 2, 3, 4)
    assert len(await page.evaluate("heard")) == 4


async def test_the_page_starts_after_what_it_shows_already(browsing: Any, origin: Origin) -> None:
    page = await browsing.page(f"http://127.0.0.1:{origin.port}")
    await origin.add("after", 1, 2, 3)
    await start(page, "after", after="2")
    await shows(page, 3)


async def test_named_events_keep_their_place_between_the_others(browsing: Any, origin: Origin) -> None:
    page = await browsing.page(f"http://127.0.0.1:{origin.port}")
    unknown = "event: news\ndata: ?\n\n: a comment\n\nevent: ping\ndata: {}\n\n"
    await origin.write(
        "named", item(1), unknown, "event: writing\ndata: a\ndata: b\n\n", item(2), "event: done\ndata:\n\n"
    )
    await start(page, "named")
    await reaches(page, "ended")
    heard = await page.evaluate("heard.map((text) => text.replace(/<[^>]*>/g, ''))")
    assert heard == ["1", "writing a\nb", "2"]
    assert origin.cursors["named"] == [""]  # the end is the end


@pytest.mark.parametrize(("status", "state"), [(204, "ended"), (401, "signed-out"), (403, "signed-out")])
async def test_some_answers_end_the_stream(browsing: Any, origin: Origin, status: int, state: str) -> None:
    browsing.expect("Failed to load resource")
    page = await browsing.page(f"http://127.0.0.1:{origin.port}")
    origin.status = status
    name = f"status-{status}"
    await start(page, name)
    await reaches(page, state)
    await page.evaluate("live.now()")
    assert len(origin.cursors[name]) == 1


async def test_a_page_instead_of_a_stream_is_an_error_to_get_over(browsing: Any, origin: Origin) -> None:
    page = await browsing.page(f"http://127.0.0.1:{origin.port}")
    origin.content_type = "text/html"
    await origin.add("html", 1)
    await start(page, "html")
    await reaches(page, "retrying")
    origin.content_type = "text/event-stream"
    await shows(page, 1)


async def test_a_hidden_page_lets_go_and_comes_back(browsing: Any, origin: Origin) -> None:
    page = await browsing.page(f"http://127.0.0.1:{origin.port}")
    await origin.add("hidden", 1)
    await start(page, "hidden")
    await shows(page, 1)
    await be_hidden(page, hidden=True)
    await reaches(page, "paused")
    await origin.add("hidden", 2, 3)
    assert await page.locator("#thread > *").count() == 1
    await be_hidden(page, hidden=False)
    await shows(page, 1, 2, 3)
    assert origin.cursors["hidden"] == ["", "1"]


async def test_a_short_look_away_keeps_the_stream(browsing: Any, origin: Origin) -> None:
    page = await browsing.page(f"http://127.0.0.1:{origin.port}")
    await origin.add("glance", 1)
    await start(page, "glance", hiddenGrace=60_000)
    await shows(page, 1)
    await be_hidden(page, hidden=True)
    await origin.add("glance", 2)
    await shows(page, 1, 2)
    await be_hidden(page, hidden=False)
    assert origin.cursors["glance"] == [""]


async def be_hidden(page: Page, *, hidden: bool) -> None:
    """A headless browser shows all its pages at once, so the page is told."""
    await page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


async def test_more_tabs_than_connections_all_stay_live(browsing: Any, origin: Origin) -> None:
    url = f"http://127.0.0.1:{origin.port}"
    await origin.add("tabs", 1)
    pages = [await browsing.page(url)]
    pages += [await browsing.page(url, beside=pages[0]) for _ in range(6)]
    for page in pages:
        await start(page, "tabs")
        await shows(page, 1)
    states = [await page.evaluate("live.state") for page in pages]
    assert states == ["live"] * 4 + ["polling"] * 3
    await origin.add("tabs", 2)
    for page in pages:
        await shows(page, 1, 2)
    await pages[0].close()
    states = [await page.evaluate("live.state") for page in pages[1:]]
    while states.count("live") < 4:  # one of the polling pages takes the free place
        await asyncio.sleep(0.02)
        states = [await page.evaluate("live.state") for page in pages[1:]]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_the_wire_format_may_come_in_any_pieces(browsing: Any, origin: Origin, size: int) -> None:
    page = await browsing.page(f"http://127.0.0.1:{origin.port}")
    wire = (
        "retry: 1500\r\n\r\n: ping\r\n\r\nid: 7\r\ndata: one\r\ndata:two\r\ndata\r\n\r\n"
        "id: 8\n\nevent: delta\ndata: {}\n\nretry: soon\ndata:  é\nid\nother: x\n\ndata: cut"
    )
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    told = await page.evaluate(
        """async ([module, pieces]) => {
          const { Parser } = await import(module);
          const parser = new Parser();
          const events = pieces.flatMap((piece) => [...parser.feed(piece)]);
          return { retry: parser.retry, events: events.filter(({ data, id }) => data !== null || id !== null) };
        }""",
        [ASSETS.url("js/sse.js"), pieces],
    )
    assert told == {
        "retry": 1500,
        "events": [
            {"event": "", "data": "one\ntwo\n", "id": "7"},
            {"event": "", "data": None, "id": "8"},
            {"event": "delta", "data": "{}", "id": None},
            {"event": "", "data": " é", "id": None},
        ],
    }
