"""What things cost with 10,000 conversations and two million events, against a database that has next to nothing.

Next to nothing is the conversation of 10,000 events that is opened, and as many others as fill a page of the list. Both
services are the real one, in turns, over databases that differ in nothing else. The large one has what the engine keeps
of its runs, too.
"""

import asyncio
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.database import Database, sqlite_url
from app.models import EventKind
from app.services.store.client import DatabaseStore
from tests.bench import load
from tests.bench.growth_data import multiply
from tests.bench.measurements import Measurement
from tests.bench.numbers import percentile
from tests.flows.service import Service
from tests.flows.world import World
from tests.journeys.seeding import Past, seeding
from tests.journeys.stories import BACKEND, long
from tests.journeys.story import Story

_CONVERSATIONS = 10_000
_LISTED = 60
_LONG, _LONG_EVENTS = "BILL-1", 10_000
_TYPICAL, _TYPICAL_STEPS = "TYPE-1", 36

_REQUESTS = 40
_APPENDS, _APPEND_ROUNDS = 50, 20
_RATE, _ROUND_S, _ACK_ROUNDS = 50.0, 2.0, 21
_AIM = "≤ 1.3×"

Taken = Mapping[str, list[float]]
"""Milliseconds by database."""


def measure() -> list[Measurement]:
    """Pages and lists, then webhooks, then events."""
    with ExitStack() as opened:
        worlds = {name: opened.enter_context(World()) for name in ("large", "small")}
        run, events = _fill(worlds["large"], worlds["small"])
        appended = asyncio.run(_appended({name: _file(world) for name, world in worlds.items()}, run))
        services = {name: opened.enter_context(_held(world)) for name, world in worlds.items()}
        home, runs = _served(services, "/code-runs"), _served(services, "/api/v1/runs?limit=50")
        conversation = _served(services, f"/code-runs/{_LONG}")
        acked = _acked(services)
    bench = f"{_CONVERSATIONS:,} conversations, {events / 1e6:.1f} million events, against next to none"
    return [
        _row(bench, "202 at 50 tickets a second", 99, acked),
        _row(bench, "the list of conversations", 50, home),
        _row(bench, "the list of runs", 50, runs),
        _row(bench, "opening a conversation of 10,000 events", 50, conversation),
        _row(bench, "an event appended", 50, appended),
        _row(bench, "an event appended", 99, appended, aim=""),
    ]


def _row(bench: str, what: str, percent: int, taken: Taken, *, aim: str = _AIM) -> Measurement:
    ours, yardstick = (percentile(taken[name], percent) for name in ("large", "small"))
    many = f"{what}, p{percent} of {len(taken['large'])}"
    return Measurement(bench, many, f"{ours:.1f} ms", f"{yardstick:.1f} ms", ours / yardstick, aim)


# The databases


def _fill(large: World, small: World) -> tuple[str, int]:
    """Write both databases; the return is a run that goes on, and how many events the large one has."""
    with large.service(CLAUDE_SPARE="true") as service:  # whatever it writes itself for a ticket, each conversation has
        service.wait(service.accept(large.ticket(_TYPICAL)))
    with seeding(large.workspace) as past:
        _typical(past)
        run = long(past, _LONG, events=_LONG_EVENTS, ended=False).run
    small.workspace.mkdir(parents=True, exist_ok=True)
    shutil.copy(_file(large), _file(small))
    multiply(_file(small), _TYPICAL, first=1, last=_LISTED)
    return run, multiply(_file(large), _TYPICAL, first=1, last=_CONVERSATIONS)


def _typical(past: Past) -> None:
    story = Story(past, _TYPICAL, "Keep the currency of every row", ago_s=3_600)
    story.begin("Look at the other tables, too.", repositories=[BACKEND])
    for number in range(_TYPICAL_STEPS):
        story.say(f"The table `invoice_{number}` has rows without a **currency**; I look where from.")
        story.step("Read", "    amount = Decimal(row.amount)\n" * 20, file_path=f"billing/part_{number}.py")
        story.step("Bash", "12 passed in 0.61s", command=f"uv run pytest billing/tests/test_part_{number}.py -q")
    story.end(outcome="Answered.")


def _file(world: World) -> Path:
    return world.workspace / "auto-code.db"


# What is measured


async def _appended(files: Mapping[str, Path], run: str) -> Taken:
    stores = {name: DatabaseStore(database=Database(url=sqlite_url(file))) for name, file in files.items()}
    taken: dict[str, list[float]] = {name: [] for name in stores}
    payload = {"id": "toolu_1", "name": "Bash", "input": {"command": "uv run pytest -q"}, "role": "author"}
    for number in range(_APPEND_ROUNDS + 1):
        for name, store in stores.items():
            for _ in range(_APPENDS):
                began = time.perf_counter()
                await store.append(run, EventKind.TOOL_CALLED, payload)
                if number:  # the first round fills caches
                    taken[name].append((time.perf_counter() - began) * 1000)
    for store in stores.values():
        await store.stop()
    return taken


@contextmanager
def _held(world: World) -> Iterator[Service]:
    """The service, in which one run waits for the model, and all others for its end."""
    with world.model.gate() as gate, world.service(CLAUDE_SPARE="true", MAX_CONCURRENT_RUNS="1") as service:
        service.accept(world.ticket("HELD-1"))
        gate.wait()
        yield service


def _served(services: Mapping[str, Service], path: str) -> Taken:
    """Until the whole answer is there, in turns."""
    taken: dict[str, list[float]] = {name: [] for name in services}
    for number in range(_REQUESTS + 1):
        for name, service in services.items():
            began = time.perf_counter()
            service.http.get(path).raise_for_status()
            if number:  # the first of each fills caches
                taken[name].append((time.perf_counter() - began) * 1000)
    return taken


def _acked(services: Mapping[str, Service]) -> Taken:
    """In turns of two seconds, so that what else the machine does meets both."""
    taken: dict[str, list[float]] = {name: [] for name in services}
    for number in range(_ACK_ROUNDS + 1):
        for name, service in services.items():
            url = str(service.http.base_url)
            found = load.send(url, project=f"R{number}", rate=_RATE, count=int(_RATE * _ROUND_S))
            if number:
                taken[name] += found
    return taken
