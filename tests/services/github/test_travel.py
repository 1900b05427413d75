"""Work that goes from one machine to another, with real git: cut off on the way, and while people do things too."""

import contextlib
import dataclasses
import itertools
import shutil
from pathlib import Path

import pytest

from app.errors import AutoCodeError, WorkFailed
from app.results import Checkpoint, Workspace
from app.services.github.checkpoints import Checkpoints
from app.services.github.client import GitHubClient
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench, paths
from tests.unguarded import unguarded

_FAILING_GIT = """#!/bin/sh
echo x >> {count}
[ $(wc -l < {count}) -eq {number} ] || exec {git} "$@"
{when_first}
echo "fatal: cut off" >&2
exit 128
"""
_LEAST = 5
"""Fewer git commands than an arrival on a new machine starts."""


@pytest.fixture
def elsewhere(bench: Bench, tmp_path: Path) -> Bench:
    """Another machine with the same far side."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    return dataclasses.replace(bench, root=root)


async def begun(client: GitHubClient) -> tuple[Workspace, Checkpoint]:
    """A worktree with unpublished work, and a checkpoint of it."""
    workspace = await client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    (workspace.directory / "README.md").unlink()
    checkpoint = await client.checkpoint(workspace)
    assert checkpoint
    return workspace, checkpoint


async def test_an_arrival_that_is_cut_off_anywhere_is_finished_by_the_next(
    bench: Bench, elsewhere: Bench, tmp_path: Path
) -> None:
    workspace, saved = await begun(bench.client())
    await elsewhere.client().refresh()
    git = shutil.which("git")
    for number in itertools.count(1):
        machine = dataclasses.replace(bench, root=tmp_path / f"machine{number}")
        shutil.copytree(elsewhere.root, machine.root)
        flaky = machine.root / "bin/git"
        flaky.parent.mkdir()
        first = f'{git} "$@"' if number % 2 else ""  # every other time the command has its effect all the same
        flaky.write_text(_FAILING_GIT.format(count=machine.root / "count", number=number, when_first=first, git=git))
        flaky.chmod(0o755)
        path = f"{flaky.parent}:{machine.operator['PATH']}"

        with contextlib.suppress(AutoCodeError):
            await machine.client(operator={**machine.operator, "PATH": path}).arrive(workspace, saved)
        commands = len((machine.root / "count").read_text().split())
        there = await machine.client().arrive(workspace, saved)

        assert paths(await machine.client().changes(there)) == ("README.md", "new.txt"), number
        assert await machine.client().saved() == (), number
        if commands < number:
            break
    assert commands > _LEAST


async def test_a_directory_that_is_lost_alone_is_made_again(bench: Bench) -> None:
    workspace, saved = await begun(bench.client())
    shutil.rmtree(bench.worktree)

    back = await bench.client().arrive(workspace, saved)

    assert (back.restored, (bench.worktree / "new.txt").read_text()) == (True, "work\n")
    assert bench.in_worktree("status", "--porcelain").splitlines() == [" D README.md", "?? new.txt"] or (
        bench.in_worktree("diff", "--name-only", "HEAD").split() == ["README.md", "new.txt"]
    )


async def test_a_commit_that_nobody_pushed_yet_arrives_as_that_commit(bench: Bench, elsewhere: Bench) -> None:
    client = bench.client()
    workspace, _ = await begun(client)
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    saved = await client.checkpoint(workspace)
    assert saved

    there = await elsewhere.client().arrive(workspace, saved)

    assert elsewhere.in_worktree("rev-parse", "HEAD").strip() == commit
    assert elsewhere.in_worktree("status", "--porcelain") == ""
    assert await elsewhere.client().checkpoint(there) == saved, "a third machine gets it, too"


async def test_ignored_files_stay_where_an_older_worktree_is_brought_up_to_date(bench: Bench, elsewhere: Bench) -> None:
    workspace, saved = await begun(bench.client())
    there = await elsewhere.client().arrive(workspace, saved)
    (bench.worktree / "build").mkdir()
    (bench.worktree / "build/kept.o").write_text("dear to make\n")
    (there.directory / "more.txt").write_text("more\n")

    back = await bench.client().arrive(workspace, await elsewhere.client().checkpoint(there))

    assert (back.directory / "more.txt").exists()
    assert (bench.worktree / "build/kept.o").exists()


async def test_a_branch_that_people_took_away_at_the_forge_does_not_take_work_along(
    bench: Bench, elsewhere: Bench
) -> None:
    client = bench.client()
    workspace, _ = await begun(client)
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)
    (bench.worktree / "more.txt").write_text("more\n")
    saved = await client.checkpoint(workspace)
    far = bench.far.path(REPOSITORY)
    git("update-ref", "-d", f"refs/heads/{BRANCH}", cwd=far)
    git("reflog", "expire", "--expire=now", "--all", cwd=far)
    git("gc", "--quiet", "--prune=now", cwd=far)

    there = await elsewhere.client().prepare(BRANCH, saved=saved)

    assert not there.on_remote
    assert (there.directory / "more.txt").read_text() == "more\n"


async def test_a_base_that_was_rewritten_is_fetched_as_it_was(bench: Bench, elsewhere: Bench) -> None:
    workspace, saved = await begun(bench.client())
    far = bench.far.path(REPOSITORY)
    tree = git("rev-parse", "main^{tree}", cwd=far).strip()
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    new = git(*identity, "commit-tree", tree, "-m", "Begin again", cwd=far).strip()
    git("update-ref", "refs/heads/main", new, cwd=far)

    there = await elsewhere.client().arrive(workspace, saved)

    assert (there.directory / "new.txt").read_text() == "work\n"


async def test_work_that_is_too_large_stays_and_the_last_checkpoint_counts(bench: Bench) -> None:
    client = bench.client()
    workspace, saved = await begun(client)
    workshop, origin = await client._parts()
    small = Checkpoints(workshop, origin, largest=100)
    (bench.worktree / "large.txt").write_text("\n".join(str(number**5) for number in range(1000)))

    assert await small.make(workspace) is None
    assert (await client.arrive(workspace, saved)).directory == bench.worktree
    assert (bench.worktree / "large.txt").exists()
    (bench.worktree / "large.txt").unlink()
    assert await small.make(workspace) is None
    assert (await client.checkpoint(workspace)) == saved


async def test_a_checkpoint_of_another_release_says_so(bench: Bench) -> None:
    workspace, saved = await begun(bench.client())

    with pytest.raises(WorkFailed, match="another release"):
        await bench.client().arrive(workspace, saved.model_copy(update={"state": {"format": "later"}}))


async def test_a_checkpoint_is_small_and_holds_nothing_that_the_forge_has(bench: Bench) -> None:
    bench.push_as_human({"large.txt": "\n".join(str(number**7) for number in range(20_000))}, branch="main")
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "large.txt").write_text((bench.worktree / "large.txt").read_text() + "one line more\n")

    saved = await client.checkpoint(workspace)

    assert saved
    assert saved.bundle
    assert len(saved.bundle) < 2000
