"""One run that dies at moments, and everything that must be so afterwards."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import sqlalchemy as sa

from tests.fakes.server import Server
from tests.fakes.troubles import Gate
from tests.flows import programs
from tests.flows.leftovers import processes_in
from tests.flows.service import Json, Service
from tests.flows.world import World
from tests.matrix.dying import Plan, Point, end_clis, watch
from tests.matrix.recording import Moment, Recording, effects_in, matching, requests_of, servers
from tests.matrix.story import Story

Death = Literal["service", "cli", "machine"]
"""Who dies: the service's process, Claude Code, or the process with everything that its machine had on its disk."""

_LIMIT_S = 300.0
_LOOK_S = 0.02
_UNFINISHED = "SELECT count(*) FROM {table} WHERE status IN ('ENQUEUED', 'DELAYED', 'PENDING')"


@dataclass(frozen=True)
class Died:
    """A death: at which moment, and when."""

    moment: Moment
    at: datetime


@dataclass
class Course:
    """How a ticket's runs went: the last of them, and what was told of all."""

    run: Json
    events: list[Json]
    deaths: list[Died]
    unfinished: int
    """Works that the engine still has."""


@dataclass
class _Trap:
    """Where a request is waited for at the far side."""

    moment: Moment
    release: Callable[[], object]
    is_met: Callable[[], bool]
    let_go: bool = False


