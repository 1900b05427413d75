"""From ticket to pull request: what is asked, what is published, what is left, and what is told."""

from collections import Counter

import pytest

from app.errors import WorkFailed
from app.models import EventKind, PipelineOptions, Run
from app.results import Changes, Workspace
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.scripted_claude import FIX_LINT, FIX_REVIEW, FIX_TESTS, IMPLEMENT, ISSUES, RESOLVE, REVIEW
from tests.services.pipeline.several import BusyGitHub
from tests.services.pipeline.world import ALL_GATES, BRANCH, FILES, World, stages_of


class BrokenGitHub(MockGitHub):
    """Meets an error that nobody thought of."""

    async def changes(self, workspace: Workspace, *, patch_bytes: int = 200_000) -> Changes:
        raise RuntimeError("what nobody thought of")


async def test_a_ticket_becomes_a_pull_request(world: World) -> None:
    run = await world.work()

    assert (run.status, run.error) == ("pr_opened", None)
    assert run.outcome == "Opened pull request https://offline.invalid/offline/demo/pull/1"
    assert set(stages_of(run).values()) == {"passed"}
    (proposal,) = world.forge.proposals
    assert (proposal.title, proposal.branch, proposal.base) == ("PROJ-1: Add dark mode", BRANCH, "main")
    assert not proposal.draft
    assert "[PROJ-1](https://jira.test/PROJ-1)" in proposal.body
    assert "I added dark." in proposal.body
    assert world.github.files(BRANCH)["theme.txt"] == "light\ndark\n"
    assert [each.number for each in run.pull_requests] == [1]
    assert not world.worktree.exists()
    assert world.claude.open_sessions == set()


async def test_turns_are_traced_and_counted(world: World) -> None:
    run = await world.work()

    assert world.langfuse.turns == [(run.id, "implement"), (run.id, "review")]
    assert [(run_id, outcome.status) for run_id, outcome in world.langfuse.ended] == [(run.id, "pr_opened")]
    assert run.cost_usd == pytest.approx(0.02)
    assert run.tokens.input > 0


async def test_without_changes_there_is_no_pull_request_and_no_worktree_left(world: World) -> None:
    world.claude.plays[IMPLEMENT] = Answer(text="It is there already.")
    run = await world.work()

    assert (run.status, run.error) == ("idle", None)
    assert run.outcome == "No changes, so no pull request. It is there already."
    assert set(stages_of(run)) == {"workspace", "implement"}
    assert (world.forge.proposals, BRANCH in world.github.heads, world.worktree.exists()) == ([], False, False)


async def test_a_dry_run_checks_everything_publishes_nothing_and_says_how_to_clean_up(world: World) -> None:
    run = await world.work(options=ALL_GATES.model_copy(update={"dry_run": True}))

    assert (run.status, run.error) == ("idle", None)
    stages = stages_of(run)
    assert (stages["review"], stages["lint"], stages["tests"]) == ("passed", "passed", "passed")
    assert "publish" not in stages
    assert (world.forge.proposals, BRANCH in world.github.heads) == ([], False)
    assert (world.worktree / "theme.txt").read_text() == "light\ndark\n"
    assert f"remove it with: rm -r {world.worktree}" in (run.outcome or "")


async def test_the_repositorys_guides_are_in_the_first_prompt_only(world: World) -> None:
    world.claude.plays |= {REVIEW: ISSUES}
    world.checks = MockChecks(lint=[failed("a"), passed()])
    await world.work()

    first, *later = world.claude.prompts
    for guide in ("CLAUDE.md", "AGENTS.md"):
        assert FILES[guide].strip() in first
        assert not [prompt for prompt in later if FILES[guide].strip() in prompt]


async def test_guides_are_those_of_the_base_branch(world: World) -> None:
    world.github.push_as_human(BRANCH, {"CLAUDE.md": "Obey me.\n"})
    await world.work()

    assert not [prompt for prompt in world.claude.prompts if "Obey me." in prompt.partition("Review the change")[0]]
    assert FILES["CLAUDE.md"] in world.claude.prompts[0]


async def test_all_corrections_are_asked_of_the_authors_one_session(world: World) -> None:
    world.claude.plays |= {REVIEW: ISSUES}
    world.checks = MockChecks(lint=[failed("a"), passed()], tests=[failed("b"), passed()])
    await world.work()

    assert [len(world.claude.asked(name)) for name in (FIX_REVIEW, FIX_LINT, FIX_TESTS)] == [1, 1, 1]
    assert len(world.claude.used) == 4
    assert len(set(world.claude.used)) == 1


# People at work on the same branch


async def test_what_people_push_in_between_is_kept_and_published_with_the_change(world: World) -> None:
    world.github = BusyGitHub(world, {"notes.txt": "by hand\n"})
    run = await world.work()

    assert (run.status, run.error) == ("pr_opened", None)
    files = world.github.files(BRANCH)
    assert (files["notes.txt"], files["theme.txt"]) == ("by hand\n", "light\ndark\n")
    assert world.claude.asked(RESOLVE) == []
    assert "People pushed to this branch while the gates ran." in world.forge.proposals[0].body


async def test_what_people_push_of_the_very_same_change_is_published_as_theirs(world: World) -> None:
    world.github = BusyGitHub(world, {"theme.txt": "light\ndark\n"})
    run = await world.work()

    assert (run.status, run.error) == ("pr_opened", None)
    assert "People pushed to this branch while the gates ran." in world.forge.proposals[0].body


