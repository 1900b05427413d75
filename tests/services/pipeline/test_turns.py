"""A person's turn: what each mode may do, what it leaves, and what the session is told."""

import pytest

from app.errors import InvalidInput
from app.models import Answer as Said
from app.models import EventKind, RepositoryChoice, RunMode
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.claude_code.base import Permission
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.deciding import COLOUR, asks
from tests.services.pipeline.scripted_claude import ASKED, EDITED, FIX_LINT, PLANNED
from tests.services.pipeline.world import BRANCH, FILES, World, stages_of

DARK = Answer(text="I added dark.", files={"theme.txt": "light\ndark\n"})
MORE = Answer(text="I added more.", files={"more.txt": "more\n"})


# Ask and plan


async def test_a_question_about_the_code_is_answered_and_leaves_nothing_behind(world: World) -> None:
    world.claude.plays[ASKED] = Answer(text="In theme.txt.")
    run = await world.turn("Where are themes?", mode=RunMode.ASK)

    assert (run.status, run.error, run.outcome) == ("idle", None, "Answered.")
    assert stages_of(run) == {"workspace": "passed", "answer": "passed"}
    assert world.claude.permissions == [Permission.READ]
    assert [event.payload["text"] for event in await world.events(run.id, EventKind.TEXT)] == ["In theme.txt."]
    assert (world.forge.proposals, BRANCH in world.github.heads, world.worktree.exists()) == ([], False, False)
    assert world.claude.open_sessions == set()


@pytest.mark.parametrize(("mode", "prompt"), [(RunMode.ASK, ASKED), (RunMode.PLAN, PLANNED)])
async def test_a_turn_that_may_change_nothing_changes_nothing_whatever_the_model_tries(
    world: World, mode: RunMode, prompt: str
) -> None:
    world.claude.plays[prompt] = Answer(text="Done it.", files={"theme.txt": "black\n", "README.md": None})
    run = await world.turn("Change everything.", mode=mode, auto_pr=True)

    refused = await world.events(run.id, EventKind.TOOL_RETURNED)
    assert [event.payload["failed"] for event in refused] == [True, True]
    assert (run.status, await world.store.changes("PROJ-1")) == ("idle", ())
    assert (world.forge.proposals, world.worktree.exists()) == ([], False)


async def test_a_question_keeps_the_edits_of_the_turn_before(world: World) -> None:
    world.claude.plays[EDITED] = DARK
    await world.turn("Add dark.")
    await world.turn("Is that all?", mode=RunMode.ASK)

    assert (world.worktree / "theme.txt").read_text() == "light\ndark\n"


async def test_a_turn_without_a_word_does_for_the_ticket_what_its_mode_is_for(world: World) -> None:
    run = await world.turn(mode=RunMode.PLAN)

    assert run.outcome == "Ended without a plan to review."
    assert "Do for the ticket what this mode is for." in world.claude.prompts[0]


# Edits


async def test_edits_stay_in_the_worktree_until_somebody_wants_a_pull_request(world: World) -> None:
    world.claude.plays[EDITED] = Answer(text="Added.", files={"theme.txt": "light\ndark\n", "more.txt": "more\n"})
    run = await world.turn("Add dark.")

    assert (run.status, run.outcome) == ("idle", "Changed 2 files; no pull request yet.")
    assert set(stages_of(run)) == {"workspace", "implement"}, "nobody gates what nobody publishes"
    assert (world.worktree / "theme.txt").read_text() == "light\ndark\n"
    assert (world.forge.proposals, BRANCH in world.github.heads) == ([], False)
    (changes,) = await world.store.changes("PROJ-1")
    assert ([file.path for file in changes.files], changes.unpublished) == (["more.txt", "theme.txt"], True)


async def test_edits_that_changed_nothing_say_so_and_leave_no_worktree(world: World) -> None:
    run = await world.turn("Add dark.", auto_pr=True)

    assert (run.status, run.outcome) == ("idle", "Nothing changed.")
    assert (world.forge.proposals, world.worktree.exists()) == ([], False)


async def test_edits_with_a_pull_request_wanted_pass_the_gates_and_open_a_draft(world: World) -> None:
    world.claude.plays |= {EDITED: DARK}
    world.checks = MockChecks(lint=[failed("a"), passed()])
    run = await world.turn("Add dark.", auto_pr=True)

    assert (run.status, run.outcome) == (
        "pr_opened", "Opened draft pull request https://offline.invalid/offline/demo/pull/1"
    )  # fmt: skip
    assert set(stages_of(run).values()) == {"passed"}
    (proposal,) = world.forge.proposals
    assert proposal.draft
    assert "I added dark." in proposal.body
    assert "| implement | ✅ passed | 2 turns, $0.01 |" in proposal.body
    assert len(world.claude.asked(FIX_LINT)) == 1
    assert len(set(world.claude.used)) == 1
    assert not world.worktree.exists()
    assert [each.unpublished for each in await world.store.changes("PROJ-1")] == [False]


