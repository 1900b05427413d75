"""A minute in which the model's API is overloaded: no run is lost, and the API is left in peace."""

import time

from tests.bench.measurements import Measurement
from tests.fakes.scripts import ModelRequest
from tests.flows.world import World

_SECONDS = 60
_RUNS = 8


def measure() -> list[Measurement]:
    """Runs that begin as the overload does."""
    with World() as world, world.service(CLAUDE_SPARE="true") as service:
        over = time.time() + _SECONDS
        tries: list[float] = []

        def is_overloaded(_request: ModelRequest) -> bool:
            if (now := time.time()) < over:
                tries.append(now)
            return now < over

        world.model.fault(529, times=None, when=is_overloaded)
        runs = [service.accept(world.ticket(f"PROJ-{number + 1}")) for number in range(_RUNS)]
        time.sleep(max(0.0, over - time.time()))
        lost = sum(service.wait(run_id)["status"] != "pr_opened" for run_id in runs)
    bench = f"529 for {_SECONDS} s, {_RUNS} runs"
    return [
        Measurement(bench, "runs lost", str(lost), aim="0"),
        Measurement(bench, "requests that met it", str(len(tries))),
    ]