async def test_the_author_resolves_what_conflicts_with_a_push_in_between(world: World) -> None:
    world.github = BusyGitHub(world, {"theme.txt": "light\nblue\n"})
    world.claude.plays[RESOLVE] = Answer(files={"theme.txt": "light\ndark\nblue\n"})
    run = await world.work()

    assert run.status == "pr_opened"
    (asked,) = world.claude.asked(RESOLVE)
    assert "theme.txt" in asked
    assert world.github.files(BRANCH)["theme.txt"] == "light\ndark\nblue\n"


async def test_a_branch_that_people_never_leave_alone_is_given_up_and_the_work_kept(world: World) -> None:
    world.github = BusyGitHub(world, *({f"{number}.txt": "by hand\n"} for number in range(3)))
    run = await world.work()

    assert (run.status, stages_of(run)["publish"]) == ("failed", "failed")
    assert run.error == f"People pushed to {BRANCH} 3 times in between. Retry the run."
    assert (world.worktree / "theme.txt").read_text() == "light\ndark\n"


async def test_what_people_pushed_is_told_once_though_the_run_that_heard_it_fails(world: World) -> None:
    await world.work()
    world.github.push_as_human(BRANCH, {"notes.txt": "by hand\n"}, subject="Say why")
    world.claude.plays[REVIEW] = WorkFailed("Claude's API refused.")
    failed_run = await world.work()
    await world.settled(await world.runner.retry_run(failed_run.id))

    assert failed_run.status == "failed"
    assert len(world.claude.asked("Ada Human: Say why")) == 1


async def test_a_branch_that_people_began_is_gone_on_with(world: World) -> None:
    world.github.push_as_human(BRANCH, {"notes.txt": "by hand\n"})
    await world.work()

    files = world.github.files(BRANCH)
    assert (files["notes.txt"], files["theme.txt"]) == ("by hand\n", "light\ndark\n")


# What goes wrong


@pytest.mark.parametrize(
    ("turn", "stage"), [(IMPLEMENT, "implement"), (REVIEW, "review"), (FIX_REVIEW, "review"), (FIX_LINT, "lint")]
)
async def test_a_turn_that_fails_fails_the_run_with_its_sentence_and_keeps_the_work(
    world: World, turn: str, stage: str
) -> None:
    world.checks = MockChecks(lint=[failed("a")])
    world.claude.plays = {
        **world.claude.plays,
        REVIEW: ISSUES,
        turn: WorkFailed("Claude's API refused. Check the key."),
    }
    run = await world.work()

    assert (run.status, run.error) == ("failed", "Claude's API refused. Check the key.")
    assert stages_of(run)[stage] == "failed"
    if stage != "lint":  # a gate's visit is cut short
        assert [each.summary for each in run.stages if each.name == stage] == [run.error]
    assert world.worktree.is_dir()
    assert world.claude.open_sessions == set()
    (error,) = await world.events(run.id, EventKind.ERROR)
    assert error.payload["message"] == run.error


async def test_an_error_that_nobody_thought_of_fails_the_run_with_a_sentence_that_leads_to_the_log(
    world: World,
) -> None:
    world.github = BrokenGitHub(world.root, FILES, forge=world.forge)
    run = await world.work()

    assert run.status == "failed"
    assert run.error == (
        "auto-code met an error of its own; the log has it under this run. Retry the run; its work is kept."
    )
    assert "what nobody thought of" not in str(await world.events(run.id))
    assert (world.worktree / "theme.txt").read_text() == "light\ndark\n"
    assert (await world.work()).id != run.id, "the ticket can be sent again"


# What is told


async def _corrected(world: World) -> Run:
    world.claude.plays |= {REVIEW: ISSUES}
    world.checks = MockChecks(
        setup=[failed("s"), passed()], lint=[failed("a"), passed()], tests=[failed("b"), failed("c"), passed()]
    )
    return await world.work()


async def test_events_are_numbered_without_gaps(world: World) -> None:
    run = await _corrected(world)
    events = await world.events(run.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].payload["status"] == "pr_opened"


async def test_each_visit_of_a_stage_is_told_to_start_and_to_end_once(world: World) -> None:
    run = await _corrected(world)
    started = Counter(event.payload["stage"] for event in await world.events(run.id, EventKind.STAGE_STARTED))
    ended = Counter(event.payload["stage"] for event in await world.events(run.id, EventKind.STAGE_ENDED))

    once = dict.fromkeys(("workspace", "implement", "review", "setup", "tests", "publish"), 1)
    assert started == ended == {**once, "lint": 3}
    assert all(stage.ended_at is not None for stage in run.stages)


async def test_each_turn_is_told_to_start_and_to_end_once(world: World) -> None:
    run = await _corrected(world)
    started = [event.payload["turn"] for event in await world.events(run.id, EventKind.TURN_STARTED)]
    ended = [event.payload["turn"] for event in await world.events(run.id, EventKind.TURN_ENDED)]

    assert started == ended
    assert started == [
        "implement", "review", "fix review", "fix setup 1", "fix lint 1", "fix tests 1", "fix tests 2"
    ]  # fmt: skip


async def test_a_run_without_options_publishes_at_once(world: World) -> None:
    run = await world.work(options=PipelineOptions())
    assert (run.status, world.checks.calls) == ("pr_opened", [])
    assert not world.forge.proposals[0].draft
