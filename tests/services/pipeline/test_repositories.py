"""Several repositories in one run: those that changed are gated and published, and name one another."""

import pytest

from app.errors import InvalidInput
from app.models import EventKind, PipelineOptions
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.scripted_claude import EDITED, FIX_LINT, FIX_REVIEW, ISSUES, REVIEW
from tests.services.pipeline.several import BusyGitHub, ChecksByRepository, body_of, dark_in, url
from tests.services.pipeline.world import BRANCH, World, rounds_of


async def test_claude_works_in_all_repositories_and_is_told_where_they_are(
    world: World, api: MockGitHub, web: MockGitHub
) -> None:
    world.claude.plays[EDITED] = dark_in(world, api, web)
    run = await world.turn("Add dark.", repositories=world.choices())

    assert run.outcome == "Changed 2 files; no pull request yet."
    (prompt,) = world.claude.prompts
    for github in (world.github, api, web):
        assert f"- {github.name}: {world.worktree_of(github)}" in prompt
        assert f"The repository's CLAUDE.md in {github.name}, " in prompt
    changed = {each.repository: each.unpublished for each in await world.store.changes("PROJ-1")}
    assert changed == {"acme/api": True, "acme/web": True}
    assert not world.worktree.exists(), "nothing is left where nothing changed"
    assert (world.worktree_of(api) / "theme.txt").read_text() == "light\ndark\n"


async def test_only_repositories_that_changed_are_gated_and_published_and_name_one_another(
    world: World, api: MockGitHub, web: MockGitHub
) -> None:
    world.claude.plays[EDITED] = dark_in(world, world.github, web)
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert (run.status, run.error) == ("pr_opened", None)
    assert run.outcome == (
        f"Opened draft pull request {url('offline/demo')}; Opened draft pull request {url('acme/web')}"
    )
    checked = {directory for _, directory, _ in world.checks.calls}
    assert checked == {world.worktree, world.worktree_of(web)}
    assert url("acme/web") in body_of(world, "offline/demo")
    assert url("offline/demo") in body_of(world, "acme/web")
    assert url("acme/web") not in body_of(world, "acme/web")
    assert (BRANCH in api.heads, web.files(BRANCH)["theme.txt"]) == (False, "light\ndark\n")
    assert not [github for github in (world.github, api, web) if world.worktree_of(github).exists()]


async def test_a_linked_pull_request_still_says_what_people_pushed_in_between(world: World, api: MockGitHub) -> None:
    world.github = BusyGitHub(world, {"notes.txt": "by hand\n"})
    world.claude.plays[EDITED] = dark_in(world, world.github, api)
    await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert url("acme/api") in body_of(world, "offline/demo")
    assert "People pushed to this branch while the gates ran." in body_of(world, "offline/demo")
    assert "People pushed" not in body_of(world, "acme/api")


async def test_the_review_sees_the_change_of_every_repository(world: World, api: MockGitHub) -> None:
    world.claude.plays[EDITED] = dark_in(world, world.github, api)
    await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    (review,) = world.claude.asked(REVIEW)
    for github in (world.github, api):
        assert f"In the repository {github.name}, at {world.worktree_of(github)}:" in review
    assert review.count("+dark") == 2


async def test_a_pull_request_says_what_the_gates_found_in_its_own_repository(world: World, api: MockGitHub) -> None:
    world.checks = ChecksByRepository()
    edits = dark_in(world, world.github, api)
    world.claude.plays[EDITED] = edits.model_copy(update={"files": {**edits.files, "lint.txt": "ok\n"}})
    await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert "`make lint` passes at once" in body_of(world, "offline/demo")
    assert "still fails" not in body_of(world, "offline/demo")
    assert "`make lint` still fails after 3 fixes" in body_of(world, "acme/api")


async def test_a_stage_is_as_good_as_its_worst_repository(world: World, api: MockGitHub, web: MockGitHub) -> None:
    world.options = PipelineOptions(lint=True)
    world.claude.plays |= {
        EDITED: dark_in(world, world.github, api, web),
        f"(lint in {api.name})": Answer(files={str(world.worktree_of(web) / "lint.txt"): "ok\n"}),
        f"(lint in {world.github.name})": Answer(files={"lint.txt": "ok\n"}),
    }
    world.checks = ChecksByRepository()
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert rounds_of(run)["lint"] == ("failed", 4)
    (lint,) = [stage for stage in run.stages if stage.name == "lint"]
    assert lint.summary == "acme/api: `make lint` still fails after 3 fixes"
    assert run.status == "pr_opened"
    told = await world.events(run.id, EventKind.GATE_CHECKED)
    assert {event.payload["repository"] for event in told} == {"offline/demo", "acme/api", "acme/web"}


