"""Review, setup, lint and tests: what each gate finds, who mends it, and what the pull request says of it."""

import pytest

from app.models import EventKind, PipelineOptions
from app.services.checks.mock_client import MockChecks, failed, passed, skipped, unavailable
from app.services.claude_code.mock_client import Answer
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.scripted_claude import (
    FIX_LINT,
    FIX_REVIEW,
    FIX_SETUP,
    FIX_TESTS,
    IMPLEMENT,
    ISSUES,
    REVIEW,
)
from tests.services.pipeline.world import BRANCH, FILES, World, rounds_of, stages_of


async def test_what_the_review_finds_is_fixed_by_the_author(world: World) -> None:
    fixed = Answer(text="Named.", files={"default.txt": "light\n"})
    world.claude.plays |= {REVIEW: ISSUES, FIX_REVIEW: fixed}
    run = await world.work()

    assert run.status == "pr_opened"
    assert stages_of(run)["review"] == "passed"
    (fix,) = world.claude.asked(FIX_REVIEW)
    assert "theme.txt:1: no default" in fix
    assert world.github.files(BRANCH)["default.txt"] == "light\n"
    assert not world.forge.proposals[0].draft
    assert "no default" in world.forge.proposals[0].body


async def test_a_review_fix_that_is_cut_at_its_limit_makes_a_draft(world: World) -> None:
    world.claude.plays |= {REVIEW: ISSUES, FIX_REVIEW: Answer(finished=False)}
    run = await world.work()

    assert stages_of(run)["review"] == "warned"
    assert world.forge.proposals[0].draft


async def test_a_fix_that_takes_everything_back_leaves_nothing_to_publish(world: World) -> None:
    world.claude.plays |= {REVIEW: ISSUES, FIX_REVIEW: Answer(files={"theme.txt": FILES["theme.txt"]})}
    run = await world.work()

    assert (run.status, run.error) == ("idle", None)
    assert (run.outcome or "").startswith("No changes, so no pull request.")
    assert (world.forge.proposals, world.worktree.exists()) == ([], False)


async def test_a_reviewer_without_a_verdict_makes_a_draft(world: World) -> None:
    world.claude.plays |= {REVIEW: Answer(text="Looks fine to me, I think.")}
    run = await world.work()

    assert (run.status, stages_of(run)["review"]) == ("pr_opened", "warned")
    assert world.claude.asked(FIX_REVIEW) == []
    assert world.forge.proposals[0].draft
    assert "gave no verdict" in world.forge.proposals[0].body


async def test_lint_that_fails_twice_and_then_passes_is_no_draft(world: World) -> None:
    world.checks = MockChecks(lint=[failed("line 1 is long"), failed("line 2 is long"), passed()])
    run = await world.work()

    assert rounds_of(run)["lint"] == ("passed", 2)
    first, second = world.claude.asked(FIX_LINT)
    assert ("line 1 is long" in first, "attempt 1 of 3" in first) == (True, True)
    assert ("line 2 is long" in second, "attempt 2 of 3" in second) == (True, True)
    assert not world.forge.proposals[0].draft
    assert "passes after 2 fixes" in world.forge.proposals[0].body


@pytest.mark.parametrize("gate", ["lint", "tests"])
async def test_the_third_fix_of_a_gate_is_checked_too(world: World, gate: str) -> None:
    results = [failed("1"), failed("2"), failed("3"), passed()]
    world.checks = MockChecks(lint=results if gate == "lint" else [], tests=results if gate == "tests" else [])
    run = await world.work()

    assert rounds_of(run)[gate] == ("passed", 3)
    assert not world.forge.proposals[0].draft


async def test_tests_that_still_fail_after_three_fixes_make_a_draft_that_says_so(world: World) -> None:
    world.checks = MockChecks(tests=[failed("dark is missing")])
    run = await world.work()

    assert (run.status, run.error) == ("pr_opened", None)
    assert rounds_of(run)["tests"] == ("failed", 3)
    assert len(world.claude.asked(FIX_TESTS)) == 3
    assert len([call for call in world.checks.calls if call[0] == "test"]) == 4
    (proposal,) = world.forge.proposals
    assert proposal.draft
    assert "`make test` still fails after 3 fixes" in proposal.body
    assert "draft" in (run.outcome or "")


async def test_lint_is_run_again_after_a_fix_of_the_tests(world: World) -> None:
    world.checks = MockChecks(tests=[failed("dark is missing"), passed()])
    run = await world.work()

    assert [call[0] for call in world.checks.calls] == ["setup", "lint", "test", "lint", "test"]
    assert (stages_of(run)["lint"], stages_of(run)["tests"]) == ("passed", "passed")