async def test_a_later_turn_of_edits_pushes_to_the_same_branch_and_updates_the_pull_request(world: World) -> None:
    world.claude.plays |= {"Add dark.": DARK, "And more.": MORE}
    await world.turn("Add dark.", auto_pr=True)
    run = await world.turn("And more.", by="Ben")

    assert run.outcome == "Updated draft pull request https://offline.invalid/offline/demo/pull/1"
    files = world.github.files(BRANCH)
    assert (files["theme.txt"], files["more.txt"]) == ("light\ndark\n", "more\n")
    (proposal,) = world.forge.proposals
    assert "I added more." in proposal.body
    assert len((await world.conversation()).pull_requests) == 1


async def test_a_later_turn_that_changes_nothing_leaves_the_pull_request_alone(world: World) -> None:
    world.claude.plays |= {"Add dark.": DARK, "Better?": Answer(text="It is good as it is.")}
    await world.turn("Add dark.", auto_pr=True)
    run = await world.turn("Better?", auto_pr=True)

    assert (run.status, run.outcome) == ("idle", "Nothing changed.")
    assert "I added dark." in world.forge.proposals[0].body


async def test_a_turn_that_is_cut_at_its_limit_says_how_it_goes_on(world: World) -> None:
    world.claude.plays[EDITED] = DARK.model_copy(update={"finished": False})
    run = await world.turn("Add dark.")

    assert run.outcome == "The turn was cut at its limit. Send a message to go on."
    assert stages_of(run)["implement"] == "warned"


async def test_a_dry_run_gates_the_edits_publishes_nothing_and_says_how_to_clean_up(world: World) -> None:
    world.options = world.options.model_copy(update={"dry_run": True})
    world.claude.plays[EDITED] = DARK
    run = await world.turn("Add dark.", auto_pr=True)

    assert (run.status, stages_of(run)["tests"]) == ("idle", "passed")
    assert (run.outcome or "").endswith(f"remove it with: rm -r {world.worktree}")
    assert (world.forge.proposals, BRANCH in world.github.heads) == ([], False)
    assert (world.worktree / "theme.txt").read_text() == "light\ndark\n"


async def test_the_model_of_a_turn_is_the_one_chosen_or_the_persons_own_or_the_services(world: World) -> None:
    await world.turn("One.", mode=RunMode.ASK)
    await world.runner.prefer_model("Ada", "claude-opus-4-8")
    await world.turn("Two.", mode=RunMode.ASK)
    await world.turn("Three.", mode=RunMode.ASK, model="claude-sonnet-4-6")
    await world.turn("Four.", mode=RunMode.ASK, by="Ben")

    assert world.claude.models == [None, "claude-opus-4-8", "claude-sonnet-4-6", None]


# Publishing what is there


async def test_what_is_there_is_published_with_the_last_words_as_its_summary(world: World) -> None:
    world.claude.plays[EDITED] = DARK
    await world.turn("Add dark.")
    prompts = len(world.claude.prompts)
    receipt = await world.runner.open_pull_requests("PROJ-1", by="Ben")
    run = await world.settled(receipt)

    assert (run.mode, run.status, run.by) == ("publish", "pr_opened", "Ben")
    assert world.github.files(BRANCH)["theme.txt"] == "light\ndark\n"
    (proposal,) = world.forge.proposals
    assert proposal.draft
    assert "I added dark." in proposal.body
    assert len(world.claude.prompts) == prompts + 1, "only the review asks the model"
    assert not world.worktree.exists()


async def test_nothing_is_published_where_nothing_changed(world: World) -> None:
    await world.turn("Where?", mode=RunMode.ASK)
    run = await world.settled(await world.runner.open_pull_requests("PROJ-1", by="Ada"))

    assert (run.status, run.outcome) == ("idle", "There are no changes to open a pull request for.")
    assert (world.forge.proposals, world.worktree.exists()) == ([], False)


