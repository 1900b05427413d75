"""One of several repositories fails: the others are published, and the one is said, kept and tried again by itself."""

import asyncio
from typing import Any

from app.errors import TemporarilyFailed
from app.models import EventKind, PipelineOptions, RepositoryChoice, RunMode
from app.results import Workspace
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.scripted_claude import EDITED
from tests.services.pipeline.several import REFUSED, LockedGitHub, body_of, dark_in, url
from tests.services.pipeline.world import LIMIT_S, World, stages_of


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

    flaky = world.add_repository("acme/flaky", Flaky)
    run = await world.turn("Where?", mode=RunMode.ASK, repositories=world.choices())

    assert (run.status, run.outcome) == ("idle", "Answered.")
    assert flaky.calls == 2


class SlowGitHub(MockGitHub):
    """Takes its time to make a worktree, until it `may_end`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def prepare(self, branch: str, **asked: Any) -> Workspace:
        self.begun.set()
        await self.may_end.wait()
        return await super().prepare(branch, **asked)


async def test_a_run_ends_with_no_repository_still_at_work(world: World, api: MockGitHub) -> None:
    slow = world.add_repository("acme/slow", SlowGitHub)
    choices = (RepositoryChoice(name="acme/api", base="none"), RepositoryChoice(name="acme/slow", base="main"))
    receipt = await world.say("Add dark.", repositories=choices)
    async with asyncio.timeout(LIMIT_S):
        await slow.begun.wait()
    for _ in range(50):
        await asyncio.sleep(0)

    assert (await world.store.run(str(receipt.run_id))).status == "running", "the other one would be worked on twice"
    slow.may_end.set()
    assert (await world.settled(receipt)).status == "failed"
