"""What the workers' heartbeats tell: who hangs, and what is amiss. It keeps no clock: times are passed in."""

from collections.abc import Iterable, Mapping, Sequence

from app.results import Worker, WorkerState

ALIVE_S = 60.0
"""Seconds since its last heartbeat after which a worker counts as dead or hung."""

_GAP_S = 20.0
"""Of one's own heartbeats: who was silent for so long may have been away, and the others not."""

_RESTART_S = 60.0


class Watch:
    """Judges by heartbeats which other workers hang. Called before each heartbeat of one's own.

    Who wakes from a sleep of its machine, or finds the database's clock moved, sees everybody else as long gone. So
    only somebody judges who was seen without a gap for as long as the others must have been silent.
    """

    def __init__(self, *, own: str, hung_after_s: float = ALIVE_S) -> None:
        self._own = own
        self._hung_after_s = hung_after_s
        self._steady_since: float | None = None

    def hung(self, seen: Mapping[str, float], *, now: float) -> frozenset[str]:
        """Workers that hang, out of all by the seconds since they were `seen`. `now` is seconds of any steady clock."""
        if seen.get(self._own, _GAP_S) >= _GAP_S:
            self._steady_since = None
            return frozenset()
        if self._steady_since is None:
            self._steady_since = now
        if now - self._steady_since < self._hung_after_s:
            return frozenset()
        return frozenset(each for each, ago_s in seen.items() if ago_s > self._hung_after_s and each != self._own)

    def missed(self) -> None:
        """Say that the database did not answer: a gap."""
        self._steady_since = None


def alive(seen: Iterable[tuple[Worker, float]]) -> tuple[Worker, ...]:
    """Those of whom a heartbeat was seen in the last minute."""
    return tuple(worker for worker, ago_s in seen if ago_s <= ALIVE_S)


def takes_work(worker: Worker) -> bool:
    """Whether it is there to stay: one whose disk is full goes on by itself, one that drains does not."""
    return worker.state is not WorkerState.DRAINING


def amiss(workers: Sequence[Worker], *, unmanned_s: float) -> str:
    """What is amiss with the workers that are alive, in sentences for everybody; empty while nothing is.

    `unmanned_s` is for how long none of them was there to stay, if none is: a restart is no news.
    """
    if not any(map(takes_work, workers)):
        if unmanned_s <= _RESTART_S:
            return ""
        return "No worker is running, so no run begins. Start one: what waits goes on by itself."
    full = [worker for worker in workers if worker.state is WorkerState.FULL]
    return " ".join(f"No new run begins on {each.host}: {each.note}" for each in full)
