"""Several repositories in one run: those that changed are gated and published, and one's failure is not the others'."""

from pathlib import Path

import pytest

from app.errors import InvalidInput, TemporarilyFailed, WorkFailed
from app.models import EventKind, PipelineOptions, PullRequest, RepositoryChoice, RunMode
from app.results import CheckResult, Commands, Workspace
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.scripted_claude import EDITED, FIX_LINT, FIX_REVIEW, ISSUES, REVIEW
from tests.services.pipeline.world import BRANCH, World, rounds_of, stages_of

REFUSED = "The push was refused. Ask for write access."


class LockedGitHub(MockGitHub):
    """Takes no push while `locked`, and no pull request that names others while `without_links`."""

    locked = False
    without_links = False

    async def push(self, workspace: Workspace, commit: str) -> None:
        if self.locked:
            raise WorkFailed(REFUSED)
        await super().push(workspace, commit)

    async def open_pull_request(self, workspace: Workspace, *, title: str, body: str, draft: bool) -> PullRequest:
        if self.without_links and "Part of one change" in body:
            raise WorkFailed("The pull request is locked.")
        return await super().open_pull_request(workspace, title=title, body=body, draft=draft)


class ChecksByRepository(MockChecks):
    """Lint fails where there is no `lint.txt`."""

    async def run_lint(self, directory: Path, commands: Commands) -> CheckResult:
        await super().run_lint(directory, commands)
        result = passed() if (directory / "lint.txt").exists() else failed("lint.txt is missing")
        return result.model_copy(update={"command": "make lint"})

    def checked(self, gate: str) -> list[Path]:
        """Where a gate was run, in order."""
        return [directory for name, directory, _ in self.calls if name == gate]


@pytest.fixture
def api(world: World) -> LockedGitHub:
    return world.add_repository("acme/api", kind=LockedGitHub)  # type: ignore[return-value]


@pytest.fixture
def web(world: World) -> LockedGitHub:
    return world.add_repository("acme/web", kind=LockedGitHub)  # type: ignore[return-value]


def dark_in(world: World, *repositories: MockGitHub) -> Answer:
    """Edits of `theme.txt` in each of them."""
    places = [world.worktree_of(each) / "theme.txt" for each in repositories]
    return Answer(text="I added dark.", files={str(place): "light\ndark\n" for place in places})


def url(repository: str) -> str:
    return f"https://offline.invalid/{repository}/pull/1"


def body_of(world: World, repository: str) -> str:
    """What the repository's one pull request says."""
    bodies = [
        proposal.body
        for made, proposal in zip(world.forge.pull_requests, world.forge.proposals, strict=True)
        if made.repository == repository
    ]
    (body,) = bodies
    return body


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


# What goes wrong in one of them


async def test_a_push_that_fails_leaves_the_others_opened_and_is_said(
    world: World, api: LockedGitHub, web: MockGitHub
) -> None:
    api.locked = True
    world.claude.plays[EDITED] = dark_in(world, world.github, api, web)
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert run.status == "failed"
    assert run.error == (
        f"acme/api failed: {REFUSED} Opened draft pull request {url('offline/demo')}; "
        f"Opened draft pull request {url('acme/web')}."
    )
    (said,) = await world.events(run.id, EventKind.PUBLISH_FAILED)
    assert said.payload == {"repository": "acme/api", "message": REFUSED}
    assert [each.repository for each in run.pull_requests] == ["offline/demo", "acme/web"]
    assert url("acme/web") in body_of(world, "offline/demo")
    (stage,) = [stage for stage in run.stages if stage.name == "publish"]
    assert (stage.status, "acme/api failed" in stage.summary) == ("warned", True)
    kept = [world.worktree_of(github).exists() for github in (world.github, api, web)]
    assert kept == [False, True, False]
    unpublished = {each.repository: each.unpublished for each in await world.store.changes("PROJ-1")}
    assert unpublished == {"offline/demo": False, "acme/api": True, "acme/web": False}


async def test_the_one_that_failed_can_be_opened_by_itself_and_names_the_others(
    world: World, api: LockedGitHub, web: MockGitHub
) -> None:
    api.locked = True
    world.claude.plays[EDITED] = dark_in(world, world.github, api, web)
    await world.turn("Add dark.", auto_pr=True, repositories=world.choices())
    api.locked = False
    edited = len(world.claude.asked(EDITED))
    receipt = await world.runner.open_pull_requests("PROJ-1", by="Ben", repositories=["acme/api"])
    run = await world.settled(receipt)

    assert (run.status, run.outcome) == ("pr_opened", f"Opened draft pull request {url('acme/api')}")
    assert len(world.claude.asked(EDITED)) == edited
    assert [each.repository for each in run.pull_requests] == ["acme/api"]
    for other in ("offline/demo", "acme/web"):
        assert url(other) in body_of(world, "acme/api")
    assert len(world.forge.proposals) == 3
    assert [each.name for each in (await world.conversation()).request.repositories] == [
        "offline/demo", "acme/api", "acme/web"
    ], "what one publishes is no choice for what comes next"  # fmt: skip


