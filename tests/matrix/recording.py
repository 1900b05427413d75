"""What there is to die at: every effect of one undisturbed run, and every request that it sent to the far side."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.fakes.git_server import GitRequest
from tests.fakes.github_api import GitHubRequest
from tests.fakes.http import Request
from tests.fakes.scripts import ModelRequest
from tests.fakes.server import Server
from tests.flows.world import World
from tests.matrix.dying import Effect, Phase, Point
from tests.matrix.story import PROMPTS


@dataclass(frozen=True, order=True)
class Moment:
    """A point of a story's run, at a time of its clock. `step` was under way then. `cli`: Claude Code was at work."""

    at: float
    point: Point
    story: str
    step: str
    cli: bool

    @property
    def is_request(self) -> bool:
        """It is met at the far side, not in the service's process."""
        return self.point.effect.startswith("request ")

    @property
    def name(self) -> str:
        """As it is printed, and given to the command line."""
        return f"{self.story}: {self.step} | {self.point.effect} | {self.point.phase}"


class Recording:
    """A story's run that nothing happened to. `requests` have their time, name, and whether Claude Code sent them."""

    def __init__(self, story: str, effects: Iterable[Effect], requests: Iterable[tuple[float, str, bool]]) -> None:
        self._story = story
        self._effects = sorted(effects, key=lambda effect: effect.at)
        self._requests = list(requests)
        self._steps = [
            (each.at, each.name.removeprefix("record "))
            for each in self._effects
            if each.name.startswith("record ") and each.phase == "after"
        ]

    @property
    def moments(self) -> list[Moment]:
        """Every moment, in the order of the run."""
        effects = [self._moment(each.at, _point(each), cli=each.cli) for each in self._effects]
        # The far side notes when a request came: its other phases follow at once, as far as can be told.
        requests = [
            self._moment(at, Point(self._recorded(at), name, phase), cli=cli)
            for at, name, cli in self._requests
            for phase in _PHASES
        ]
        return sorted([*effects, *self._in_programs(), *requests], key=lambda moment: moment.at)

    def _in_programs(self) -> Iterator[Moment]:
        """The half of each program's time."""
        lasted = {(each.after, each.name): each.lasted_s for each in self._effects}
        for each in self._effects:
            if each.name.startswith("program ") and each.phase == "before":
                half_s = lasted[each.after, each.name] / 2
                yield self._moment(each.at + half_s, Point(each.after, each.name, "during", half_s), cli=each.cli)

    def _moment(self, at: float, point: Point, *, cli: bool) -> Moment:
        step = next((name for recorded_at, name in self._steps if recorded_at >= at), "the end")
        return Moment(at, point, self._story, step, cli)

    def _recorded(self, at: float) -> str:
        return next((name for recorded_at, name in reversed(self._steps) if recorded_at < at), "")


_PHASES: tuple[Phase, ...] = ("before", "during", "after")


def _point(effect: Effect) -> Point:
    return Point(effect.after, effect.name, effect.phase)


def effects_in(record: Path) -> list[Effect]:
    """What a process wrote down."""
    return [Effect(**json.loads(line)) for line in record.read_text().splitlines()]


def requests_of(world: World) -> list[tuple[float, str, bool]]:
    """The requests that came to the far side, each with a name of its own."""
    counted: Counter[str] = Counter()
    found = []
    came = [request for server in servers(world).values() for request in server.requests]
    for request in sorted(came, key=lambda request: float(request.at)):
        if name := name_of(request):
            counted[name] += 1
            found.append((request.at, f"request {name} #{counted[name]}", isinstance(request, ModelRequest)))
    return found


def servers(world: World) -> Mapping[str, Server[Any]]:
    """The far side, by the first word of their requests' names."""
    return {"model": world.model, "git": world.git, "forge": world.github}


def name_of(request: Request) -> str:
    """What a request is called in every run; empty for one that is of no interest."""
    if isinstance(request, ModelRequest):
        turn = next((name for name, prompt in PROMPTS.items() if prompt in World.prompt_of(request)), "")
        return f"model {turn} {answers_in(request)}" if turn and request.path == "/v1/messages" else ""
    if isinstance(request, GitRequest):
        return f"git {request.service} {request.method}"
    assert isinstance(request, GitHubRequest)
    return f"forge {request.operation or request.method} {'' if request.operation else request.path}".strip()


def answers_in(request: ModelRequest) -> int:
    """How many answers of the model the turn has had."""
    said = [i for i, text in request.prompts if not text.startswith("Go on")]
    return sum(message["role"] == "assistant" for message in request.messages[said[-1] if said else 0 :])


def matching(point: Point) -> tuple[str, Callable[[Request], bool]]:
    """Which server the request of a point comes to, and what tells it. It counts, so it is to be asked once each."""
    name, _, number = point.effect.removeprefix("request ").rpartition(" #")
    counted = Counter[str]()

    def is_it(request: Request, *, wanted: int) -> bool:
        counted[name_of(request)] += 1
        return name_of(request) == name and counted[name] >= wanted

    return name.partition(" ")[0], partial(is_it, wanted=int(number))
