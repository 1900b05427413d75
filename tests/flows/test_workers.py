"""Many workers on one Postgres: another finishes what one loses, and who has lost a run does nothing more for it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fakes.git_server import GitRequest
from tests.fakes.github_api import GitHubRequest
from tests.fakes.scripts import ModelRequest
from tests.flows.fleet import Fleet
from tests.flows.leftovers import processes_in
from tests.flows.world import IMPLEMENT, REPOSITORY, World
from tests.postgres import Postgres

LIMIT_S = 60.0


def second_request(request: ModelRequest) -> bool:
    """The author's, after its first answer has been worked on."""
    return IMPLEMENT in World.prompt_of(request) and any(each["role"] == "assistant" for each in request.messages)


def pushes(request: GitRequest) -> bool:
    return request.is_push


def opens(request: GitHubRequest) -> bool:
    return request.opens_pull


def until(happened: Callable[[], Any]) -> Any:
    """What it gives once that is something."""
    give_up = time.monotonic() + LIMIT_S
    while not (found := happened()):
        assert time.monotonic() < give_up, "It did not happen."
        time.sleep(0.05)
    return found


def test_a_lost_machines_run_is_finished_by_another(postgres: Postgres) -> None:
    with World() as world, Fleet(world, postgres, "one", "two") as fleet:
        fleet.start("one")
        closed = world.model.gate(second_request)
        run_id = fleet["one"].accept(world.ticket())
        closed.wait()
        fleet.start("two")
        fleet.lose("one")
        closed.open()
        run = fleet["two"].wait(run_id)

        assert (run["status"], run["error"]) == ("pr_opened", None)
        assert len(world.pulls) == 1
        assert world.git.file(REPOSITORY, "ticket/proj-1", "src/toggle.txt") == "toggle\n"
        # The session came along: only its first request ever began with nothing.
        begun = [each for each in world.asked(IMPLEMENT) if all(said["role"] != "assistant" for said in each.messages)]
        assert len(begun) == 1
        fleet["two"].stop()
        assert processes_in(world.directory / "one") == {}
        assert processes_in(world.directory / "two") == {}


def test_what_is_not_pushed_of_a_finished_turn_comes_along(postgres: Postgres) -> None:
    with World() as world, Fleet(world, postgres, "one", "two") as fleet:
        fleet.start("one")
        closed = world.git.gate(pushes)
        run_id = fleet["one"].accept(world.ticket())
        closed.wait()
        asked = len(world.model.requests)
        fleet.lose("one")
        closed.open()
        fleet.start("two")
        run = fleet["two"].wait(run_id)

        assert (run["status"], run["error"]) == ("pr_opened", None)
        assert len(world.model.requests) == asked
        assert world.git.file(REPOSITORY, "ticket/proj-1", "src/toggle.txt") == "toggle\n"
        assert len(world.git.log(REPOSITORY, "ticket/proj-1")) == 2


def test_a_zombie_publishes_and_writes_nothing(postgres: Postgres) -> None:
    with World() as world, Fleet(world, postgres, "one", "two") as fleet:
        fleet.start("one")
        closed = world.model.gate(second_request)
        run_id = fleet["one"].accept(world.ticket())
        closed.wait()
        (owner,) = fleet.ask("SELECT worker FROM runs WHERE id = :id", id=run_id)
        fleet.freeze("one")
        # As the server does with a machine that it hears nothing of; its locks go with its connections.
        fleet.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        fleet.start("two")
        closed.open()
        run = fleet["two"].wait(run_id)
        assert run["status"] == "pr_opened"
        (heir,) = fleet.ask("SELECT worker FROM runs WHERE id = :id", id=run_id)
        assert heir != owner
        said = fleet["two"].events(run_id)
        requests = len(world.model.requests)

        fleet.thaw("one")
        claude = Path(fleet["one"].env["WORKSPACE_DIR"]) / "worktrees" / "ticket" / "proj-1"
        until(lambda: not processes_in(claude))
        # It works for others.
        other = fleet["one"].accept(world.ticket("PROJ-2"))
        assert fleet["one"].wait(other)["status"] == "pr_opened"

        assert fleet["two"].events(run_id) == said
        assert [pull.head for pull in world.pulls] == ["ticket/proj-1", "ticket/proj-2"]
        assert len(world.git.log(REPOSITORY, "ticket/proj-1")) == 2
        assert not [each for each in world.model.requests[requests:] if "proj-1" in world.prompt_of(each).lower()]


def test_a_rolling_restart_under_load_loses_nothing(postgres: Postgres) -> None:
    names, tickets = ("one", "two", "three"), 7
    with World() as world, Fleet(world, postgres, *names, MAX_CONCURRENT_RUNS="2", DRAIN_SECONDS="1") as fleet:
        fleet.start()
        run_ids = [fleet["one"].accept(world.ticket(f"PROJ-{number}")) for number in range(1, tickets + 1)]
        for name in names:
            fleet[name].stop()
            fleet[name].start()
        runs = [fleet["one"].wait(run_id) for run_id in run_ids]

        assert {(run["status"], run["error"]) for run in runs} == {("pr_opened", None)}
        assert len({pull.head for pull in world.pulls}) == len(world.pulls) == tickets


def test_what_one_process_works_on_is_seen_live_at_another(postgres: Postgres) -> None:
    with World() as world, Fleet(world, postgres, "one", "two") as fleet:
        fleet.start("one")
        closed = world.model.gate(second_request)
        run_id = fleet["one"].accept(world.ticket())
        closed.wait()
        fleet.start("two")
        stream = fleet["two"].stream(run_id)
        seen = [next(stream) for _ in fleet["one"].events(run_id)]
        closed.open()
        seen += list(stream)

        assert seen == fleet["one"].events(run_id)
        told = [event for event in seen if event["kind"] == "pull_request.opened"]
        assert len(told) == 1
