"""The same ticket again: at once, later, after people worked on its branch, or as a rehearsal."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.scripts import Reply, write_file
from tests.flows.service import Service
from tests.flows.world import IMPLEMENT, REPOSITORY, World

Place = tuple[World, Service]

AGAIN = {
    IMPLEMENT: [Reply("", tools=[write_file("src/toggle.txt", "toggle\n")]), Reply("Added.")],
    "was sent again": [Reply("", tools=[write_file("src/more.txt", "more\n")]), Reply("Added more.")],
}


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A service in a world, for a ticket of each test: a start takes longer than a ticket. Nobody reviews them."""
    with World(AGAIN) as world, world.service(PIPELINE_REVIEW="false") as service:
        yield world, service


def test_200_equal_webhooks_at_once_are_one_run() -> None:
    with World() as world, world.service(PIPELINE_REVIEW="false") as service:
        body = world.ticket()
        with ThreadPoolExecutor(32) as many:
            answers = list(many.map(lambda _: service.send(body), range(200)))

        assert {answer.status_code for answer in answers} == {202}
        statuses = [answer.json()["status"] for answer in answers]
        assert (statuses.count("accepted"), statuses.count("duplicate")) == (1, 199)
        (run_id,) = {answer.json()["run_id"] for answer in answers}
        assert service.wait(run_id)["status"] == "pr_opened"
        assert service.send(body).json()["status"] == "duplicate"
        assert len(service.http.get("/api/v1/runs").json()["runs"]) == 1
        assert len(world.pulls) == 1


def test_a_dry_run_publishes_nothing_and_its_worktree_goes_by_the_command_it_gives() -> None:
    with World() as world, world.service(DRY_RUN="true", PIPELINE_REVIEW="false") as service:
        run = service.wait(service.accept(world.ticket()))

        assert (run["status"], run["error"]) == ("idle", None)
        assert world.pulls == []
        assert "ticket/proj-1" not in world.git.heads(REPOSITORY)
        assert {stage["name"]: stage["status"] for stage in run["stages"]}["tests"] == "passed"
        worktree = world.workspace / "worktrees" / "ticket" / "proj-1"
        assert (worktree / "src" / "toggle.txt").exists()
        command = run["outcome"].partition("remove it with: ")[2]
        subprocess.run(command.split(), check=True, capture_output=True)
        assert not worktree.exists()


def test_a_second_webhook_goes_on_with_the_branch_the_pull_request_and_the_session(place: Place) -> None:
    world, service = place
    service.wait(service.accept(world.ticket("PROJ-1")))
    world.git.commit_as_human(REPOSITORY, "ticket/proj-1", {"notes.txt": "by hand\n"}, "A note")
    run = service.wait(service.accept(world.ticket("PROJ-1", summary="Add dark mode toggle everywhere")))

    assert (run["status"], run["error"]) == ("pr_opened", None)
    (pull,) = [pull for pull in world.pulls if pull.head == "ticket/proj-1"]
    assert pull.title == "PROJ-1: Add dark mode toggle everywhere"
    assert [each["created"] for each in run["pull_requests"]] == [False]
    for name in ("notes.txt", "src/toggle.txt", "src/more.txt"):
        assert world.git.file(REPOSITORY, "ticket/proj-1", name), name
    assert len(world.git.log(REPOSITORY, "ticket/proj-1")) == 4
    assert len({request.session_id for request in world.asked("PROJ-1")}) == 1


def test_a_branch_that_people_began_and_their_pull_request_are_gone_on_with_and_a_closed_one_is_left_alone(
    place: Place,
) -> None:
    world, service = place
    world.git.commit_as_human(REPOSITORY, "ticket/proj-2", {"notes.txt": "by hand\n"}, "A note")
    closed = world.github[REPOSITORY].open_pull(title="Old", body="", head="ticket/proj-2", base="main")
    closed.state = "closed"
    open_one = world.github[REPOSITORY].open_pull(title="By hand", body="", head="ticket/proj-2", base="main")
    run = service.wait(service.accept(world.ticket("PROJ-2")))

    assert run["status"] == "pr_opened"
    assert world.git.file(REPOSITORY, "ticket/proj-2", "notes.txt") == "by hand\n"
    assert world.git.file(REPOSITORY, "ticket/proj-2", "src/toggle.txt") == "toggle\n"
    assert [each["url"] for each in run["pull_requests"]] == [open_one.url]
    assert open_one.title == "PROJ-2: Add dark mode toggle"
    assert (closed.title, closed.state) == ("Old", "closed")


def test_a_stopped_run_keeps_its_work_and_a_retry_goes_on_with_it(place: Place) -> None:
    world, service = place
    with world.model.gate(lambda r: f"{IMPLEMENT} PROJ-3" in r.prompt and len(r.messages) > 2) as gate:
        run_id = service.accept(world.ticket("PROJ-3"))
        gate.wait()
        stopped = service.http.post(f"/api/v1/runs/{run_id}/stop").json()
    assert stopped["status"] == "idle"
    assert (world.workspace / "worktrees" / "ticket" / "proj-3" / "src" / "toggle.txt").exists()

    retried = service.http.post(f"/api/v1/runs/{run_id}/retry").json()
    run = service.wait(retried["run_id"])
    assert run["status"] == "pr_opened"
    assert world.git.file(REPOSITORY, "ticket/proj-3", "src/toggle.txt") == "toggle\n"
