"""An account that is at its limit, on real parts: every run waits, one request tries, and all go on."""

import time

from tests.fakes.scripts import ModelRequest
from tests.flows.world import WITHOUT_GATES, World

RUNS, AT_ONCE = 8, 4


def test_eight_runs_wait_for_the_accounts_reset_and_one_request_tries_first() -> None:
    with World() as world, world.service(MAX_CONCURRENT_RUNS=str(AT_ONCE), **WITHOUT_GATES) as service:
        refused: list[float] = []
        headers = {"anthropic-ratelimit-unified-status": "rejected", "retry-after": "1"}

        def is_at_its_limit(_request: ModelRequest) -> bool:
            now = time.time()
            # From the first request on, however long it takes to come.
            reset = int(headers.setdefault("anthropic-ratelimit-unified-reset", str(int(now) + 4)))
            if now < reset:
                refused.append(now)
            return now < reset

        world.model.fault(429, times=None, when=is_at_its_limit, headers=headers)
        run_ids = [service.accept(world.ticket(f"PROJ-{number}")) for number in range(1, RUNS + 1)]
        runs = [service.wait(run_id) for run_id in run_ids]

        assert {run["status"] for run in runs} == {"pr_opened"}
        assert len(world.pulls) == RUNS
        # Those that were on their way before the first answer came, and one that tries.
        assert 1 <= len(refused) <= AT_ONCE + 1
        told = [line["event"] for line in service.logged() if line["event"] in ("model_parked", "model_open")]
        assert told == ["model_parked", "model_open"]


def test_an_overload_of_some_seconds_loses_no_run() -> None:
    with World() as world, world.service(MAX_CONCURRENT_RUNS=str(AT_ONCE), **WITHOUT_GATES) as service:
        tries: list[float] = []

        def is_overloaded(_request: ModelRequest) -> bool:
            now = time.time()
            overloaded = now < (tries or [now])[0] + 4
            if overloaded:
                tries.append(now)
            return overloaded

        world.model.fault(529, times=None, when=is_overloaded)
        run_ids = [service.accept(world.ticket(f"PROJ-{number}")) for number in range(1, AT_ONCE + 1)]
        assert {service.wait(run_id)["status"] for run_id in run_ids} == {"pr_opened"}
        assert len(world.pulls) == AT_ONCE
        assert len(tries) <= AT_ONCE + 8, "a storm of retries"
