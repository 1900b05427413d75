"""At night goes what nobody needs any more: not a day too early, not from under a run, and nothing that is unsaved."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.errors import WorkFailed
from app.models import PipelineOptions, Request, Run, RunMode, RunStatus, Trigger
from app.results import Workspace
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from app.services.runner.housekeeping import Ages, Housekeeping
from app.services.store import Claim
from tests.services.pipeline.scripted_claude import EDITED
from tests.services.pipeline.world import BRANCH, TICKET, World
from tests.services.runner.estates import estate_of

AGES = Ages(worktrees=timedelta(days=14), events=timedelta(days=180), transcripts=timedelta(days=30))


def in_days(days: float) -> datetime:
    """The time then."""
    return datetime.now(UTC) + timedelta(days=days)


async def clean(world: World, *, days: float) -> None:
    """The night of that day."""
    await Housekeeping(estate_of(world), ages=AGES, pause_s=0).clean(in_days(days))


async def session_of(world: World, run: Run) -> str:
    session_id = (await world.store.job(run.id)).session_id
    assert session_id is not None
    return session_id


async def edited(world: World) -> Run:
    """A turn whose work stays in its worktree."""
    world.claude.plays[EDITED] = Answer(files={"theme.txt": "dark\n"})
    return await world.turn("Make it dark.")


async def test_a_worktree_goes_days_after_its_conversations_last_run_and_not_before(world: World) -> None:
    await world.work()
    directory = (await world.github.prepare(BRANCH)).directory
    await clean(world, days=13.9)
    assert directory.is_dir()
    await clean(world, days=14.1)
    assert not directory.exists()
    assert await world.github.saved() == ()  # all of it is at the forge


async def test_what_is_not_at_the_forge_is_saved_first(world: World) -> None:
    await edited(world)
    await clean(world, days=15)
    assert not world.worktree.exists()
    assert [each.branch for each in await world.github.saved()] == [BRANCH]


async def test_what_an_active_run_has_stays_however_long_it_waits(world: World) -> None:
    session_id = await session_of(world, await edited(world))
    await world.stop()
    request = Request(mode=RunMode.EDITS, text="Once more", by="Ada")
    claim = Claim(ticket=TICKET, request=request, trigger=Trigger.MESSAGE, options=PipelineOptions())
    await world.store.send(claim, lambda _transaction, _work: None, message_id="again")
    await clean(world, days=400)
    assert world.worktree.is_dir()
    assert session_id in await world.claude.sessions()
    assert (await world.store.conversation(TICKET.key)).run.status is RunStatus.QUEUED


async def test_a_session_goes_with_its_transcript_and_the_conversation_goes_on_without(world: World) -> None:
    session_id = await session_of(world, await world.work())
    await world.stop()
    await clean(world, days=29)
    assert session_id in await world.claude.sessions()
    await clean(world, days=31)
    assert session_id not in await world.claude.sessions()
    assert (await world.turn("Go on.")).status is not RunStatus.FAILED


async def test_events_go_later_and_the_run_stays(world: World) -> None:
    run = await world.work()
    await clean(world, days=179)
    assert await world.store.events(run.id)
    await clean(world, days=181)
    assert not await world.store.events(run.id)
    assert (await world.store.run(run.id)).pull_requests


async def test_a_worktree_that_does_not_go_keeps_nothing_else_from_going(world: World) -> None:
    stubborn = world.add_repository("acme/stubborn", Stubborn)
    session_id = await session_of(world, await world.work())
    await stubborn.prepare(BRANCH)
    await world.stop()
    await clean(world, days=31)
    assert not world.worktree.exists()
    assert session_id not in await world.claude.sessions()
    assert (world.root / ".housekeeping").is_file()


async def test_the_reviewers_session_goes_when_its_run_has_ended(world: World) -> None:
    run = await world.work()
    author = await session_of(world, run)
    await world.stop()
    await clean(world, days=0)
    assert await world.claude.sessions() == (author,)


async def test_it_ends_with_the_process_that_it_is_in(world: World) -> None:
    (world.root / ".housekeeping").parent.mkdir(parents=True, exist_ok=True)
    (world.root / ".housekeeping").write_text("no time at all")
    async with Housekeeping(estate_of(world), ages=AGES).at_work():
        pass


class Stubborn(MockGitHub):
    """Its worktrees cannot be removed."""

    async def remove(self, workspace: Workspace) -> Path | None:
        raise WorkFailed(f"{workspace.directory} stays: somebody holds it.")