async def test_lint_that_a_fix_of_the_tests_broke_goes_on_within_its_three_rounds(world: World) -> None:
    lint = [failed("a"), passed(), failed("b"), failed("c"), failed("d")]
    world.checks = MockChecks(lint=lint, tests=[failed("dark is missing"), passed()])
    run = await world.work()

    gates = rounds_of(run)
    assert (gates["lint"], gates["tests"]) == (("failed", 3), ("passed", 1))
    assert [prompt.partition("attempt ")[2][0] for prompt in world.claude.asked(FIX_LINT)] == ["1", "2", "3"]
    assert world.forge.proposals[0].draft


async def test_a_setup_that_cannot_be_run_leaves_lint_and_tests_unrun_and_makes_a_draft(world: World) -> None:
    world.checks = MockChecks(setup=[unavailable("There is no pnpm here.")])
    run = await world.work()

    stages = stages_of(run)
    assert (stages["setup"], stages["lint"], stages["tests"]) == ("warned", "warned", "warned")
    assert [call[0] for call in world.checks.calls] == ["setup"]
    assert world.forge.proposals[0].draft
    assert "There is no pnpm here." in world.forge.proposals[0].body
    assert "Not run: setup failed." in world.forge.proposals[0].body


async def test_a_setup_that_failed_once_is_fixed_and_the_gates_run(world: World) -> None:
    world.checks = MockChecks(setup=[failed("no such package"), passed()])
    run = await world.work()

    assert [call[0] for call in world.checks.calls] == ["setup", "setup", "lint", "test"]
    assert rounds_of(run)["setup"] == ("passed", 1)
    assert "no such package" in world.claude.asked(FIX_SETUP)[0]
    assert not world.forge.proposals[0].draft


async def test_a_setup_that_fails_again_after_its_one_fix_leaves_the_gates_unrun(world: World) -> None:
    world.checks = MockChecks(setup=[failed("no such package")])
    run = await world.work()

    stages = stages_of(run)
    assert (stages["setup"], stages["lint"], stages["tests"]) == ("failed", "warned", "warned")
    assert len(world.claude.asked(FIX_SETUP)) == 1
    assert "still fails after 1 fix |" in world.forge.proposals[0].body


async def test_a_repository_without_checks_gets_a_pull_request_that_is_ready(world: World) -> None:
    nothing = [skipped("There is nothing to run.")]
    world.checks = MockChecks(setup=nothing, lint=nothing, tests=nothing)
    run = await world.work()

    assert (stages_of(run)["lint"], stages_of(run)["tests"]) == ("skipped", "skipped")
    assert not world.forge.proposals[0].draft


@pytest.mark.parametrize(
    ("options", "gates"),
    [
        (PipelineOptions(), set[str]()),
        (PipelineOptions(review=True), {"review"}),
        (PipelineOptions(lint=True), {"setup", "lint"}),
        (PipelineOptions(tests=True), {"setup", "tests"}),
    ],
)
async def test_only_the_stages_that_are_asked_for_happen(
    world: World, options: PipelineOptions, gates: set[str]
) -> None:
    run = await world.work(options=options)
    assert set(stages_of(run)) == {"workspace", "implement", "publish", *gates}


async def test_a_first_turn_that_is_cut_at_its_limit_makes_a_draft(world: World) -> None:
    world.claude.plays[IMPLEMENT] = Answer(text="So far.", files={"theme.txt": "dark\n"}, finished=False)
    run = await world.work()

    assert (run.status, stages_of(run)["implement"]) == ("pr_opened", "warned")
    assert world.forge.proposals[0].draft
    assert "cut at the limit of turns" in world.forge.proposals[0].body


async def test_the_commands_are_those_of_the_base_branch(world: World) -> None:
    world.claude.plays[IMPLEMENT] = Answer(files={"WORKFLOW.md": "---\nlint: 'true'\n---\n"})
    await world.work()

    named = {gate: commands for gate, _, commands in world.checks.calls}
    assert (named["lint"], named["test"]) == (("make lint",), ("make test",))


async def test_a_malformed_workflow_file_is_said_and_the_toolchain_is_used(world: World) -> None:
    world.github = MockGitHub(world.root, {**FILES, "WORKFLOW.md": "---\nlint: [\n---\n"}, forge=world.forge)
    run = await world.work()

    assert run.status == "pr_opened"
    (notice,) = await world.events(run.id, EventKind.NOTICE)
    assert notice.payload["text"].startswith("WORKFLOW.md is not used: ")
    assert {commands for _, _, commands in world.checks.calls} == {()}


async def test_every_check_is_told_with_its_round(world: World) -> None:
    results = [failed("a"), passed()]
    world.checks = MockChecks(lint=results)
    run = await world.work()

    checked = [event.payload for event in await world.events(run.id, EventKind.GATE_CHECKED)]
    assert [(each["gate"], each["round"], each["outcome"]) for each in checked] == [
        ("setup", 1, "passed"),
        ("lint", 1, "failed"),
        ("lint", 2, "passed"),
        ("tests", 1, "passed"),
    ]
