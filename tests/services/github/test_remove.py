"""Worktrees go; work that is nowhere else stays."""

import shlex
import subprocess
from pathlib import Path

from app.results import Workspace
from app.services.github.client import GitHubClient
from tests.fakes.repositories import PLAIN_GIT, git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench
from tests.unguarded import unguarded


async def _with_work(bench: Bench, client: GitHubClient) -> Workspace:
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    (bench.worktree / "picture.bin").write_bytes(bytes(range(256)))
    return workspace


def _restored(bench: Bench, place: Path) -> set[str]:
    """The files that the saved bundle and the saved patch bring back, each by itself."""
    path = bench.far.path(REPOSITORY)
    git("fetch", "--quiet", str(place / "branch.bundle"), "refs/saved/*:refs/restored/*", cwd=path)
    names = set(git("ls-tree", "-r", "--name-only", f"refs/restored/{BRANCH}", cwd=path).splitlines())
    other = bench.root / "restored"
    git("clone", "--quiet", str(path), str(other), cwd=bench.root)
    git("apply", str(place / "work.patch"), cwd=other)
    assert {path.name for path in other.iterdir()} - {".git"} == {name.split("/")[0] for name in names}
    return names


async def test_a_published_worktree_leaves_nothing_behind(bench: Bench) -> None:
    client = bench.client()
    workspace = await _with_work(bench, client)
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)

    assert await client.remove(workspace) is None

    assert not bench.worktree.exists()
    assert bench.in_clone("worktree", "list", "--porcelain").count("worktree ") == 1
    assert bench.in_clone("branch", "--list") == ""
    assert not list((bench.workspace_dir / "saved").iterdir())
    assert not list((bench.workspace_dir / ".trash").iterdir())
    assert await client.remove(workspace) is None


async def test_unfinished_files_are_saved_as_a_bundle_and_a_patch(bench: Bench) -> None:
    client = bench.client()

    place = await client.remove(await _with_work(bench, client))

    assert place
    assert place.parent == bench.workspace_dir / "saved"
    assert {"new.txt", "picture.bin"} < _restored(bench, place)


async def test_a_commit_that_was_never_pushed_is_saved(bench: Bench) -> None:
    client = bench.client()
    workspace = await _with_work(bench, client)
    await client.commit(workspace, "PROJ-1: Widgets")

    place = await client.remove(workspace)

    assert place
    assert {"new.txt", "picture.bin"} < _restored(bench, place)


async def test_a_commit_is_saved_even_where_its_worktree_is_gone(bench: Bench) -> None:
    client = bench.client()
    workspace = await _with_work(bench, client)
    await client.commit(workspace, "PROJ-1: Widgets")
    git("worktree", "remove", "--force", str(bench.worktree), cwd=bench.clone)

    place = await client.remove(workspace)

    assert place
    assert (place / "branch.bundle").exists()


async def test_a_new_worktree_can_be_made_after_removal(bench: Bench) -> None:
    client = bench.client()
    await client.remove(await _with_work(bench, client))

    again = await client.prepare(BRANCH)

    assert not (again.directory / "new.txt").exists()


async def test_write_protected_files_go_too(bench: Bench) -> None:
    client = bench.client()
    workspace = await _with_work(bench, client)
    cache = bench.worktree / "build/cache"
    cache.mkdir(parents=True)
    (cache / "f").write_text("1")
    cache.chmod(0o500)

    await client.remove(workspace)

    assert not list((bench.workspace_dir / ".trash").iterdir())


async def test_the_command_for_people_removes_the_worktree_with_all_its_work(bench: Bench) -> None:
    client = bench.client()
    workspace = await _with_work(bench, client)

    command = client.removal_command(workspace)
    subprocess.run(shlex.split(command), env=PLAIN_GIT, check=True, capture_output=True)  # noqa: ASYNC221 - short

    assert command.startswith("git -C ")
    assert command.endswith(" --force")
    assert not bench.worktree.exists()
    assert (await client.prepare(BRANCH)).directory.exists()
