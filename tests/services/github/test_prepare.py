"""Worktrees: where they start, what a second call keeps, and how work and pushes come together."""

import asyncio
import json
from pathlib import Path

import pytest

from app.errors import WorkFailed
from app.results import Workspace
from app.services.github.locks import FileLock
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, SEED, Bench, listing, paths


async def test_a_new_branch_starts_from_the_base_at_the_forge(bench: Bench) -> None:
    workspace = await bench.client().prepare(BRANCH)

    assert workspace.directory == bench.worktree
    assert workspace.parent == workspace.base_commit == bench.heads()["main"]
    assert not workspace.on_remote
    assert listing(bench.worktree) == SEED.keys()


async def test_a_branch_at_the_forge_is_gone_on_with(bench: Bench) -> None:
    fork = bench.heads()["main"]
    theirs = bench.push_as_human({"theirs.txt": "kept\n"})
    bench.push_as_human({"later.txt": "on the base\n"}, branch="main")

    workspace = await bench.client().prepare(BRANCH)

    assert workspace.on_remote
    assert workspace.parent == theirs
    assert workspace.base_commit == fork
    assert listing(bench.worktree) == {*SEED, "theirs.txt"}


async def test_the_worktrees_own_git_sees_a_clean_tree_on_the_branch(bench: Bench) -> None:
    await bench.client().prepare(BRANCH)

    assert bench.in_worktree("status", "--short") == ""
    assert bench.in_worktree("branch", "--show-current") == BRANCH
    assert bench.in_worktree("diff", "origin/main") == ""


async def test_the_directory_is_told_before_files_are_there(bench: Bench) -> None:
    seen: list[tuple[bool, set[str]]] = []

    async def occupied(directory: Path) -> None:
        seen.append((git("rev-parse", "--is-inside-work-tree", cwd=directory) == "true", listing(directory)))

    await bench.client().prepare(BRANCH, occupied=occupied)

    assert seen == [(True, set())]


async def test_an_error_of_the_caller_comes_back_as_it_is(bench: Bench) -> None:
    async def occupied(directory: Path) -> None:
        raise WorkFailed("no CLI")

    with pytest.raises(WorkFailed, match="no CLI"):
        await bench.client().prepare(BRANCH, occupied=occupied)

    assert (await bench.client().prepare(BRANCH)).directory == bench.worktree


async def test_a_second_call_keeps_the_work(bench: Bench) -> None:
    first = await bench.client().prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    (bench.worktree / "README.md").unlink()

    second = await bench.client().prepare(BRANCH)

    assert second == first
    assert listing(bench.worktree) == {*SEED, "new.txt"} - {"README.md"}


async def test_unpushed_work_and_a_persons_push_come_together(bench: Bench) -> None:
    await bench.client().prepare(BRANCH)
    (bench.worktree / "src/widget.py").write_text("size = 2\n")
    (bench.worktree / "new.txt").write_text("work\n")
    (bench.worktree / "keep.log").write_text("ignored\n")
    theirs = bench.push_as_human({"README.md": "# Better\n"})

    workspace = await bench.client().prepare(BRANCH)

    assert workspace.parent == theirs
    assert workspace.on_remote
    assert workspace.conflicts == ()
    assert (bench.worktree / "src/widget.py").read_text() == "size = 2\n"
    assert (bench.worktree / "README.md").read_text() == "# Better\n"
    assert listing(bench.worktree) == {*SEED, "new.txt", "keep.log"}
    assert bench.in_worktree("diff", "--stat", "HEAD").count("|") == 2
    assert bench.in_worktree("rev-parse", "HEAD") == theirs


async def test_work_that_contradicts_a_push_is_left_with_conflict_markers(bench: Bench) -> None:
    await bench.client().prepare(BRANCH)
    (bench.worktree / "src/widget.py").write_text("size = 2\n")
    bench.push_as_human({"src/widget.py": "size = 3\n"})

    workspace = await bench.client().prepare(BRANCH)
    text = (bench.worktree / "src/widget.py").read_text()
    again = await bench.client().prepare(BRANCH)
    (bench.worktree / "src/widget.py").write_text("size = 4\n")
    resolved = await bench.client().prepare(BRANCH)

    assert workspace.conflicts == again.conflicts == ("src/widget.py",)
    assert "<<<<<<<" in text
    assert "size = 2" in text
    assert "size = 3" in text
    assert resolved.conflicts == ()


async def test_work_is_brought_onto_a_branch_that_was_rewritten(bench: Bench) -> None:
    bench.push_as_human({"first.txt": "1\n"})
    client = bench.client()
    await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    git("update-ref", f"refs/heads/{BRANCH}", bench.heads()["main"], cwd=bench.far.path(REPOSITORY))
    rewritten = bench.push_as_human({"rewritten.txt": "2\n"})

    workspace = await client.prepare(BRANCH)

    assert workspace.parent == rewritten
    assert listing(bench.worktree) == {*SEED, "rewritten.txt", "new.txt"}