async def test_a_retry_after_a_partial_failure_publishes_and_asks_the_author_nothing(
    world: World, api: LockedGitHub
) -> None:
    world.options = PipelineOptions()
    api.locked = True
    world.claude.plays[EDITED] = dark_in(world, world.github, api)
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())
    api.locked = False
    again = await world.settled(await world.runner.retry_run(run.id, by="Ben"))

    assert (again.mode, again.status, again.by) == ("publish", "pr_opened", "Ben")
    assert len(world.claude.prompts) == 1
    assert url("acme/api") in body_of(world, "offline/demo")
    assert url("offline/demo") in body_of(world, "acme/api")


async def test_when_all_fail_the_run_says_each_reason(world: World, api: LockedGitHub, web: LockedGitHub) -> None:
    api.locked = web.locked = True
    world.claude.plays[EDITED] = dark_in(world, api, web)
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert (run.status, stages_of(run)["publish"]) == ("failed", "failed")
    assert run.error == f"acme/api: {REFUSED} acme/web: {REFUSED}"
    assert world.forge.proposals == []


async def test_pull_requests_that_cannot_be_linked_are_open_all_the_same(world: World, api: LockedGitHub) -> None:
    api.without_links = True
    world.claude.plays[EDITED] = dark_in(world, world.github, api)
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert run.status == "pr_opened"
    (notice,) = await world.events(run.id, EventKind.NOTICE)
    assert notice.payload["text"] == (
        "The pull request of acme/api does not name the others: The pull request is locked."
    )
    assert url("acme/api") in body_of(world, "offline/demo")


async def test_a_repository_without_the_chosen_base_fails_the_run_and_closes_the_session(
    world: World, api: MockGitHub
) -> None:
    choices = (world.choices()[0], RepositoryChoice(name="acme/api", base="none"))
    run = await world.turn("Add dark.", repositories=choices)

    assert run.status == "failed"
    assert "acme/api has no branch none" in (run.error or "")
    assert stages_of(run) == {"workspace": "failed"}
    assert world.claude.open_sessions == set()


async def test_a_repository_that_cannot_be_reached_for_a_moment_is_tried_again(world: World) -> None:
    class Flaky(MockGitHub):
        calls = 0

        async def prepare(self, branch: str, **asked: object) -> Workspace:
            self.calls += 1
            if self.calls == 1:
                raise TemporarilyFailed("The network is away.")
            return await super().prepare(branch, **asked)  # type: ignore[arg-type]

    flaky = world.add_repository("acme/flaky", kind=Flaky)
    run = await world.turn("Where?", mode=RunMode.ASK, repositories=world.choices())

    assert (run.status, run.outcome) == ("idle", "Answered.")
    assert isinstance(flaky, Flaky)
    assert flaky.calls == 2


# How many


async def test_six_repositories_are_worked_on_together(world: World) -> None:
    others = [world.add_repository(f"acme/{name}") for name in ("api", "web", "docs", "ios", "infra")]
    world.claude.plays[EDITED] = dark_in(world, world.github, *others)
    run = await world.turn("Add dark.", auto_pr=True, repositories=world.choices())

    assert (run.status, len(run.pull_requests)) == ("pr_opened", 6)
    assert all(body_of(world, each.name).count("/pull/1") == 5 for each in others)


async def test_a_seventh_repository_is_refused(world: World) -> None:
    for name in ("api", "web", "docs", "ios", "infra", "seventh"):
        world.add_repository(f"acme/{name}")
    with pytest.raises(InvalidInput, match=r"^repo: must be at most 6 repositories$"):
        await world.say("Add dark.", repositories=world.choices())


async def test_pull_requests_are_opened_in_repositories_of_the_conversation_only(world: World, api: MockGitHub) -> None:
    world.claude.plays[EDITED] = dark_in(world, world.github)
    await world.turn("Add dark.", repositories=world.choices()[:1])
    with pytest.raises(InvalidInput, match=r"^repo: acme/api is no repository of this conversation$"):
        await world.runner.open_pull_requests("PROJ-1", by="Ada", repositories=[api.name])
