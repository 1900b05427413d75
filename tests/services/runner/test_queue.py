"""Messages while a run is active: in order, with a mode of their own; withdrawn, sent now, or held."""

import pytest

from app.errors import Conflict, NotFound, WorkFailed
from app.models import EventKind, Request, RunMode, RunStatus
from app.services.claude_code.base import Permission
from app.services.claude_code.mock_client import Answer
from tests.services.pipeline.scripted_claude import AGAIN, ASKED, EDITED, IMPLEMENT, REVIEW
from tests.services.pipeline.world import BRANCH, World, stages_of

DARK = Answer(text="I added dark.", files={"theme.txt": "light\ndark\n"})
MORE = Answer(text="I added more.", files={"more.txt": "more\n"})


async def busy(world: World) -> str:
    """A person's turn that goes on until `release`; its id."""
    world.claude.held = "Take your time."
    receipt = await world.say("Take your time.")
    await world.begun()
    assert receipt.run_id is not None
    return receipt.run_id


async def release(world: World) -> None:
    """Let what is held end: as another process, to which it was never asked."""
    await world.stop()
    world.claude.held = None
    await world.start()


async def queued(world: World) -> list[str]:
    return [message.request.text for message in (await world.conversation()).queue]


async def test_messages_wait_for_the_active_run_and_follow_in_order_each_in_its_own_mode(world: World) -> None:
    first = await busy(world)
    one = await world.say("Add dark.", by="Ben", auto_pr=True)
    two = await world.say("Where is it?", mode=RunMode.ASK, by="Eve")

    assert [(each.status, each.run_id) for each in (one, two)] == [("queued", first)] * 2
    assert await queued(world) == ["Add dark.", "Where is it?"]
    world.claude.plays[EDITED] = DARK
    await release(world)
    await world.quiet()
    runs = await world.runs()
    assert [(run.mode, run.text, run.by, run.status) for run in runs] == [
        ("edits", "Take your time.", "Ada", "idle"),
        ("edits", "Add dark.", "Ben", "pr_opened"),
        ("ask", "Where is it?", "Eve", "idle"),
    ]
    assert await queued(world) == []
    asked = [each for each in world.claude.permissions if each is not Permission.ALONE]
    assert asked[-3:] == [Permission.EDIT, Permission.EDIT, Permission.READ]
    assert len(set(world.claude.used)) == 1


async def test_a_message_that_is_withdrawn_is_never_asked(world: World) -> None:
    await busy(world)
    await world.say("Delete everything.")
    (message,) = (await world.conversation()).queue
    await world.runner.withdraw(message.id, by="Ben")

    with pytest.raises(Conflict):
        await world.runner.withdraw(message.id, by="Ben")
    with pytest.raises(Conflict):
        await world.runner.send_now(message.id, by="Ben")
    await release(world)
    await world.quiet()
    assert (len(await world.runs()), world.claude.asked("Delete everything.")) == (1, [])


async def test_a_message_that_is_sent_now_stops_the_run_keeps_its_work_and_goes_before_the_others(world: World) -> None:
    first = await busy(world)
    (world.worktree / "half.txt").write_text("half\n")
    await world.say("Later.")
    await world.say("Stop, add more instead.", by="Ben")
    world.claude.plays[EDITED] = MORE
    world.claude.held = None
    urgent = (await world.conversation()).queue[1]
    await world.runner.send_now(urgent.id, by="Ben")
    await world.quiet()

    runs = await world.runs()
    assert [run.text for run in runs] == ["Take your time.", "Stop, add more instead.", "Later."]
    assert (runs[0].id, runs[0].status) == (first, "idle")
    assert runs[0].outcome == "Interrupted by Ben, who had something to say first. The work so far is kept."
    assert runs[1].outcome == "Changed 2 files; no pull request yet."
    assert (world.worktree / "half.txt").exists()
    with pytest.raises(NotFound):
        await world.runner.send_now("none", by="Ben")


async def test_a_message_that_is_sent_now_needs_no_slot_but_the_one_it_frees(world: World) -> None:
    await world.start(concurrency=1)
    await busy(world)
    await world.say("Now.", mode=RunMode.ASK)
    world.claude.held = None
    await world.runner.send_now((await world.conversation()).queue[0].id, by="Ben")

    assert (await world.newest()).outcome == "Answered."


@pytest.mark.parametrize("end", ["failed", "stopped"])
async def test_the_queue_is_held_when_a_run_did_not_come_to_its_end(world: World, end: str) -> None:
    first = await busy(world)
    await world.say("And then?", mode=RunMode.ASK)
    if end == "failed":
        world.claude.plays["Take your time."] = WorkFailed("Claude's API refused.")
        await release(world)
        await world.ended(first)
    else:
        await world.runner.stop_run(first, by="Ada")
    world.claude.held = None
    await world.quiet()

    assert await queued(world) == ["And then?"], "it counted on what did not come about"
    world.claude.plays.pop("Take your time.", None)
    again = await world.runner.retry_run(first, by="Ben")
    assert (await world.settled(again)).status == "idle"
    await world.quiet()
    assert [run.text for run in await world.runs()] == ["Take your time.", "Take your time.", "And then?"]


async def test_the_next_message_lets_a_held_queue_go_on_in_its_order(world: World) -> None:
    first = await busy(world)
    await world.say("One.", mode=RunMode.ASK)
    await world.runner.stop_run(first, by="Ada")
    world.claude.held = None
    assert (await world.say("Two.", mode=RunMode.ASK)).status == "queued"
    await world.quiet()

    assert [run.text for run in await world.runs()] == ["Take your time.", "One.", "Two."]


