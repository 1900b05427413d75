"""Other bases than the default: fetched when asked for, compared with, and given to the pull request."""

import pytest

from app.errors import TemporarilyFailed, WorkFailed
from app.services.github.forge import Proposal
from app.services.github.remote import parse_remote
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench, paths
from tests.unguarded import unguarded

OTHER = "release/2"


async def test_the_worktrees_own_git_knows_the_base(bench: Bench) -> None:
    theirs = bench.push_as_human({"released.txt": "1\n"}, branch=OTHER)

    await bench.client().prepare(BRANCH, base=OTHER)
    assert bench.in_worktree("rev-parse", f"origin/{OTHER}") == theirs

    later = bench.push_as_human({"later.txt": "1\n"}, branch=OTHER)
    await bench.client().prepare("ticket/proj-2", base=OTHER)
    assert bench.in_worktree("rev-parse", f"origin/{OTHER}") == later


async def test_a_base_that_went_is_named_and_the_default_still_serves(bench: Bench) -> None:
    client = bench.client()
    bench.push_as_human({"released.txt": "1\n"}, branch=OTHER)
    await client.prepare(BRANCH, base=OTHER)
    git("update-ref", "-d", f"refs/heads/{OTHER}", cwd=bench.far.path(REPOSITORY))

    with pytest.raises(WorkFailed, match=r"has no branch release/2; push it there, or choose another base"):
        await client.prepare(BRANCH, base=OTHER)
    assert (await client.prepare(BRANCH)).base == "main"


@pytest.mark.parametrize("name", ["*", "a:refs/heads/main", "-x y", "a..b", "@{-1}", "main\n", "a\0b", "\udcff"])
async def test_what_can_be_no_branch_is_refused_before_anything_is_fetched(bench: Bench, name: str) -> None:
    with pytest.raises(WorkFailed, match="cannot be a branch"):
        await bench.client().prepare(BRANCH, base=name)


async def test_work_that_contradicts_the_other_base_is_left_with_conflict_markers(bench: Bench) -> None:
    bench.push_as_human({"src/widget.py": "size = 3\n"}, branch=OTHER)
    await bench.client().prepare(BRANCH)
    (bench.worktree / "src/widget.py").write_text("size = 2\n")

    workspace = await bench.client().prepare(BRANCH, base=OTHER)

    assert workspace.conflicts == ("src/widget.py",)


async def test_a_worktree_on_another_base_that_is_removed_leaves_nothing(bench: Bench) -> None:
    bench.push_as_human({"released.txt": "1\n"}, branch=OTHER)
    client = bench.client()

    assert await client.remove(await client.prepare(BRANCH, base=OTHER)) is None


async def test_the_base_is_recorded_for_a_process_that_only_goes_on(bench: Bench) -> None:
    bench.push_as_human({"theirs.txt": "1\n"})
    bench.push_as_human({"released.txt": "1\n"}, branch=OTHER)
    await bench.client().prepare(BRANCH)
    await bench.client().prepare(BRANCH, base=OTHER)

    record = bench.workspace_dir / ".publisher.git/workspaces/ticket%2Fproj-1/record.json"

    assert f'"base":"{OTHER}"' in record.read_text()
    assert paths(await bench.client().changes(await bench.client().prepare(BRANCH, base=OTHER))) == ("theirs.txt",)


@pytest.mark.parametrize("who_opened_it", ["the service", "a person"])
async def test_a_base_that_a_person_gave_the_pull_request_is_left_to_them(bench: Bench, who_opened_it: str) -> None:
    bench.push_as_human({"theirs.txt": "1\n"})
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    theirs = Proposal(BRANCH, OTHER, title="PROJ-1: Widgets", body="One.")
    if who_opened_it == "the service":
        await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded)
        bench.forge.proposals[0] = theirs
    else:
        await bench.forge.create(parse_remote(bench.url, with_token=False), theirs, guard=unguarded)

    await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Two.", draft=True, guard=unguarded)

    [proposal] = bench.forge.proposals
    assert (proposal.base, proposal.body) == (OTHER, "Two.")


async def test_a_list_of_branches_is_remembered_for_a_while_and_no_longer(bench: Bench) -> None:
    remembers, asks = bench.client(fresh_s=3600), bench.client(fresh_s=0)
    assert await remembers.branches() == await asks.branches() == ("main",)

    bench.push_as_human({"released.txt": "1\n"}, branch=OTHER)

    assert await remembers.branches() == ("main",)
    assert await asks.branches() == ("main", OTHER)


async def test_branches_of_a_forge_that_is_not_reached_may_be_listed_later(bench: Bench) -> None:
    with pytest.raises(TemporarilyFailed, match=r"list the branches of 127\.0\.0\.1:9/octo/widgets"):
        await bench.client(repo_url="http://127.0.0.1:9/octo/widgets.git").branches()
