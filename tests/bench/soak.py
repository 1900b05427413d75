"""Three workers on one Postgres, hundreds of tickets, a worker killed every three seconds, the database restarted once.

`python -m tests.bench.soak TICKETS` does the same with another number of tickets.
"""

import itertools
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median

import httpx
import sqlalchemy as sa

from tests.bench.measurements import Measurement, milliseconds
from tests.flows.fleet import Fleet
from tests.flows.leftovers import processes_in
from tests.flows.world import REPOSITORY, World
from tests.postgres import Postgres

_TICKETS = 300
_WORKERS = ("one", "two", "three")
_PROJECTS = ("ALPHA", "BETA", "GAMMA")
_PER_WORKER, _PER_BUCKET, _TOTAL = 2, 3, 5
_KILL_EVERY_S = 3.0
_AWAY_S = 2.0
_SAMPLE_S = 0.05
_LIMIT_S = 5400.0

_ENDED = "SELECT ticket, status, error FROM runs"
_AT_WORK = """
    SELECT executor_id AS worker, queue_partition_key AS bucket FROM dbos.workflow_status WHERE status = 'PENDING'
"""
_HOLDERS = "SELECT id, worker FROM runs WHERE status = 'running' AND worker IS NOT NULL"


def measure(tickets: int = _TICKETS) -> list[Measurement]:
    """Every ticket becomes one pull request, whatever dies."""
    limits = {
        "MAX_CONCURRENT_RUNS": str(_PER_WORKER),
        "MAX_CONCURRENT_RUNS_TOTAL": str(_TOTAL),
        "MAX_CONCURRENT_RUNS_PER_BUCKET": str(_PER_BUCKET),
        "CLAUDE_SPARE": "true",
        "DRAIN_SECONDS": "0",
    }
    with Postgres() as postgres, World() as world, Fleet(world, postgres, *_WORKERS, **limits) as fleet:
        fleet.start()
        watch, killer = _Watch(fleet), _Killer(fleet)
        started = time.monotonic()
        with _beside(watch.look), _beside(killer.kill), _beside(lambda stop: _send(fleet, tickets, stop)):
            _until(lambda: _opened(fleet) >= tickets // 2)
            postgres.stop()
            time.sleep(_AWAY_S)
            postgres.start()
            _until(lambda: _ended(fleet) >= tickets)
        took = time.monotonic() - started
        killer.mend()
        fleet[_WORKERS[0]].wait(fleet.run_of(f"{_PROJECTS[0]}-1"))
        for name in _WORKERS:
            fleet[name].stop()
        return _rows(fleet, watch, killer, tickets, took)


def _rows(fleet: Fleet, watch: "_Watch", killer: "_Killer", tickets: int, took: float) -> list[Measurement]:
    bench = f"{tickets} tickets, 3 workers, one killed every {_KILL_EVERY_S:.0f} s, the database restarted"
    heads = Counter(pull.head for pull in fleet.world.pulls)
    commits = (len(fleet.world.git.log(REPOSITORY, head)) - 1 for head in heads)
    failed = [run for run in fleet.ask(_ENDED) if run["status"] != "pr_opened"]
    for run in failed[:5]:
        print(run, file=sys.stderr)  # noqa: T201
    left = [each for name in _WORKERS for each in processes_in(fleet.world.directory / name)]
    most = ", ".join(f"{watch.most[what]} of {limit}" for what, limit in _LIMITS.items())
    exceeded = sum(watch.most[what] > limit for what, limit in _LIMITS.items())
    takeovers = sorted(watch.takeovers_s)
    return [
        Measurement(bench, "pull requests", f"{len(heads)} in {took:.0f} s, {killer.kills} kills", aim=str(tickets)),
        Measurement(bench, "tickets with two pull requests", str(sum(n > 1 for n in heads.values())), aim="0"),
        Measurement(bench, "branches without exactly one commit", str(sum(n != 1 for n in commits)), aim="0"),
        Measurement(bench, "runs lost or failed", str(len(failed)), aim="0"),
        Measurement(bench, "most at work: one worker, one project, all", most, aim="within the limits"),
        Measurement(bench, "limits exceeded", str(exceeded), aim="0"),
        Measurement(bench, f"from a kill to the next owner, p50 of {len(takeovers)}", milliseconds(median(takeovers))),
        Measurement(bench, "from a kill to the next owner, longest", milliseconds(takeovers[-1])),
        Measurement(bench, "processes left behind", str(len(left)), aim="0"),
    ]


_LIMITS = {"worker": _PER_WORKER, "bucket": _PER_BUCKET, "total": _TOTAL}


@dataclass
class _Watch:
    """Looks at the database again and again: who works on what, and for how long a dead one's runs have nobody."""

    fleet: Fleet
    most: Counter[str] = field(default_factory=Counter)
    takeovers_s: list[float] = field(default_factory=list)
    _holders: dict[str, str] = field(default_factory=dict)

    def look(self, stop: threading.Event) -> None:
        """Until it is stopped."""
        while not stop.wait(_SAMPLE_S):
            with suppress(sa.exc.OperationalError):
                self._look_at_limits()
                self._look_at_holders()

    def _look_at_limits(self) -> None:
        at_work = self.fleet.ask(_AT_WORK)
        self._note("total", len(at_work))
        for what in ("worker", "bucket"):
            for count in Counter(row[what] for row in at_work).values():
                self._note(what, count)

    def _note(self, what: str, count: int) -> None:
        self.most[what] = max(self.most[what], count)

    def _look_at_holders(self) -> None:
        holders = {row["id"]: row["worker"] for row in self.fleet.ask(_HOLDERS)}
        for run, worker in holders.items():
            before = self._holders.get(run)
            if before is not None and before != worker and (died := _DEATHS.get(_pid_of(before))) is not None:
                self.takeovers_s.append(time.monotonic() - died)
        self._holders = holders


_DEATHS: dict[str, float] = {}
"""When each process was killed, by its number."""


def _pid_of(worker: str) -> str:
    """The process in a worker's name: its host, its process, and what tells it from others of that number."""
    return worker.rsplit("-", 2)[1]


@dataclass
class _Killer:
    """Kills one worker after the other, each after the time since the last, and lets it start again."""

    fleet: Fleet
    kills: int = 0
    _starting: list[threading.Thread] = field(default_factory=list)

    def kill(self, stop: threading.Event) -> None:
        """Until it is stopped."""
        for name in itertools.cycle(_WORKERS):
            if stop.wait(_KILL_EVERY_S):
                return
            service = self.fleet[name]
            _DEATHS[str(service.pid)] = time.monotonic()
            service.kill()
            self.kills += 1
            starting = threading.Thread(target=self._start, args=(name,))
            starting.start()
            self._starting.append(starting)

    def mend(self) -> None:
        """Wait for those that still start."""
        for thread in self._starting:
            thread.join()

    def _start(self, name: str) -> None:
        for _ in range(5):
            try:
                self.fleet[name].start()
            except AssertionError:  # the database is away, or it was killed as it started
                time.sleep(0.5)
            else:
                return


def _send(fleet: Fleet, tickets: int, stop: threading.Event) -> None:
    """As a tracker does: to one door, and again when nobody answers."""
    for number in range(tickets):
        body = fleet.world.ticket(f"{_PROJECTS[number % len(_PROJECTS)]}-{number // len(_PROJECTS) + 1}")
        headers = {"X-Atlassian-Webhook-Identifier": f"delivery-{number}"}
        while not stop.is_set():
            with suppress(httpx.TransportError, KeyError):
                if fleet[random.choice(_WORKERS)].send(body, **headers).status_code == 202:  # noqa: S311
                    break
            time.sleep(0.2)


def _opened(fleet: Fleet) -> int:
    return len({pull.head for pull in fleet.world.pulls})


def _ended(fleet: Fleet) -> int:
    with suppress(sa.exc.OperationalError):
        return sum(run["status"] in {"pr_opened", "failed", "idle"} for run in fleet.ask(_ENDED))
    return 0


def _until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _LIMIT_S
    while not happened():
        assert time.monotonic() < give_up, "The tickets were not worked off in time."
        time.sleep(0.5)


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Let it work beside, until the end."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    for row in measure(int(sys.argv[1])):
        print(" | ".join(row.cells))  # noqa: T201
