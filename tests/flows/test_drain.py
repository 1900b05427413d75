"""Processes that take no work: one that is told to end, which ends what it can, and one that has no room."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.fakes.scripts import ModelRequest
from tests.flows.fleet import Fleet
from tests.flows.leftovers import processes_in
from tests.flows.world import IMPLEMENT, WITHOUT_GATES, World
from tests.postgres import Postgres

LIMIT_S = 60.0


def last_answer(ticket: str) -> Callable[[ModelRequest], bool]:
    """The author's second request about the ticket, after which its turn ends."""

    def asked(request: ModelRequest) -> bool:
        goes_on = any(message["role"] == "assistant" for message in request.messages)
        return goes_on and f"{IMPLEMENT} {ticket}" in World.prompt_of(request)

    return asked


def begun(world: World, ticket: str) -> int:
    """How often the ticket's turn was asked from its beginning."""
    asked = world.asked(f"{IMPLEMENT} {ticket}")
    return sum(all(message["role"] != "assistant" for message in request.messages) for request in asked)


def until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < give_up, "It did not happen."
        time.sleep(0.05)


def test_a_service_that_is_told_to_end_ends_what_it_can_and_loses_nothing() -> None:
    settings: dict[str, Any] = {**WITHOUT_GATES, "DRAIN_SECONDS": "60"}
    with World() as world, world.service(**settings) as service:
        quick, slow = (world.model.gate(last_answer(ticket)) for ticket in ("PROJ-1", "PROJ-2"))
        runs = [service.accept(world.ticket(key)) for key in ("PROJ-1", "PROJ-2")]
        quick.wait()
        slow.wait()
        os.kill(service.pid, signal.SIGTERM)
        until(lambda: not service.healthy)

        assert service.http.get("/health").json() == {"status": "draining"}
        runs.append(service.accept(world.ticket("PROJ-3")))
        quick.open()
        assert service.wait(runs[0])["status"] == "pr_opened"
        assert [service.run(run_id)["status"] for run_id in runs[1:]] == ["running", "queued"]
        os.kill(service.pid, signal.SIGTERM)  # the other one would take the whole minute
        until(lambda: not service.alive)
        assert processes_in(world.directory) == {}
        assert world.asked(f"{IMPLEMENT} PROJ-3") == []

        slow.open()
        service.start()
        ended = [service.wait(run_id) for run_id in runs]
        assert {(run["status"], run["error"]) for run in ended} == {("pr_opened", None)}
        assert [begun(world, ticket) for ticket in ("PROJ-1", "PROJ-2", "PROJ-3")] == [1, 1, 1]
        assert sorted(pull.head for pull in world.pulls) == [f"ticket/proj-{number}" for number in (1, 2, 3)]


def test_a_worker_alone_works_off_what_a_service_takes_whose_disk_is_full(postgres: Postgres) -> None:
    with World() as world, Fleet(world, postgres, "service", "worker") as fleet:
        service, worker = fleet["service"], fleet["worker"]
        service.env["MIN_FREE_GB"] = "1000000"
        service.start()
        run_id = service.accept(world.ticket())
        ready = service.http.get("/ready")
        assert (ready.status_code, list(ready.json()["reasons"])) == (503, ["disk"])
        worker.begin("worker")

        assert service.wait(run_id)["status"] == "pr_opened"
        assert [each["state"] for each in fleet.ask("SELECT state FROM workers ORDER BY started_at")] == [
            "full",
            "working",
        ]
        assert "No new run begins on" in service.http.get("/code-runs", headers={"Accept": "text/html"}).text
        assert not worker.healthy, "it has no door"
        worker.stop()
        assert [each["state"] for each in fleet.ask("SELECT state FROM workers")] == ["full"]