async def test_the_same_message_is_taken_once(world: World) -> None:
    await world.turn("Where?", mode=RunMode.ASK)
    (run,) = await world.runs()
    again = await world.runner.send("PROJ-1", Request(mode=RunMode.ASK, text="Where?"), message_id="message-1")

    assert (again.status, again.run_id) == ("duplicate", run.id)
    assert len(await world.runs()) == 1


# Runs of the webhook


async def test_a_webhooks_run_is_taken_over_by_a_message_while_it_runs(world: World) -> None:
    world.claude.held = IMPLEMENT
    await world.start()
    webhook = await world.submit()
    await world.begun()
    world.claude.plays[EDITED] = MORE
    await world.say("Let me say how.", by="Ben", auto_pr=True)
    await world.runner.send_now((await world.conversation()).queue[0].id, by="Ben")
    run = await world.newest()

    assert (await world.store.run(str(webhook.run_id))).status == "idle"
    assert (run.status, run.mode, run.trigger) == ("pr_opened", "edits", "message")
    assert len({world.claude.used[0], world.claude.used[1]}) == 1
    assert world.github.files(BRANCH)["more.txt"] == "more\n"


async def test_a_person_goes_on_after_a_webhooks_run_on_its_branch_and_pull_request(world: World) -> None:
    webhook = await world.work()
    world.github.push_as_human(BRANCH, {"notes.txt": "by hand\n"}, subject="Say why")
    world.claude.plays[EDITED] = MORE
    run = await world.turn("And more.", by="Ben")

    assert (webhook.status, run.status) == ("pr_opened", "pr_opened")
    assert run.outcome == "Updated pull request https://offline.invalid/offline/demo/pull/1"
    files = world.github.files(BRANCH)
    assert (files["theme.txt"], files["more.txt"], files["notes.txt"]) == ("light\ndark\n", "more\n", "by hand\n")
    (prompt,) = world.claude.asked("And more.")
    assert "Ada Human: Say why" in prompt
    assert "On every page." not in prompt, "the session knows the ticket"
    assert world.claude.used[0] == world.claude.used[-2]


async def test_a_message_during_a_webhooks_run_becomes_the_next_turn(world: World) -> None:
    world.claude.held = IMPLEMENT
    await world.start()
    await world.submit()
    await world.begun()
    await world.say("Why so?", mode=RunMode.ASK, by="Ben")
    await release(world)
    await world.quiet()

    assert [(run.mode, run.status) for run in await world.runs()] == [("implement", "pr_opened"), ("ask", "idle")]


async def test_a_webhook_during_a_persons_run_is_a_duplicate(world: World) -> None:
    first = await busy(world)
    assert ((await world.submit()).status, (await world.submit()).run_id) == ("duplicate", first)


# Retry of a person's run


async def test_a_retry_of_edits_that_were_made_publishes_them_and_asks_the_author_nothing(world: World) -> None:
    world.claude.plays |= {EDITED: DARK, REVIEW: WorkFailed("Claude's API refused.")}
    failed = await world.turn("Add dark.", auto_pr=True, by="Ada")
    assert (failed.status, stages_of(failed)["review"]) == ("failed", "failed")
    world.claude.plays[REVIEW] = Answer(text="HAS_ISSUES: false\nFINDINGS:\n")
    run = await world.settled(await world.runner.retry_run(failed.id, by="Ben"))

    assert (run.mode, run.status, run.by) == ("publish", "pr_opened", "Ben")
    assert len(world.claude.asked(EDITED)) == 1
    assert world.github.files(BRANCH)["theme.txt"] == "light\ndark\n"


async def test_a_retry_of_edits_that_failed_before_they_were_made_asks_the_same_again(world: World) -> None:
    world.claude.plays[EDITED] = WorkFailed("Claude's API refused.")
    failed = await world.turn("Add dark.", auto_pr=True, by="Ada")
    world.claude.plays[EDITED] = DARK
    run = await world.settled(await world.runner.retry_run(failed.id, by="Ben"))

    assert (run.mode, run.text, run.auto_pr, run.by, run.status) == ("edits", "Add dark.", True, "Ben", "pr_opened")
    assert len(set(world.claude.used)) == 1
    # The words are Ada's, and were said before.
    assert await world.events(run.id, EventKind.MESSAGE_SENT) == []
    began = (await world.events(run.id, EventKind.RUN_STATUS))[0]
    assert (began.payload["by"], began.payload["retry"]) == ("Ben", True)
    assert "Ada writes" in world.claude.asked(EDITED)[-1]


async def test_a_retry_of_a_webhooks_run_goes_its_way_by_itself_again(world: World) -> None:
    world.claude.plays[IMPLEMENT] = WorkFailed("Claude's API refused.")
    failed = await world.work()
    world.claude.plays[AGAIN] = DARK
    run = await world.settled(await world.runner.retry_run(failed.id, by="Ben"))

    assert (run.mode, run.status, run.by) == ("implement", RunStatus.PR_OPENED, "Ben")
    assert set(world.claude.permissions) == {Permission.ALONE}


async def test_a_question_that_failed_is_asked_again(world: World) -> None:
    world.claude.plays[ASKED] = WorkFailed("Claude's API refused.")
    failed = await world.turn("Where?", mode=RunMode.ASK)
    del world.claude.plays[ASKED]
    run = await world.settled(await world.runner.retry_run(failed.id, by="Ben"))

    assert (run.mode, run.text, run.outcome) == ("ask", "Where?", "Answered.")