async def test_a_branch_that_was_merged_and_deleted_starts_from_the_base_again(bench: Bench) -> None:
    bench.push_as_human({"merged.txt": "1\n"})
    client = bench.client()
    await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    git("update-ref", "-d", f"refs/heads/{BRANCH}", cwd=bench.far.path(REPOSITORY))
    merged = bench.push_as_human({"merged.txt": "1\n"}, branch="main")

    workspace = await client.prepare(BRANCH)

    assert (workspace.parent, workspace.on_remote) == (merged, False)
    assert listing(bench.worktree) == {*SEED, "merged.txt", "new.txt"}


async def test_what_refresh_fetched_counts_for_prepare(bench: Bench) -> None:
    client = bench.client(fresh_s=3600)
    await client.refresh()
    before = bench.heads()["main"]
    after = bench.push_as_human({"later.txt": "1\n"}, branch="main")

    assert (await client.prepare(BRANCH)).parent == before
    await client.refresh()
    assert (await client.prepare("ticket/proj-2")).parent == after


async def test_nothing_is_fetched_while_another_process_uses_the_clone(bench: Bench) -> None:
    client = bench.client()
    await client.start()

    async with FileLock(bench.workspace_dir / ".clone.lock").held():
        refresh = asyncio.create_task(client.refresh())
        done, _ = await asyncio.wait({refresh}, timeout=0.3)
        assert not done
    await refresh


async def test_a_clone_follows_the_base(bench: Bench) -> None:
    client = bench.client()
    await client.refresh()
    later = bench.push_as_human({"later.txt": "1\n"}, branch="main")

    await client.refresh()

    assert bench.in_clone("rev-parse", "origin/main") == later


@pytest.mark.parametrize("name", ["main", "ticket/../x", "ticket/$(id)", "-x/y", "ticket/a.lock", "ticket/", "other/x"])
async def test_a_name_that_is_no_branch_of_ours_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(WorkFailed, match="no branch"):
        await bench.client().prepare(name)


async def test_a_missing_base_is_named_with_what_to_do(bench: Bench) -> None:
    with pytest.raises(WorkFailed, match=r"no branch develop; set BASE_BRANCH"):
        await bench.client(base_branch="develop").refresh()


async def test_a_missing_repository_says_what_to_check(bench: Bench) -> None:
    with pytest.raises(WorkFailed, match="Check REPO_URL"):
        await bench.client(repo_url=(bench.root / "nowhere").as_uri()).refresh()


async def test_starting_undoes_what_was_written_into_the_clones_configuration(bench: Bench) -> None:
    await bench.client(repo_url="https://github.com/octo/widgets.git").start()
    git("config", "core.fsmonitor", "touch pwned", cwd=bench.clone)

    await bench.client(repo_url="https://github.com/octo/widgets.git").start()

    assert bench.in_clone("config", "remote.origin.url") == "https://github.com/octo/widgets.git"
    assert "fsmonitor" not in (bench.clone / ".git/config").read_text()


async def test_a_workspace_survives_json(bench: Bench) -> None:
    workspace = await bench.client().prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")

    other = type(workspace).model_validate(json.loads(workspace.model_dump_json()))

    assert paths(await bench.client().changes(other)) == ("new.txt",)


async def test_a_branch_is_prepared_by_one_at_a_time(bench: Bench) -> None:
    second: list[asyncio.Task[Workspace]] = []

    async def occupied(directory: Path) -> None:
        second.append(asyncio.create_task(bench.client().prepare(BRANCH)))
        done, _ = await asyncio.wait(second, timeout=0.3)
        assert not done

    await bench.client().prepare(BRANCH, occupied=occupied)

    assert (await second[0]).directory == bench.worktree


async def test_two_clients_prepare_twenty_branches_each_at_once(bench: Bench) -> None:
    branches = [f"ticket/proj-{number}" for number in range(20)]
    clients = bench.client(fresh_s=60), bench.client(fresh_s=60)

    made = await asyncio.gather(*(client.prepare(branch) for branch in branches for client in clients))

    assert {workspace.branch for workspace in made} == set(branches)
    assert all(listing(workspace.directory) == SEED.keys() for workspace in made)
    assert len(bench.in_clone("worktree", "list").splitlines()) == 21
    assert bench.in_clone("worktree", "prune", "--verbose") == ""


async def test_a_ground_is_used_also_where_a_leftover_branch_and_directory_are_in_the_way(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    assert await client.commit(workspace, "PROJ-1: Widgets")
    (bench.workspace_dir / ".publisher.git/workspaces/ticket%2Fproj-1/record.json").unlink()
    ground = bench.workspace_dir / "ground"
    ground.mkdir()
    inode = ground.stat().st_ino

    workspace = await client.prepare(BRANCH, ground=ground)

    assert bench.worktree.stat().st_ino == inode
    assert listing(bench.worktree) == SEED.keys()
    assert bench.in_worktree("status", "--short") == ""
    assert workspace.common == bench.clone / ".git"