class Player:
    """Plays a ticket's run in a world, with a service that is started again after each death.

    `database` is an URL for SQLAlchemy; None for the file in the workspace.
    """

    def __init__(self, world: World, *, story: Story, death: Death = "service", database: str | None = None) -> None:
        self._world = world
        self._story = story
        self._diary = world.directory / "diary"
        self._death = death
        self._database = database
        settings = {"DATABASE_URL": database.replace("+psycopg", "")} if database else {}
        self._service: Service = world.service(CLAUDE_SPARE="true", **settings)
        self._deaths: list[Died] = []
        self._effects: dict[Point, Moment] = {}
        self._traps: list[_Trap] = []
        self._buried = 0
        self._machines = 1

    def record(self) -> list[Moment]:
        """Every moment of a run that nothing happens to."""
        record = self._world.directory / "record"
        with closing(self):
            self._begin(Plan(record=record))
            self._finish()
        return Recording(self._story.name, effects_in(record), requests_of(self._world)).moments

    def play(self, dies_at: Sequence[Moment]) -> Course:
        """How the run went that dies at each of these moments that it comes to."""
        self._effects = {moment.point: moment for moment in dies_at if not moment.is_request}
        self._traps = [self._trap(moment) for moment in dies_at if moment.is_request]
        with closing(self):
            self._start()
            course = self._finish()
            self._service.stop()
        return course

    def close(self) -> None:
        """Nothing of the service is left."""
        self._service.kill()
        self._service.http.close()

    # A run

    def _finish(self) -> Course:
        self._ask()
        give_up = time.monotonic() + _LIMIT_S
        while (run := self._look()) is None or run["ended_at"] is None or self._unfinished():
            if time.monotonic() > give_up:
                raise TimeoutError(f"The run did not end: {run}\n{self._service.log.read_text()[-4000:]}")
            time.sleep(_LOOK_S)
        self._revive()
        runs = self._runs()
        events = [event for run in reversed(runs) for event in self._service.events(run["id"])]
        return Course(runs[0], events, [*self._deaths, *self._written()], self._unfinished())

    def _written(self) -> list[Died]:
        """The deaths that a process wrote down."""
        if not self._diary.exists():
            return []
        lines = map(json.loads, self._diary.read_text().splitlines())
        return [Died(self._effects[Point(**line["point"])], datetime.fromisoformat(line["at"])) for line in lines]

    def _ask(self) -> None:
        """Ask for it as trackers and people do: again, where nobody answered."""
        give_up = time.monotonic() + _LIMIT_S
        while time.monotonic() < give_up:
            self._revive()
            with suppress(httpx.TransportError):
                if self._story.ask(self._service):
                    return
        raise TimeoutError(f"Nobody took the ticket.\n{self._service.log.read_text()[-4000:]}")

    def _look(self) -> Json | None:
        """The newest run as it stands; None where nobody answers."""
        self._revive()
        with suppress(httpx.TransportError):
            run = self._runs()[0]
            self._story.attend(self._service, run)
            return run
        return None

    def _runs(self) -> list[Json]:
        """The ticket's, the newest first: where people decide, another run goes on."""
        runs: list[Json] = self._service.http.get("/api/v1/runs").raise_for_status().json()["runs"]
        return runs

    def _unfinished(self) -> int:
        engine = sa.create_engine(
            self._database or f"sqlite:///{self._world.workspace / 'auto-code.db'}", poolclass=sa.NullPool
        )
        table = "dbos.workflow_status" if self._database else "workflow_status"
        with engine.connect() as connection:
            return int(connection.execute(sa.text(_UNFINISHED.format(table=table))).scalar_one())

    # Deaths

    def _start(self) -> None:
        """Start the service, which may die of that."""
        past = {died.moment.point for died in self._written()}
        due = tuple(point for point in self._effects if point not in past)
        self._begin(Plan(diary=self._diary, victim="cli" if self._death == "cli" else "service", points=due))

    def _begin(self, plan: Plan) -> None:
        self._service.launch = partial(programs.start, before=partial(watch, plan, self._world.workspace))
        self._service.begin()
        give_up = time.monotonic() + _LIMIT_S
        while self._service.alive and not self._service.healthy:
            assert time.monotonic() < give_up, self._service.log.read_text()[-4000:]
            time.sleep(_LOOK_S)

    def _revive(self) -> None:
        """Start the service again where it has died, and let it die where a request waits that it was to die at."""
        for trap in self._traps:
            if not trap.let_go and trap.is_met():
                self._meet(trap)
        while not self._service.alive:
            if self._death == "cli" or len(self._written()) == self._buried:
                raise AssertionError(f"The service ended by itself:\n{self._service.log.read_text()[-4000:]}")
            self._bury()

    def _meet(self, trap: _Trap) -> None:
        trap.let_go = True
        self._deaths.append(Died(trap.moment, datetime.now(UTC)))
        if self._death == "cli":
            end_clis(of=self._service.pid)
        else:
            self._service.kill()
            self._bury()
        trap.release()

    def _bury(self) -> None:
        """The service is dead: what it started dies with it, and the next one starts."""
        self._buried = len(self._written())
        wait_until_nothing_lives(self._world.directory)
        if self._death == "machine":
            self._lose_machine()
        self._start()

    def _lose_machine(self) -> None:
        shutil.rmtree(self._world.workspace, ignore_errors=True)
        self._machines += 1
        self._world.workspace = self._world.directory / f"machine-{self._machines}"
        self._service.env["WORKSPACE_DIR"] = str(self._world.workspace)

    def _trap(self, moment: Moment) -> _Trap:
        name, is_it = matching(moment.point)
        server: Server[Any] = servers(self._world)[name]
        if moment.point.phase == "during":
            met: list[Any] = []

            def noted(request: Any) -> bool:
                met.extend([request] if (found := is_it(request)) else [])
                return found

            server.fault("hang_mid_stream", when=noted)
            return _Trap(moment, server.release, lambda: any(request.hanging for request in met))
        gate: Gate[Any] = server.gate(is_it, after_work=moment.point.phase == "after")
        return _Trap(moment, gate.open, lambda: bool(gate.held))


def wait_until_nothing_lives(directory: Path) -> None:
    """What the service started dies with it; the kernel may need a moment."""
    give_up = time.monotonic() + 10
    while (left := processes_in(directory)) and time.monotonic() < give_up:
        time.sleep(_LOOK_S)
    assert left == {}, f"It lives on: {left}"
