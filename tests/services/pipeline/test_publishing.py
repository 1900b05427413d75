"""What the publisher refuses, what the author mends, and what people are warned of."""

from app.domain.protected import ProtectedPaths
from app.models import PipelineOptions
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.claude_code.mock_client import Answer
from app.services.github.inspection import LARGEST_FILE, Inspector
from app.services.github.mock_client import MockGitHub
from app.services.github.secrets import Kingfisher
from tests.contracts.github_worlds import made_up_token
from tests.services.pipeline.scripted_claude import AGAIN, EDITED, FIX_TESTS, IMPLEMENT, MEND
from tests.services.pipeline.several import LockedGitHub, dark_in
from tests.services.pipeline.world import BRANCH, FILES, TICKET, World, rounds_of, stages_of

NO_GATES = PipelineOptions()


def with_a_secret() -> tuple[Answer, str]:
    token = made_up_token()
    return Answer(text="I added dark.", files={"theme.txt": f"light\n{token}\n"}), token


async def test_what_the_author_can_mend_it_mends_once_and_the_gates_pass_again(world: World) -> None:
    world.claude.plays[IMPLEMENT], token = with_a_secret()
    world.claude.plays[MEND] = Answer(files={"theme.txt": "light\ndark\n"})
    run = await world.work()

    assert (run.status, run.error) == ("pr_opened", None)
    (asked,) = world.claude.asked(MEND)
    assert "theme.txt:2 (github pat)" in asked
    assert token not in asked
    assert [call[0] for call in world.checks.calls] == ["setup", "lint", "test", "lint", "test"]
    assert world.github.files(BRANCH)["theme.txt"] == "light\ndark\n"
    (proposal,) = world.forge.proposals
    assert not proposal.draft
    assert "Taken out before the push" in proposal.body


async def test_it_is_mended_also_where_no_gate_is_asked_for(world: World) -> None:
    world.claude.plays[IMPLEMENT] = Answer(text="A dump.", files={"dump.sql": "x" * (LARGEST_FILE + 1)})
    world.claude.plays[MEND] = Answer(files={"dump.sql": "x"})
    run = await world.work(options=NO_GATES)

    assert run.status == "pr_opened"
    assert "a file over 10 MB at dump.sql" in world.claude.asked(MEND)[0]


async def test_what_a_fix_of_the_tests_brings_in_is_mended_too(world: World) -> None:
    world.checks = MockChecks(tests=[failed("dark is missing"), passed()])
    world.claude.plays[FIX_TESTS], _ = with_a_secret()
    world.claude.plays[MEND] = Answer(files={"theme.txt": "light\ndark\n"})
    run = await world.work()

    assert run.status == "pr_opened"
    assert rounds_of(run)["tests"] == ("passed", 1)


async def test_what_is_still_refused_fails_with_its_places_and_the_work_is_kept(world: World) -> None:
    world.claude.plays[IMPLEMENT], token = with_a_secret()
    world.claude.plays[MEND] = Answer(text="I would rather not.")
    run = await world.work()

    assert (run.status, stages_of(run)["publish"]) == ("failed", "failed")
    assert "theme.txt:2 (github pat)" in (run.error or "")
    assert token not in (run.error or "")
    assert len(world.claude.asked(MEND)) == 1
    assert (world.forge.proposals, BRANCH in world.github.heads) == ([], False)
    assert token in (world.worktree / "theme.txt").read_text()


async def test_a_change_of_protected_paths_is_a_draft_that_names_them(world: World) -> None:
    world.claude.plays[IMPLEMENT] = Answer(text="Owned.", files={"CODEOWNERS": "* @ada\n"})
    run = await world.work()

    assert (run.status, stages_of(run)["publish"]) == ("pr_opened", "warned")
    (proposal,) = world.forge.proposals
    assert proposal.draft
    assert "> - `CODEOWNERS`" in proposal.body
    assert world.claude.asked(MEND) == []


async def test_a_pull_request_that_people_made_ready_is_a_draft_again_only_for_what_they_have_not_seen(
    world: World,
) -> None:
    world.claude.plays[IMPLEMENT] = Answer(text="Owned.", files={"CODEOWNERS": "* @ada\n"})
    await world.work()
    world.forge.pull_requests[0] = world.forge.pull_requests[0].model_copy(update={"draft": False})
    world.claude.plays[AGAIN] = Answer(text="More.", files={"theme.txt": "light\ndark\n"})
    await world.work()
    assert not world.forge.pull_requests[0].draft
    assert "> - `CODEOWNERS`" in world.forge.proposals[0].body

    world.claude.plays[AGAIN] = Answer(text="More.", files={"CODEOWNERS": "* @eve\n"})
    await world.work()
    assert world.forge.pull_requests[0].draft


async def test_a_change_of_protected_paths_can_be_refused_and_the_author_is_not_asked(world: World) -> None:
    blocks = Inspector(scanner=Kingfisher(), protected=ProtectedPaths(("CODEOWNERS",)), blocks=True)
    world.github = MockGitHub(world.root, FILES, forge=world.forge, inspector=blocks)
    world.claude.plays[IMPLEMENT] = Answer(text="Owned.", files={"CODEOWNERS": "* @ada\n"})
    run = await world.work()

    assert run.status == "failed"
    assert "a protected path at CODEOWNERS" in (run.error or "")
    assert world.claude.asked(MEND) == []


async def test_one_repository_that_is_refused_does_not_keep_the_others(world: World, api: LockedGitHub) -> None:
    edits = dark_in(world, world.github, api)
    dark = world.worktree_of(api) / "dark.txt"
    world.claude.plays[EDITED] = edits.model_copy(update={"files": {**edits.files, str(dark): made_up_token()}})
    run = await world.turn("Dark, please.", repositories=world.choices(), auto_pr=True)

    assert run.status == "failed"
    assert "acme/api failed: The change was not pushed" in (run.error or "")
    assert "In acme/api:" in world.claude.asked(MEND)[0]
    assert [each.repository for each in run.pull_requests] == ["offline/demo"]
    assert dark.exists()


async def test_what_is_posted_acts_on_nothing_and_has_no_secret(world: World) -> None:
    token = made_up_token()
    world.claude.plays[IMPLEMENT] = Answer(text=f"Thanks @ada, {token}. Fixes #1", files={"theme.txt": "light\ndark\n"})
    ticket = TICKET.model_copy(update={"summary": f"Dark [skip ci] @everyone fixes #12 {token}"})
    await world.work(ticket)

    (proposal,) = world.forge.proposals
    for sign in ("@ada", "@everyone", "ixes #1", token, "[skip ci]"):
        assert sign not in f"{proposal.title}\n{proposal.body}"
    assert "redacted" in proposal.title