async def test_a_fix_that_reaches_into_another_repository_has_that_one_gated_and_published_too(
    world: World, api: MockGitHub
) -> None:
    world.options = PipelineOptions(lint=True)
    reaching = {"lint.txt": "ok\n", str(world.worktree_of(api) / "theme.txt"): "light\ndark\n"}
    world.claude.plays |= {
        f"(lint in {api.name})": Answer(files={str(world.worktree_of(api) / "lint.txt"): "ok\n"}),
        FIX_LINT: Answer(files=reaching),
        "(lint in": Answer(files=reaching),
        EDITED: dark_in(world, world.github),
    }
    world.checks = checks = ChecksByRepository()
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert (run.status, rounds_of(run)["lint"]) == ("pr_opened", ("passed", 2))
    assert checks.checked("setup") == [world.worktree, world.worktree_of(api)]
    assert (api.files(BRANCH)["theme.txt"], api.files(BRANCH)["lint.txt"]) == ("light\ndark\n", "ok\n")
    assert url("offline/demo") in body_of(world, "acme/api")


async def test_a_fix_of_the_review_that_reaches_into_another_repository_has_that_one_gated_too(
    world: World, api: MockGitHub
) -> None:
    world.claude.plays |= {REVIEW: ISSUES, FIX_REVIEW: dark_in(world, api), EDITED: dark_in(world, world.github)}
    await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert [directory for gate, directory, _ in world.checks.calls if gate == "test"] == [
        world.worktree, world.worktree_of(api)
    ]  # fmt: skip
    assert api.files(BRANCH)["theme.txt"] == "light\ndark\n"


# Without the wish for pull requests


async def test_edits_keep_the_pull_request_that_is_there_up_to_date_and_open_no_other(
    world: World, api: MockGitHub
) -> None:
    world.claude.plays |= {"First.": dark_in(world, world.github), "Then.": Answer(files={
        "more.txt": "more\n", str(world.worktree_of(api) / "theme.txt"): "light\ndark\n"
    })}  # fmt: skip
    await world.turn("First.", auto_pr=True, repositories=world.choices())
    run = await world.turn("Then.")

    assert (run.status, run.outcome) == ("pr_opened", f"Updated draft pull request {url('offline/demo')}")
    assert world.github.files(BRANCH)["more.txt"] == "more\n"
    assert (len(world.forge.proposals), BRANCH in api.heads) == (1, False)
    assert (world.worktree_of(api) / "theme.txt").read_text() == "light\ndark\n", "the work waits for its own"
    later = await world.settled(await world.runner.open_pull_requests("PROJ-1", by="Ada", repositories=["acme/api"]))
    assert later.outcome == f"Opened draft pull request {url('acme/api')}"


async def test_a_fix_publishes_nothing_that_nobody_wanted_published(world: World, api: MockGitHub) -> None:
    world.claude.plays |= {REVIEW: ISSUES, "First.": dark_in(world, world.github), "Then.": Answer(files={
        "more.txt": "more\n", str(world.worktree_of(api) / "theme.txt"): "light\ndark\n"
    })}  # fmt: skip
    await world.turn("First.", auto_pr=True, repositories=world.choices())
    await world.turn("Then.")

    assert len(world.claude.asked(FIX_REVIEW)) == 2
    assert [made.repository for made in world.forge.pull_requests] == ["offline/demo"]


# How many


async def test_six_repositories_are_worked_on_together(world: World) -> None:
    others = [world.add_repository(f"acme/{name}", MockGitHub) for name in ("api", "web", "docs", "ios", "infra")]
    world.claude.plays[EDITED] = dark_in(world, world.github, *others)
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert (run.status, len(run.pull_requests)) == ("pr_opened", 6)
    assert all(body_of(world, each.name).count("/pull/1") == 5 for each in others)


async def test_a_seventh_repository_is_refused(world: World) -> None:
    for name in ("api", "web", "docs", "ios", "infra", "seventh"):
        world.add_repository(f"acme/{name}", MockGitHub)
    with pytest.raises(InvalidInput, match=r"^repo: must be at most 6 repositories$"):
        await world.say("Add dark.", repositories=world.choices())


async def test_pull_requests_are_opened_in_repositories_of_the_conversation_only(world: World, api: MockGitHub) -> None:
    world.claude.plays[EDITED] = dark_in(world, world.github)
    await world.turn("Add dark.", repositories=world.choices()[:1])
    with pytest.raises(InvalidInput, match=r"^repo: acme/api is no repository of this conversation$"):
        await world.runner.open_pull_requests("PROJ-1", by="Ada", repositories=[api.name])
