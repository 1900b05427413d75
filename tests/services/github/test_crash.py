"""What a killed process leaves, and that the next one mends it without losing work."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import WorkFailed
from app.process import operator_environment, run
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, SEED, Bench, listing, paths
from tests.services.github.one_run import one_run

_COMMANDS = 24
"""How many git commands `one_run` starts in a new workspace."""

_DEADLY_GIT = """#!/bin/sh
echo x >> {count}
if [ $(wc -l < {count}) -eq {number} ]; then
    {when_first}
    kill -9 $SERVICE_PID
    sleep 60
fi
exec {git} "$@"
"""


@pytest.mark.parametrize("number", range(1, _COMMANDS + 1))
async def test_a_run_killed_around_any_git_command_is_finished_by_the_next(bench: Bench, number: int) -> None:
    git = shutil.which("git")
    deadly = bench.root / "bin/git"
    deadly.parent.mkdir()
    first = f'{git} "$@"' if number % 2 else ""  # every other time the command has its effect before the kill
    deadly.write_text(_DEADLY_GIT.format(count=bench.root / "count", number=number, when_first=first, git=git))
    deadly.chmod(0o755)
    path = f"{deadly.parent}:{os.environ['PATH']}"
    killed = await run(
        (sys.executable, "-m", "tests.services.github.one_run", bench.workspace_dir, bench.url, path),
        cwd=Path(__file__).parents[3],
        env=operator_environment(),
        limit_s=30,
    )
    assert killed.code == -signal.SIGKILL, killed.error_text

    client = bench.client()
    await client.start()
    await one_run(client, bench.workspace_dir / "grounds/2")

    assert bench.file(BRANCH, "new.txt") == "work\n"
    assert bench.far.log(REPOSITORY, BRANCH) == ["PROJ-1: Widgets", "Begin"]
    assert not bench.worktree.exists()
    assert not (bench.workspace_dir / "grounds/2").exists()
    assert bench.in_clone("branch", "--list") == ""
    assert not list((bench.workspace_dir / ".trash").iterdir())


def _admin(bench: Bench) -> Path:
    return bench.clone / ".git/worktrees/proj-1"


def _record(bench: Bench) -> Path:
    return bench.workspace_dir / ".publisher.git/workspaces/ticket%2Fproj-1/record.json"


def locks_of_git(bench: Bench) -> None:
    for place in (bench.clone / ".git", bench.workspace_dir / ".publisher.git"):
        for name in ("packed-refs.lock", "config.lock", "HEAD.lock", "index.lock", "refs/remotes/origin/main.lock"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).touch()
    _record(bench).with_name("index.lock").touch()
    (_admin(bench) / "index.lock").touch()
    (_admin(bench) / "locked").touch()


def a_worktree_in_the_making(bench: Bench) -> None:
    (_admin(bench) / "locked").write_text("initializing\n")
    (bench.worktree / ".git").unlink()


def a_pruned_worktree(bench: Bench) -> None:
    (bench.worktree / ".git").unlink()
    git("worktree", "prune", cwd=bench.clone)


def an_administrative_directory_without_content(bench: Bench) -> None:
    for name in ("gitdir", "commondir", "HEAD"):
        (_admin(bench) / name).unlink()


def a_lost_index(bench: Bench) -> None:
    _record(bench).with_name("index").unlink()


def another_branch_name_in_the_worktree(bench: Bench) -> None:
    bench.in_worktree("checkout", "--detach")


KEEPS_WORK = (
    locks_of_git,
    a_worktree_in_the_making,
    a_pruned_worktree,
    an_administrative_directory_without_content,
    a_lost_index,
    another_branch_name_in_the_worktree,
)


@pytest.mark.parametrize("debris", KEEPS_WORK, ids=lambda debris: debris.__name__)
async def test_work_is_still_in_the_worktree_after(bench: Bench, debris: Callable[[Bench], None]) -> None:
    await bench.client().prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    debris(bench)

    client = bench.client()
    await client.start()
    workspace = await client.prepare(BRANCH)

    assert paths(await client.changes(workspace)) == ("new.txt",)
    assert listing(bench.worktree) == {*SEED, "new.txt"}
    assert bench.in_worktree("status", "--short") == "?? new.txt"
    assert bench.in_worktree("branch", "--show-current") == BRANCH
    assert bench.in_clone("worktree", "list").count(BRANCH) == 2
    bench.in_worktree("add", "--all")
    bench.in_clone("worktree", "remove", "--force", str(bench.worktree))


async def test_a_lost_index_loses_no_tracked_file_that_is_ignored_now(bench: Bench) -> None:
    bench.push_as_human({"build/tracked.txt": "1\n"}, branch="main")
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    a_lost_index(bench)

    assert paths(await client.changes(workspace)) == ()


def _half_checked_out(bench: Bench, tree: str) -> None:
    record = json.loads(_record(bench).read_text())
    _record(bench).write_text(json.dumps({**record, "pending": tree}))
    (bench.worktree / "README.md").unlink()


async def test_files_that_were_never_checked_out_are_not_saved_as_deletions(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    _half_checked_out(bench, workspace.parent)

    assert await client.remove(workspace) is None


async def test_files_that_were_never_checked_out_do_not_count_as_deleted_when_people_pushed(bench: Bench) -> None:
    workspace = await bench.client().prepare(BRANCH)
    _half_checked_out(bench, workspace.parent)
    bench.push_as_human({"theirs.txt": "1\n"})

    await bench.client().prepare(BRANCH)

    assert listing(bench.worktree) == {*SEED, "theirs.txt"}


async def test_a_lost_record_means_a_new_worktree_and_the_work_saved(bench: Bench) -> None:
    await bench.client().prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    _record(bench).unlink()

    workspace = await bench.client().prepare(BRANCH)

    assert listing(workspace.directory) == SEED.keys()
    (place,) = (bench.workspace_dir / "saved").iterdir()
    assert "+work" in (place / "work.patch").read_text()


async def test_a_strange_directory_in_the_way_is_saved(bench: Bench) -> None:
    bench.worktree.mkdir(parents=True)
    (bench.worktree / "strange.txt").write_text("whose?\n")

    workspace = await bench.client().prepare(BRANCH)

    assert listing(workspace.directory) == SEED.keys()
    (place,) = (bench.workspace_dir / "saved").iterdir()
    assert "+whose?" in (place / "work.patch").read_text()


async def test_a_vanished_directory_is_made_anew(bench: Bench) -> None:
    await bench.client().prepare(BRANCH)
    git("worktree", "lock", str(bench.worktree), cwd=bench.clone)
    bench.worktree.rename(bench.root / "away")

    workspace = await bench.client().prepare(BRANCH)

    assert listing(workspace.directory) == SEED.keys()


async def test_a_leftover_branch_with_unpushed_commits_is_saved_before_it_is_reset(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    git("worktree", "remove", "--force", str(bench.worktree), cwd=bench.clone)

    workspace = await bench.client().prepare(BRANCH)

    assert bench.in_worktree("rev-parse", "HEAD") == bench.heads()["main"]
    (place,) = (bench.workspace_dir / "saved").iterdir()
    assert commit in (place / "branch.bundle").read_bytes().decode(errors="replace")


async def test_a_branch_held_by_another_worktree_of_ours_is_taken_over(bench: Bench) -> None:
    await bench.client().prepare("ticket/proj-2")
    git("checkout", "--quiet", "-b", BRANCH, cwd=bench.workspace_dir / "worktrees/ticket/proj-2")

    assert (await bench.client().prepare(BRANCH)).directory == bench.worktree
    assert bench.in_worktree("branch", "--show-current") == BRANCH


async def test_a_branch_held_by_a_persons_worktree_is_left_to_them(bench: Bench) -> None:
    await bench.client().refresh()
    theirs = bench.root / "theirs"
    git("worktree", "add", "--quiet", "-b", BRANCH, str(theirs), "origin/main", cwd=bench.clone)

    with pytest.raises(WorkFailed, match="checked out in"):
        await bench.client().prepare(BRANCH)
    assert theirs.exists()


async def test_a_clone_whose_objects_were_pruned_is_fetched_again(bench: Bench) -> None:
    bench.push_as_human({"theirs.txt": "1\n"}, branch="ticket/proj-9")
    await bench.client().refresh()
    bench.push_as_human({"more.txt": "1\n"}, branch="main")
    git("reflog", "expire", "--expire=now", "--all", cwd=bench.clone)
    git("gc", "--quiet", "--prune=now", cwd=bench.clone)

    await bench.client().refresh()

    assert bench.in_clone("cat-file", "-t", bench.heads()["ticket/proj-9"]) == "commit"


async def test_start_heals_before_anything_was_ever_cloned(bench: Bench) -> None:
    (bench.clone / ".git").mkdir(parents=True)
    (bench.clone / ".git/config.lock").touch()
    (bench.workspace_dir / ".publisher.git").mkdir()

    await bench.client().start()

    assert (await bench.client().prepare(BRANCH)).directory.exists()
