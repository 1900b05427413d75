"""Bad days on the machine itself: memory, disk, clock and database. What passes is waited out, and nothing is lost."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.fakes.scripts import ModelRequest, Reply, bash
from tests.flows import programs
from tests.flows.bad_days import has_small_disks, keep_a_clock_that_jumps, on_a_small_disk
from tests.flows.service import Json, Service
from tests.flows.world import CLEAN, CORRECTED, IMPLEMENT, REPOSITORY, REVIEW, WITHOUT_GATES, World
from tests.postgres import Postgres

LIMIT_S = 60.0
AWAY_S = 3.0
"""How long a database is away: longer than anything in it is tried again by itself."""

FILLS_THE_DISK = bash("head -c 200000000 /dev/zero > filler; true")
TAKES_MEMORY = bash("""python3 -c 'import time; taken = b"x" * 900_000_000; time.sleep(60)'; echo "it ended: $?" """)


def assert_published(world: World, run: Json) -> None:
    assert (run["status"], run["error"]) == ("pr_opened", None)
    assert len(world.pulls) == 1
    assert world.git.file(REPOSITORY, "ticket/proj-1", "src/toggle.txt") == "toggle\n"
    assert len(world.git.log(REPOSITORY, "ticket/proj-1")) == 2


def until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < give_up, "It did not happen."
        time.sleep(0.05)


def asks(prompt: str, request: ModelRequest) -> bool:
    return prompt in request.prompt


def says(service: Service, event: str) -> bool:
    return any(line["event"] == event for line in service.logged())


def test_a_command_that_takes_the_rooms_memory_is_ended_and_the_turn_goes_on() -> None:
    turns = {IMPLEMENT: [Reply("", tools=[TAKES_MEMORY]), *CLEAN[IMPLEMENT]]}
    with World(turns) as world, world.service(AGENT_MEMORY_MB="700", **WITHOUT_GATES) as service:
        run_id = service.accept(world.ticket())
        assert_published(world, service.wait(run_id))
        (told, *_) = [event["payload"] for event in service.events(run_id) if event["kind"] == "tool.returned"]
        assert "it ended: 137" in told["content"]


@pytest.mark.skipif(not has_small_disks(), reason="This machine lets nobody mount a small disk.")
def test_a_full_disk_is_waited_for_and_the_run_goes_on_when_there_is_room() -> None:
    write, said = CLEAN[IMPLEMENT]
    turns = {IMPLEMENT: [write, Reply("", tools=[FILLS_THE_DISK]), said]}
    with World(turns) as world, world.service(on_a_small_disk, MIN_FREE_GB="0", **WITHOUT_GATES) as service:
        run_id = service.accept(world.ticket())
        until(lambda: says(service, "database lost"))
        time.sleep(AWAY_S)  # readers are served meanwhile, which must not be told as a database that is back
        Path(f"/proc/{service.pid}/root{world.workspace}/worktrees/ticket/proj-1/filler").unlink()
        assert_published(world, service.wait(run_id))
        told = [line["event"] for line in service.logged() if line["event"].startswith("database ")]
        assert told == ["database lost", "database back"]


def test_a_clock_that_jumps_a_day_forward_and_back_changes_nothing() -> None:
    with World(CORRECTED) as world:
        gates = [world.model.gate(partial(asks, prompt)) for prompt in (IMPLEMENT, REVIEW)]
        with world.service(partial(programs.start, before=keep_a_clock_that_jumps)) as service:
            run_id = service.accept(world.ticket())
            for gate, jump in zip(gates, (signal.SIGUSR1, signal.SIGUSR2), strict=True):
                gate.wait()
                os.kill(service.pid, jump)
                gate.open()
            assert_published(world, service.wait(run_id))
            events = service.events(run_id)
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
            assert len({event["at"][:10] for event in events}) == 2, "the clock did not jump"


def test_a_database_that_another_process_has_locked_is_waited_for() -> None:
    with World() as world, world.service(**WITHOUT_GATES) as service:
        with world.model.gate(lambda r: IMPLEMENT in r.prompt) as gate:
            run_id = service.accept(world.ticket())
            gate.wait()
            with closing(sqlite3.connect(world.workspace / "auto-code.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                gate.open()
                time.sleep(AWAY_S)
                other.execute("ROLLBACK")
        assert_published(world, service.wait(run_id))


def test_a_database_that_is_away_is_waited_for_and_senders_are_told_to_try_again() -> None:
    with Postgres() as postgres, World() as world:
        url = postgres.url(postgres.database()).replace("postgresql+psycopg://", "postgresql://")
        with world.service(DATABASE_URL=url, **WITHOUT_GATES) as service:
            with world.model.gate(lambda r: IMPLEMENT in r.prompt) as gate:
                run_id = service.accept(world.ticket())
                gate.wait()
                postgres.stop()
                gate.open()
                assert service.send(world.ticket("PROJ-2")).status_code == 503
                until(lambda: says(service, "database lost"))
                time.sleep(AWAY_S)
                postgres.start()
            assert_published(world, service.wait(run_id))
            until(lambda: service.send(world.ticket("PROJ-2")).status_code == 202)
