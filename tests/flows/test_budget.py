"""What a ticket may cost, on real parts: over a crash, a restart, a retry, a new webhook, and all its sub-agents."""

import sqlite3
from contextlib import closing
from typing import NamedTuple

from tests.fakes.scripts import Reply, agent, bash
from tests.flows.service import Json, Service
from tests.flows.world import IMPLEMENT, WITHOUT_GATES, World

CEILING_USD = 0.6
TALK = bash("head -c 24000 /dev/zero | tr '\\0' x | fold -w 79")
"""A command whose output is worth some thousand tokens."""
SPENDING = [Reply(f"{number}.", tools=[TALK]) for number in range(60)] + [Reply("Done.")]


class Account(NamedTuple):
    """What is written down of a ticket: all that it cost, and its dearest request."""

    spent: float
    dearest: float
    unsettled: int


def account(world: World) -> Account:
    with closing(sqlite3.connect(world.workspace / "auto-code.db")) as database:
        total = "SELECT sum(cost_usd), max(cost_usd), sum(NOT settled) FROM spendings WHERE ticket = 'PROJ-1'"
        return Account(*database.execute(total).fetchone())


def assert_stopped_within_one_request(world: World, run: Json) -> None:
    assert run["status"] == "failed"
    assert "may cost $0.60" in run["error"], run["error"]
    assert "MAX_COST_USD_PER_TICKET" in run["error"]
    known = account(world)
    assert CEILING_USD <= known.spent < CEILING_USD + known.dearest
    assert known.dearest < CEILING_USD / 3, "the ceiling is met by one request, which shows nothing"


def retried(service: Service, run: Json) -> Json:
    return service.wait(service.http.post(f"/api/v1/runs/{run['id']}/retry").json()["run_id"])


def test_a_spender_stops_within_one_request_of_the_ceiling_over_crash_restart_retry_and_a_new_webhook() -> None:
    with (
        World({IMPLEMENT: SPENDING}) as world,
        world.service(MAX_COST_USD_PER_TICKET=str(CEILING_USD), **WITHOUT_GATES) as service,
    ):
        run_id = service.accept(world.ticket("PROJ-1"))
        with world.model.gate(lambda request: len(request.messages) > 6) as gate:
            gate.wait()
            service.kill()
        service.start()
        run = service.wait(run_id)
        assert_stopped_within_one_request(world, run)

        asked = len(world.model.requests)
        service.stop()
        service.start()
        again = retried(service, run)
        renewed = service.wait(service.accept(world.ticket("PROJ-1", summary="Add two toggles")))
        assert {again["status"], renewed["status"]} == {"failed"}
        assert len(world.model.requests) == asked
        assert (world.workspace / "worktrees" / "ticket" / "proj-1").is_dir(), "the work is kept"


def test_sub_agents_side_by_side_have_one_allowance() -> None:
    sent = Reply("", tools=[agent(f"Spend as much as you can, number {number}.") for number in range(3)])
    turns = {"Spend as much": SPENDING, IMPLEMENT: [sent, Reply("Done.")]}
    with World(turns) as world, world.service(MAX_COST_USD_PER_TICKET=str(CEILING_USD), **WITHOUT_GATES) as service:
        run = service.wait(service.accept(world.ticket("PROJ-1")))
        assert_stopped_within_one_request(world, run)
