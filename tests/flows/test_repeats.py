"""The same ticket again: at once, later, after people worked on its branch, or as a rehearsal."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

from tests.fakes.scripts import Reply, write_file
from tests.flows.world import IMPLEMENT, REPOSITORY, World


def test_200_equal_webhooks_at_once_are_one_run() -> None:
    with World() as world, world.service() as service:
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
    with World() as world, world.service(DRY_RUN="true") as service:
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


AGAIN = {
    IMPLEMENT: [Reply("", tools=[write_file("src/toggle.txt", "toggle\n")]), Reply("Added.")],
    "was sent again": [Reply("", tools=[write_file("src/more.txt", "more\n")]), Reply("Added more.")],
}


def test_a_second_webhook_goes_on_with_the_branch_the_pull_request_and_the_session() -> None:
    with World(AGAIN) as world, world.service(PIPELINE_REVIEW="false") as service:
        service.wait(service.accept(world.ticket()))
        world.git.commit_as_human(REPOSITORY, "ticket/proj-1", {"notes.txt": "by hand\n"}, "A note")
        run = service.wait(service.accept(world.ticket(summary="Add dark mode toggle everywhere")))

        assert (run["status"], run["error"]) == ("pr_opened", None)
        (pull,) = world.pulls
        assert pull.title == "PROJ-1: Add dark mode toggle everywhere"
        assert [each["created"] for each in run["pull_requests"]] == [False]
        for name in ("notes.txt", "src/toggle.txt", "src/more.txt"):
            assert world.git.file(REPOSITORY, "ticket/proj-1", name), name
        assert len(world.git.log(REPOSITORY, "ticket/proj-1")) == 4
        assert len({request.session_id for request in world.model.requests}) == 1


def test_a_branch_that_people_began_is_gone_on_with() -> None:
    with World() as world, world.service() as service:
        world.git.commit_as_human(REPOSITORY, "ticket/proj-1", {"notes.txt": "by hand\n"}, "A note")
        run = service.wait(service.accept(world.ticket()))

        assert run["status"] == "pr_opened"
        assert world.git.file(REPOSITORY, "ticket/proj-1", "notes.txt") == "by hand\n"
        assert world.git.file(REPOSITORY, "ticket/proj-1", "src/toggle.txt") == "toggle\n"


def test_an_open_pull_request_of_the_branch_is_updated_and_a_closed_one_is_left_alone() -> None:
    with World() as world, world.service() as service:
        world.git.commit_as_human(REPOSITORY, "ticket/proj-1", {"notes.txt": "by hand\n"}, "A note")
        closed = world.github[REPOSITORY].open_pull(title="Old", body="", head="ticket/proj-1", base="main")
        closed.state = "closed"
        open_one = world.github[REPOSITORY].open_pull(title="By hand", body="", head="ticket/proj-1", base="main")
        run = service.wait(service.accept(world.ticket()))

        assert [each["url"] for each in run["pull_requests"]] == [open_one.url]
        assert open_one.title == "PROJ-1: Add dark mode toggle"
        assert (closed.title, closed.state) == ("Old", "closed")


def test_a_stopped_run_keeps_its_work_and_a_retry_goes_on_with_it() -> None:
    with World() as world, world.service() as service:
        with world.model.gate(lambda r: IMPLEMENT in r.prompt and len(r.messages) > 2) as gate:
            run_id = service.accept(world.ticket())
            gate.wait()
            stopped = service.http.post(f"/api/v1/runs/{run_id}/stop").json()
        assert stopped["status"] == "idle"
        assert (world.workspace / "worktrees" / "ticket" / "proj-1" / "src" / "toggle.txt").exists()

        retried = service.http.post(f"/api/v1/runs/{run_id}/retry").json()
        run = service.wait(retried["run_id"])
        assert run["status"] == "pr_opened"
        assert world.git.file(REPOSITORY, "ticket/proj-1", "src/toggle.txt") == "toggle\n"
