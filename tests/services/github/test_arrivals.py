"""What people pushed, told to whoever goes on: through crashes, removals, rewritten branches, and odd texts."""

import pytest

from app.results import Workspace
from app.services.github.client import GitHubClient
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench
from tests.unguarded import unguarded


async def _published(bench: Bench, client: GitHubClient) -> tuple[Workspace, str]:
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)
    return workspace, commit


def _subjects(workspace: Workspace) -> list[str]:
    return [line.partition(": ")[2] for line in workspace.arrived]


def _person_commits(bench: Bench, subject: str, *, on: str = BRANCH, author: str = "Ada Human") -> str:
    path = bench.far.path(REPOSITORY)
    parents = ("-p", bench.heads()[on])
    env = {"GIT_AUTHOR_NAME": author}
    commit = git("commit-tree", f"{on}^{{tree}}", *parents, "-F", "-", cwd=path, stdin=subject, env=env)
    git("update-ref", f"refs/heads/{on}", commit, cwd=path)
    return commit


async def test_commits_are_told_oldest_first_and_the_newest_twenty_of_many(bench: Bench) -> None:
    await _published(bench, bench.client())
    for number in range(23):
        _person_commits(bench, f"Change {number}")

    assert _subjects(await bench.client().prepare(BRANCH)) == [f"Change {number}" for number in range(3, 23)]


async def test_a_line_is_one_line_that_can_be_printed(bench: Bench) -> None:
    await _published(bench, bench.client())
    name = _person_commits(bench, "Red \x1b[31m\u202e\x07 and\ttab\n\nbody", author="Eve\x1b[2J\u2028")
    _person_commits(bench, "x" * 5_000)

    first, second = (await bench.client().prepare(BRANCH)).arrived

    assert first == f"{name[:7]} Eve[2J: Red [31m andtab"
    assert len(second) == 200


async def test_what_arrived_is_told_after_the_worktree_and_its_record_are_gone(bench: Bench) -> None:
    workspace, _ = await _published(bench, bench.client())
    await bench.client().remove(workspace)
    _person_commits(bench, "Theirs")

    assert _subjects(await bench.client().prepare(BRANCH)) == ["Theirs"]
    assert _subjects(await bench.client().prepare(BRANCH)) == ["Theirs"]


async def test_a_push_of_the_service_that_it_did_not_live_to_remember_is_not_taken_for_a_persons(bench: Bench) -> None:
    client = bench.client()
    await _published(bench, client)
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("more\n")
    commit = await client.commit(workspace, "PROJ-1: More")
    path = bench.far.path(REPOSITORY)
    git("fetch", "--quiet", str(bench.clone), f"{commit}:refs/heads/{BRANCH}", cwd=path)
    _person_commits(bench, "Theirs")

    assert _subjects(await bench.client().prepare(BRANCH)) == ["Theirs"]


async def test_what_came_with_the_base_does_not_count(bench: Bench) -> None:
    _, ours = await _published(bench, bench.client())
    base = _person_commits(bench, "On the base", on="main")
    path = bench.far.path(REPOSITORY)
    merged = git("commit-tree", f"{ours}^{{tree}}", "-p", ours, "-p", base, "-m", "Merge main", cwd=path)
    git("update-ref", f"refs/heads/{BRANCH}", merged, cwd=path)

    assert _subjects(await bench.client().prepare(BRANCH)) == ["Merge main"]


async def test_of_a_rewritten_branch_the_commits_that_are_new_in_it_are_told(bench: Bench) -> None:
    await _published(bench, bench.client())
    git("update-ref", f"refs/heads/{BRANCH}", bench.heads()["main"], cwd=bench.far.path(REPOSITORY))
    _person_commits(bench, "Rewritten")

    assert _subjects(await bench.client().prepare(BRANCH)) == ["Rewritten"]


async def test_a_branch_that_people_began_anew_after_the_merge_tells_what_they_began_it_with(bench: Bench) -> None:
    client = bench.client()
    await _published(bench, client)
    git("update-ref", "-d", f"refs/heads/{BRANCH}", cwd=bench.far.path(REPOSITORY))
    await client.prepare(BRANCH)
    bench.push_as_human({"anew.txt": "1\n"})

    assert _subjects(await client.prepare(BRANCH)) == ["A person's work"]


@pytest.mark.parametrize("memory", ['{"head": "0123456789012345678901234567890123456789"}', "{"])
async def test_a_memory_that_is_of_no_use_tells_nothing(bench: Bench, memory: str) -> None:
    await _published(bench, bench.client())
    (bench.workspace_dir / ".publisher.git/workspaces/ticket%2Fproj-1.json").write_text(memory)
    _person_commits(bench, "Theirs")

    assert (await bench.client().prepare(BRANCH)).arrived == ()
