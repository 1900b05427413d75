"""The answer to a webhook: stored and queued before the 202, against a bare route that only checks the same body."""

from tests.bench import bare, load
from tests.bench.measurements import Measurement
from tests.bench.numbers import percentile
from tests.flows.world import World

_RATE = 50.0
_ROUNDS = 4
_ROUND_S = 5.0
_WARM_UP_S = 1.0


def measure() -> list[Measurement]:
    """Distinct tickets at 50 a second, in turns. One run waits for the model all the while, the others queue up.

    The second yardstick is the bare route with one row written to a database before the answer: what it costs to be
    durable at all.
    """
    with (
        World() as world,
        world.model.gate() as gate,
        world.service(CLAUDE_SPARE="true", MAX_CONCURRENT_RUNS="1") as service,
        bare.serving() as bare_url,
        bare.serving(world.directory / "bare.db") as durable_url,
    ):
        service.accept(world.ticket("HELD-1"))
        gate.wait()
        urls = {"service": str(service.http.base_url), "bare": bare_url, "durable": durable_url}
        taken: dict[str, list[float]] = {name: [] for name in urls}
        for url in urls.values():
            load.send(url, project="WARM", rate=_RATE, count=int(_RATE * _WARM_UP_S))
        for number in range(_ROUNDS):
            for name, url in urls.items():
                taken[name] += load.send(url, project=f"R{number}", rate=_RATE, count=int(_RATE * _ROUND_S))
    return [
        _row(taken["service"], taken["bare"], 50, "bare route"),
        _row(taken["service"], taken["bare"], 99, "bare route", aim="≤ 2×"),
        _row(taken["service"], taken["durable"], 50, "bare route that keeps one row"),
        _row(taken["service"], taken["durable"], 99, "bare route that keeps one row"),
    ]


def _row(ours: list[float], yardstick: list[float], percent: int, against: str, *, aim: str = "") -> Measurement:
    own, other = percentile(ours, percent), percentile(yardstick, percent)
    return Measurement(
        f"202 at {_RATE:.0f} tickets a second, against a {against}",
        f"p{percent} of {len(ours)}",
        f"{own:.1f} ms",
        f"{other:.1f} ms",
        own / other,
        aim,
    )
