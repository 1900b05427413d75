"""Who may start, stop and retry, and what becomes of a ticket that comes again."""

import asyncio

import pytest

from app.errors import ConfigurationError, Conflict, StoreUnavailable, WorkFailed
from app.models import EventKind, PipelineOptions, Receipt, RunFilter, RunStatus, Ticket, Trigger
from app.services.claude_code.mock_client import Answer
from app.services.engine.mock_client import MockEngine
from app.services.runner import Delivery
from app.services.store import Claim
from tests.services.pipeline.scripted_claude import AGAIN, IMPLEMENT
from tests.services.pipeline.world import BRANCH, LIMIT_S, TICKET, World, stages_of

OTHER = Ticket(key="PROJ-2", summary="Something else")


async def held(world: World, *, concurrency: int = 4) -> str:
    """A run in the middle of its first turn."""
    world.claude.held = IMPLEMENT
    await world.start(concurrency=concurrency)
    receipt = await world.submit()
    async with asyncio.timeout(LIMIT_S):
        await world.claude.begun.wait()
    assert receipt.run_id is not None
    return receipt.run_id


# The same ticket again


async def test_200_equal_tickets_at_once_are_one_run(world: World) -> None:
    await world.start()
    receipts = await asyncio.gather(*(world.submit() for _ in range(200)))

    statuses = [receipt.status for receipt in receipts]
    assert (statuses.count("accepted"), statuses.count("duplicate")) == (1, 199)
    (run_id,) = {receipt.run_id for receipt in receipts}
    assert (await world.ended(str(run_id))).status == "pr_opened"
    assert len((await world.runner.runs(RunFilter())).runs) == 1


async def test_the_new_text_of_a_ticket_that_is_worked_on_is_kept_and_told(world: World) -> None:
    run_id = await held(world)
    changed = TICKET.model_copy(update={"summary": "Add dark mode everywhere"})
    receipt = await world.submit(changed)

    assert (receipt.status, receipt.run_id) == ("duplicate", run_id)
    (told,) = await world.events(run_id, EventKind.TICKET_UPDATED)
    assert told.payload == {"summary": "Add dark mode everywhere"}
    assert (await world.store.job(run_id)).ticket == changed


async def test_a_ticket_that_is_sent_again_after_its_end_goes_on_with_session_branch_and_pull_request(
    world: World,
) -> None:
    first = await world.work()
    world.claude.plays[AGAIN] = Answer(text="Added more.", files={"more.txt": "more\n"})
    second = await world.work(TICKET.model_copy(update={"summary": "Add dark mode everywhere"}))

    assert second.id != first.id
    assert second.outcome == "Updated pull request https://offline.invalid/offline/demo/pull/1"
    (proposal,) = world.forge.proposals
    assert (proposal.title, proposal.branch) == ("PROJ-1: Add dark mode everywhere", BRANCH)
    assert [each.created for each in second.pull_requests] == [False]
    files = world.github.files(BRANCH)
    assert (files["theme.txt"], files["more.txt"]) == ("light\ndark\n", "more\n")
    assert len(set(world.claude.used)) == 1
    assert len(world.claude.asked(AGAIN)) == 1


@pytest.mark.parametrize("delivery", [Delivery(id="42"), Delivery(digest="abc"), Delivery(id="42", digest="abc")])
async def test_a_delivery_that_comes_again_is_a_duplicate_even_after_the_runs_end(
    world: World, delivery: Delivery
) -> None:
    await world.start()
    first = await world.submit(delivery=delivery)
    await world.ended(str(first.run_id))
    again = await world.submit(delivery=delivery)

    assert (again.status, again.run_id) == ("duplicate", first.run_id)
    assert (await world.submit(delivery=Delivery(id="43", digest="def"))).status == "accepted"


async def test_an_equal_body_after_a_failure_is_somebody_who_tries_again(world: World) -> None:
    world.claude.plays[IMPLEMENT] = WorkFailed("Claude's API refused.")
    await world.start()
    first = await world.submit(delivery=Delivery(digest="abc"))
    assert (await world.ended(str(first.run_id))).status == "failed"

    assert (await world.submit(delivery=Delivery(digest="abc"))).status == "accepted"


async def test_options_are_the_settings_unless_given(world: World) -> None:
    by_settings, given = await world.work(), await world.work(OTHER, options=PipelineOptions())
    assert "tests" in stages_of(by_settings)
    assert "tests" not in stages_of(given)


async def test_nothing_is_taken_while_the_database_is_away(world: World) -> None:
    await world.start()
    world.store.away = True
    with pytest.raises(StoreUnavailable):
        await world.submit()
    with pytest.raises(StoreUnavailable):
        await world.runner.check()

    world.store.away = False
    assert (await world.runner.runs(RunFilter())).runs == ()
    assert (await world.submit()).status == "accepted"


