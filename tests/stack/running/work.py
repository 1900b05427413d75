"""A ticket's way through the containers, whatever happens to them."""

import subprocess
import time
from pathlib import Path

import httpx

from tests.builders import jira_body
from tests.fakes.messages_api import API_KEY
from tests.flows.service import Json
from tests.flows.world import TOKEN
from tests.stack.containers import Stack
from tests.stack.plan import program
from tests.stack.running.conftest import Outside

GRACE_S = 45


def ticket(key: str) -> Json:
    return jira_body(key=key, summary="Add dark mode toggle", description="On every page.")


def pulls_of(far_side: httpx.Client, key: str) -> list[Json]:
    return [pull for pull in far_side.get("/pulls").json() if pull["head"] == f"ticket/{key.lower()}"]


def test_a_ticket_becomes_a_pull_request(service: Outside, far_side: httpx.Client, stack: Stack) -> None:
    run = service.wait(service.accept(ticket("PROJ-1")))
    assert run["status"] == "pr_opened", run["error"]
    (pull,) = pulls_of(far_side, "PROJ-1")
    assert pull["title"] == "PROJ-1: Add dark mode toggle"
    logs = stack.compose("logs", "--no-color", "auto-code")
    assert TOKEN not in logs
    assert API_KEY not in logs


def test_a_stop_in_the_middle_of_a_turn_costs_nothing(service: Outside, far_side: httpx.Client, stack: Stack) -> None:
    far_side.post("/hold")
    run_id = service.accept(ticket("PROJ-2"))
    far_side.get("/held")

    began = time.monotonic()
    stack.compose("stop", "auto-code")
    took_s = time.monotonic() - began
    state = stack.inspect("auto-code")["State"]
    far_side.post("/release")
    stack.up()

    assert state["ExitCode"] in {0, 143}, "It did not end by itself."
    assert took_s < GRACE_S
    run = service.wait(run_id)
    assert run["status"] == "pr_opened", run["error"]
    assert len(pulls_of(far_side, "PROJ-2")) == 1


def test_a_crash_is_followed_by_a_start(service: Outside, stack: Stack) -> None:
    run = service.wait(service.accept(ticket("PROJ-3")))
    stack.execute("auto-code", "pkill", "-KILL", "--full", "bin/auto-code")
    give_up = time.monotonic() + GRACE_S
    while stack.inspect("auto-code")["RestartCount"] == 0 or service.http.get("/health").status_code != 200:
        assert time.monotonic() < give_up, "It did not come back."
        time.sleep(0.2)
    assert service.run(run["id"])["status"] == "pr_opened"


def test_the_plans_backup_restores_what_was_there(service: Outside, stack: Stack, tmp_path: Path) -> None:
    run = service.wait(service.accept(ticket("PROJ-4")))
    backup, archive = program("auto-code-backup", tmp_path), tmp_path / "state.tar.gz"
    subprocess.run([backup, archive], env=stack.environment, check=True, timeout=120)

    stack.compose("rm", "--stop", "--force", "--volumes", "auto-code")
    stack.remove_volume("workspace")
    with archive.open("rb") as saved:
        restore = ["--entrypoint", "tar", "auto-code", "--extract", "--gzip", "--directory", "/workspace"]
        stack.compose("run", "--rm", "--no-deps", "--no-TTY", *restore, stdin=saved)
    stack.up()

    assert service.run(run["id"]) == run
