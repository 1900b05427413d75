"""Opening a conversation of 5,000 events, against the same page as a file."""

import asyncio
import time
from statistics import median

import httpx

from tests.bench import still
from tests.bench.browse import Opened, readers
from tests.bench.measurements import Measurement, milliseconds
from tests.bench.numbers import percentile
from tests.flows.service import ACCESS_CODE, Service
from tests.flows.world import World
from tests.journeys import stories
from tests.journeys.seeding import seeding

_KEY = "BILL-1"
_REQUESTS = 20
_READERS = 10
_BENCH = "a conversation of 5,000 events"
_AGAINST = f"{_BENCH}, against the same page as a file"


def measure() -> list[Measurement]:
    """The service's time for the page, a new reader's time until it is painted, and what comes over the wire.

    Requests and readers take turns between the service and the file.
    """
    with World() as world, world.service(CLAUDE_SPARE="true") as service:
        with seeding(world.workspace) as past:
            stories.company(past)
            stories.long(past, _KEY)
        page, home = f"{service.http.base_url}/code-runs/{_KEY}", f"{service.http.base_url}/code-runs"
        with still.serving(_page(service), world.directory / "page.html") as file:
            served = _served(page, file)
            opened = asyncio.run(_opened(page, file))
        (first,) = asyncio.run(_opened(home, rounds=1))[home]
    ours, yardstick = opened[page], opened[file]
    return [
        _row("server's time for the page, p50 of 20", median(served[page]), median(served[file])),
        _row("server's time for the page, p90 of 20", percentile(served[page], 90), percentile(served[file], 90)),
        _row("first contentful paint, nothing cached, p50 of 10", *_medians(ours, yardstick, "painted"), "< 500 ms"),
        _row("load, nothing cached, p50 of 10", *_medians(ours, yardstick, "loaded")),
        Measurement(_BENCH, "longest task of the browser while it opens", f"{_longest(ours):.0f} ms", aim="≤ 200 ms"),
        Measurement(_BENCH, "elements in the page", f"{ours[0].nodes:,}"),
        Measurement("weight without cache: HTML + CSS + JS", _BENCH, ours[0].weighs),
        Measurement("weight without cache: HTML + CSS + JS", "the first page", first.weighs),
    ]


def _page(service: Service) -> bytes:
    answer = service.http.get(f"/code-runs/{_KEY}")
    answer.raise_for_status()
    return answer.content


def _served(*urls: str) -> dict[str, list[float]]:
    """Seconds until the whole page is there, for each request."""
    taken: dict[str, list[float]] = {url: [] for url in urls}
    with httpx.Client(headers={"Authorization": f"Bearer {ACCESS_CODE}"}, trust_env=False, timeout=30) as client:
        for number in range(_REQUESTS + 1):
            for url in urls:
                began = time.perf_counter()
                client.get(url).raise_for_status()
                if number:  # the first of each fills caches
                    taken[url].append(time.perf_counter() - began)
    return taken


async def _opened(*urls: str, rounds: int = _READERS) -> dict[str, list[Opened]]:
    opened: dict[str, list[Opened]] = {url: [] for url in urls}
    async with readers() as people:
        for number in range(rounds + 1):
            for url in urls:
                page = await people.open(url)
                if number:  # the first of each warms the browser up
                    opened[url].append(page)
    return opened


def _medians(ours: list[Opened], yardstick: list[Opened], what: str) -> tuple[float, float]:
    own, other = (median(getattr(each, what) for each in many) / 1000 for many in (ours, yardstick))
    return own, other


def _longest(opened: list[Opened]) -> float:
    return max(each.longest for each in opened)


def _row(what: str, ours: float, yardstick: float, aim: str = "") -> Measurement:
    return Measurement(_AGAINST, what, milliseconds(ours), milliseconds(yardstick), ours / yardstick, aim)