# Stop and retry


async def test_a_stopped_run_is_idle_its_session_closed_and_its_slot_free(world: World) -> None:
    run_id = await held(world, concurrency=1)
    assert world.claude.open_sessions
    run = await world.runner.stop_run(run_id, by="Ada")

    assert (run.status, run.error) == ("idle", None)
    assert run.outcome == "Stopped by Ada. The work so far is kept."
    assert world.worktree.is_dir()
    world.claude.held = None
    assert (await world.work(OTHER)).status == "pr_opened", "the only slot is free again"
    assert world.claude.open_sessions == set()
    assert (await world.runner.run(run_id)).status == "idle"
    assert [proposal.branch for proposal in world.forge.proposals] == ["ticket/proj-2"]


async def test_a_run_that_is_stopped_while_it_waits_never_begins(world: World) -> None:
    await held(world, concurrency=1)
    waiting = str((await world.submit(OTHER)).run_id)
    run = await world.runner.stop_run(waiting, by="Ada")

    assert (run.status, run.started_at, run.stages) == ("idle", None, ())


async def test_a_run_that_has_ended_cannot_be_stopped(world: World) -> None:
    run = await world.work()
    with pytest.raises(Conflict, match="has ended"):
        await world.runner.stop_run(run.id, by="Ada")


async def test_a_retry_after_a_failure_goes_on_in_the_same_session_and_worktree(world: World) -> None:
    written = world.claude.plays[IMPLEMENT]
    world.claude.plays[IMPLEMENT] = WorkFailed("Claude's API refused.")
    failed = await world.work(options=PipelineOptions(review=True))
    (world.worktree / "half.txt").write_text("half\n")
    world.claude.plays[AGAIN] = written
    receipt = await world.runner.retry_run(failed.id)
    run = await world.ended(str(receipt.run_id))

    assert (receipt.status, run.status, run.trigger) == ("accepted", "pr_opened", failed.trigger)
    assert len(set(world.claude.used)) == 1
    assert world.github.files(BRANCH)["half.txt"] == "half\n"
    assert set(stages_of(run)) == {"workspace", "implement", "review", "publish"}, "with the options of the run before"


async def test_a_stopped_run_can_be_retried_at_once(world: World) -> None:
    run_id = await held(world)
    await world.runner.stop_run(run_id, by="Ada")
    world.claude.held = None
    receipt = await world.runner.retry_run(run_id)

    assert receipt.status == "accepted"
    assert (await world.ended(str(receipt.run_id))).status == "pr_opened"


async def test_a_run_that_opened_a_pull_request_cannot_be_retried(world: World) -> None:
    run = await world.work()
    with pytest.raises(Conflict, match="pr_opened"):
        await world.runner.retry_run(run.id)


async def test_a_run_that_goes_on_cannot_be_retried(world: World) -> None:
    run_id = await held(world)
    with pytest.raises(Conflict, match="running"):
        await world.runner.retry_run(run_id)


# Another process


async def test_a_run_that_a_process_left_goes_on_in_the_next_one(world: World) -> None:
    run_id = await held(world)
    await world.stop()
    assert (await world.store.run(run_id)).status == "running", "the end of a process is no end of a run"

    world.claude.held = None
    await world.start()
    assert (await world.ended(run_id)).status == "pr_opened"
    assert len(set(world.claude.prompt_ids)) == 1, "the cut turn is asked as the same turn"
    started = [event.payload["turn"] for event in await world.events(run_id, EventKind.TURN_STARTED)]
    assert started == ["implement", "review"]


async def test_a_run_that_nobody_works_on_any_more_is_said_to_have_failed(world: World) -> None:
    lost = await _claimed_without_work(world)
    run_id = await held(world)

    run = await world.store.run(str(lost.run_id))
    assert (run.status, run.ended_at is not None) == ("failed", True)
    assert run.error == (
        "The service ended again and again while it worked on this run. Look at its log, then retry it."
    )
    assert (await world.store.run(run_id)).status == RunStatus.RUNNING


async def _claimed_without_work(world: World) -> Receipt:
    """A run of a journal that is gone."""
    gone = MockEngine()
    claim = Claim(ticket=OTHER, trigger=Trigger.WEBHOOK, options=PipelineOptions())
    return await world.store.claim(claim, gone.enqueue)


async def test_a_second_runner_on_the_same_database_does_not_start(world: World) -> None:
    await world.start()
    other = World(world.root)
    other.journal = world.journal
    with pytest.raises(ConfigurationError, match="Another engine works"):
        await other.start()
    await world.stop()
    await other.start()
    await other.stop()
