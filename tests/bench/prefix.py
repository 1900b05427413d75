"""How much of each request of the author's session the model's cache has seen before."""

import json
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean

from tests.bench.measurements import Measurement
from tests.fakes.scripts import ModelRequest
from tests.flows.world import CORRECTED, FIX_REVIEW, IMPLEMENT, World


def measure() -> list[Measurement]:
    """Over the author's four turns in one process; with a kill -9 and a restart in their midst; and fresh sessions."""
    with World(CORRECTED) as world, world.service(CLAUDE_SPARE="true") as service:
        service.wait(service.accept(world.ticket("PROJ-1")))
        first = _authors(world)
        service.wait(service.accept(world.ticket("PROJ-2")))
        other = _authors(world)[len(first)]
    with World(CORRECTED) as world, world.service(CLAUDE_SPARE="true") as service:
        with world.model.gate(lambda request: FIX_REVIEW in request.prompt) as gate:
            run_id = service.accept(world.ticket("PROJ-1"))
            gate.wait()
            service.kill()
        service.start()
        service.wait(run_id)
        resumed = _authors(world)
    fresh = share(first[-1], other)
    bench, anew = "byte-identical prefix of the request before, against a fresh session", _shown(fresh)
    alive, again = shares(first), shares(resumed)
    return [
        Measurement(bench, f"least of {len(alive)}, one process", _shown(min(alive)), anew, aim="≥ 0.97"),
        Measurement(bench, "mean, one process", _shown(mean(alive)), anew),
        Measurement(bench, f"least of {len(again)}, killed and resumed", _shown(min(again)), anew),
    ]


def shares(requests: Sequence[bytes]) -> list[float]:
    """For each request after the first, the share of the one before that it begins with."""
    return [share(before, after) for before, after in pairwise(requests)]


def share(before: bytes, after: bytes) -> float:
    """Which part of `before` is at the beginning of `after`."""
    same = next((i for i, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), None)
    return (min(len(before), len(after)) if same is None else same) / len(before)


def _authors(world: World) -> list[bytes]:
    return [cached(request) for request in world.model.requests if IMPLEMENT in _first(request)]


def _first(request: ModelRequest) -> str:
    return request.prompts[0][1] if request.prompts else ""


def cached(request: ModelRequest) -> bytes:
    """A request in the order in which the cache reads it, without the marks that say how far to cache."""
    parts = [*request.json["tools"], *request.json["system"], *request.json["messages"]]
    return b"\n".join(json.dumps(_without_marks(part)).encode() for part in parts)


def _without_marks(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_marks(item) for name, item in value.items() if name != "cache_control"}
    if isinstance(value, list):
        return [_without_marks(item) for item in value]
    return value


def _shown(value: float) -> str:
    return f"{value:.3f}"
