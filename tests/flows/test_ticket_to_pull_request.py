"""The main job, on real parts."""

from tests.flows.world import CORRECTED, FIX_LINT, FIX_REVIEW, FIX_TESTS, IMPLEMENT, REPOSITORY, REVIEW, TOKEN, World


def test_a_ticket_becomes_a_pull_request_after_all_corrections_in_the_authors_one_session() -> None:
    with World(CORRECTED) as world, world.service(CLAUDE_SPARE="true") as service:
        run = service.wait(service.accept(world.ticket("PROJ-7")))

        assert (run["status"], run["error"]) == ("pr_opened", None)
        stages = {stage["name"]: (stage["status"], stage["rounds"]) for stage in run["stages"]}
        assert stages == {
            "workspace": ("passed", 0),
            "implement": ("passed", 0),
            "review": ("passed", 1),
            "setup": ("skipped", 0),
            "lint": ("passed", 1),
            "tests": ("passed", 1),
            "publish": ("passed", 0),
        }
        (pull,) = world.pulls
        assert pull.title == "PROJ-7: Add dark mode toggle"
        assert pull.head == "ticket/proj-7"
        assert "https://example.atlassian.net/browse/PROJ-7" in pull.body
        assert not pull.draft
        assert [each["url"] for each in run["pull_requests"]] == [pull.url]
        changed = {"toggle": "toggle\n", "states": "on, off\n", "theme": "light\ndark\n"}
        for name, text in changed.items():
            assert world.git.file(REPOSITORY, "ticket/proj-7", f"src/{name}.txt") == text

        author = {r.session_id for name in (IMPLEMENT, FIX_REVIEW, FIX_LINT, FIX_TESTS) for r in world.asked(name)}
        reviewer = {r.session_id for r in world.asked(REVIEW)}
        assert len(author) == len(reviewer) == 1
        assert author.isdisjoint(reviewer)
        assert run["cost_usd"] > 0
        assert run["tokens"]["output"] > 0
        assert TOKEN not in service.log.read_text()