async def test_what_conflicts_with_a_push_is_resolved_before_it_is_published(world: World) -> None:
    world.claude.plays |= {
        "conflict markers": Answer(text="Both.", files={"theme.txt": "light\nblue\ndark\n"}),
        EDITED: DARK,
    }
    await world.turn("Add dark.")
    world.github.push_as_human(BRANCH, {"theme.txt": "light\nblue\n"}, subject="Add blue")
    run = await world.settled(await world.runner.open_pull_requests("PROJ-1", by="Ada"))

    assert (run.status, run.error) == ("pr_opened", None)
    assert world.github.files(BRANCH)["theme.txt"] == "light\nblue\ndark\n"
    turns = [event.payload["turn"] for event in await world.events(run.id, EventKind.TURN_STARTED)]
    assert turns == ["resolve", "review"]


# What the session is told


async def test_the_first_message_comes_with_ticket_and_guides_and_later_ones_by_themselves(world: World) -> None:
    await world.turn("Where are themes?", mode=RunMode.ASK)
    await world.turn("Add dark.", by="Ben")

    first, second = world.claude.prompts
    for known in ("On every page.", FILES["CLAUDE.md"].strip(), FILES["AGENTS.md"].strip()):
        assert known in first
        assert known not in second
    assert "Ada writes:" in first
    assert "Ben writes:" in second
    assert len(set(world.claude.used)) == 1


async def test_what_people_pushed_in_between_is_told_once(world: World) -> None:
    world.claude.plays[EDITED] = DARK
    await world.turn("Add dark.", auto_pr=True)
    world.github.push_as_human(BRANCH, {"notes.txt": "by hand\n"}, subject="Say why")
    await world.turn("What is new?", mode=RunMode.ASK)
    await world.turn("And now?", mode=RunMode.ASK)

    told = [prompt for prompt in world.claude.prompts if "Ada Human: Say why" in prompt]
    assert ["What is new?" in prompt for prompt in told] == [True]
    assert "People pushed to this branch" in told[0]


async def test_what_people_pushed_while_a_question_waited_is_told_with_its_answer(world: World) -> None:
    world.claude.plays[EDITED] = DARK
    await world.turn("Add dark.", auto_pr=True)
    world.claude.plays.clear()
    asks(world)
    await world.turn("Add a colour.")
    world.github.push_as_human(BRANCH, {"half.txt": "by hand\n"}, subject="Say why")
    await world.settled(await world.runner.answer("PROJ-1", COLOUR.id, Said(by="Ben", text="Blue.")))

    (reply,) = world.claude.replies
    assert "Ada Human: Say why" in reply.news
    assert "these files have conflict markers" in reply.news


async def test_a_conflict_with_a_push_is_told_to_the_next_turn_which_resolves_it(world: World) -> None:
    world.claude.plays |= {"Go on.": Answer(text="Both.", files={"theme.txt": "light\nblue\ndark\n"}), EDITED: DARK}
    await world.turn("Add dark.")
    world.github.push_as_human(BRANCH, {"theme.txt": "light\nblue\n"})
    run = await world.turn("Go on.", auto_pr=True)

    assert "conflict markers" in world.claude.asked("Go on.")[0]
    assert run.status == "pr_opened"
    assert world.github.files(BRANCH)["theme.txt"] == "light\nblue\ndark\n"


async def test_another_base_is_where_the_pull_request_goes(world: World) -> None:
    world.github.push_as_human("release", {"theme.txt": "old\n"})
    world.claude.plays[EDITED] = Answer(files={"more.txt": "more\n"})
    await world.turn("Add.", auto_pr=True, repositories=(RepositoryChoice(name="offline/demo", base="release"),))

    assert world.forge.proposals[0].base == "release"
    assert world.github.files(BRANCH)["theme.txt"] == "old\n"


# What cannot be asked


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"mode": RunMode.IMPLEMENT}, "mode"),
        ({"text": "x" * 8_001}, "text"),
        ({"model": "gpt"}, "model"),
        ({"repositories": (RepositoryChoice(name="acme/none", base="main"),)}, "repo"),
        ({"repositories": (RepositoryChoice(name="offline/demo", base="main"),) * 2}, "repo"),
    ],
)
async def test_what_nobody_may_ask_is_refused_by_the_name_of_its_field(
    world: World, asked: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.say(**{"text": "Add.", **asked})  # type: ignore[arg-type]
    assert refused.value.field == field
    assert world.journal.steps == {}, "nothing was queued"


async def test_a_repository_that_is_gone_from_the_settings_fails_the_run_with_its_name(world: World) -> None:
    await world.turn("Where?", mode=RunMode.ASK, repositories=world.choices())
    await world.stop()
    world.github = MockGitHub(world.root, FILES, name="offline/other", forge=world.forge)
    run = await world.turn("And now?", mode=RunMode.ASK)

    assert run.status == "failed"
    assert "There is no repository offline/demo here" in (run.error or "")
