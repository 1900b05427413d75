"""What keeps a clone quick and clean over months, and what a crash left: nothing that anybody needs may go."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.results import Finding
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, Bench, paths
from tests.unguarded import unguarded


def _objects(bench: Bench) -> tuple[int, int]:
    """Loose objects and packs of the clone."""
    objects = bench.clone / ".git/objects"
    return len(list(objects.glob("??/*"))), len(list(objects.glob("pack/*.pack")))


async def test_maintenance_packs_everything_and_takes_nothing_away(bench: Bench, tmp_path: Path) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    for number in range(30):
        (bench.worktree / "new.txt").write_text(f"{number}\n")
        await client.changes(workspace)
    saved = await client.checkpoint(workspace)
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    (bench.worktree / "later.txt").write_text("not committed\n")
    before = await client.changes(workspace)
    known = set(git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", cwd=bench.clone).split())

    await client.maintain()
    await client.maintain()

    assert set(git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", cwd=bench.clone).split()) == known
    assert _objects(bench) == (0, 1)
    assert await client.changes(workspace) == before
    await client.push(workspace, commit, guard=unguarded)
    assert bench.file(BRANCH, "new.txt") == "29\n"
    assert git("fsck", "--connectivity-only", cwd=bench.clone) is not None
    other = Bench(tmp_path / "elsewhere", bench.far)
    other.root.mkdir()
    assert ((await other.client().arrive(workspace, saved)).directory / "new.txt").read_text() == "29\n"


async def test_a_persons_own_repository_is_left_to_them(bench: Bench) -> None:
    own = bench.root / "own"
    git("clone", "--quiet", bench.url, str(own), cwd=bench.root)
    client = bench.client(repo_url=None, repo_dir=own)
    workspace = await client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    await client.changes(workspace)
    before = sorted(path for path in (own / ".git").rglob("*") if "worktrees" not in path.parts)

    await client.maintain()

    assert sorted(path for path in (own / ".git").rglob("*") if "worktrees" not in path.parts) == before


def an_old_lock(bench: Bench) -> Path:
    return _made(bench.clone / ".git/packed-refs.lock")


def a_lock_of_the_private_directory(bench: Bench) -> Path:
    return _made(bench.workspace_dir / ".publisher.git/refs/remotes/origin/main.lock")


def a_lock_of_a_worktree(bench: Bench) -> Path:
    return _made(bench.clone / ".git/worktrees/proj-1/index.lock")


def trash(bench: Bench) -> Path:
    return _made(bench.workspace_dir / ".trash/half/file").parent


def a_worktree_in_the_making(bench: Bench) -> Path:
    return _made(bench.workspace_dir / ".staging/half/file").parent


def an_entry_without_a_worktree(bench: Bench) -> Path:
    directory = bench.worktree.with_name("proj-9")
    git("worktree", "add", "--quiet", "-b", "ticket/proj-9", str(directory), "origin/main", cwd=bench.clone)
    shutil.rmtree(directory)
    return bench.clone / ".git/worktrees/proj-9"


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    "leave",
    [
        an_old_lock,
        a_lock_of_the_private_directory,
        a_lock_of_a_worktree,
        trash,
        a_worktree_in_the_making,
        an_entry_without_a_worktree,
    ],
)
async def test_what_a_crash_left_is_found_and_mended(bench: Bench, leave: Callable[[Bench], Path]) -> None:
    client = bench.client(stale_s=0)
    workspace = await client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    left = leave(bench)

    seen = await client.examine()
    assert left.exists()
    mended = await client.examine(mend=True)

    assert [(each.mended, str(left) in each.what) for each in (*seen, *mended)] == [(False, True), (True, True)]
    assert not left.exists()
    assert await client.examine() == ()
    assert paths(await client.changes(workspace)) == ("new.txt",)


async def test_what_is_young_may_be_somebodys(bench: Bench) -> None:
    client = bench.client()
    await client.prepare(BRANCH)
    left = [an_old_lock(bench), a_lock_of_a_worktree(bench), trash(bench), a_worktree_in_the_making(bench)]

    assert await client.examine(mend=True) == ()
    assert all(path.exists() for path in left)


async def test_what_was_mended_at_the_start_is_told_once(bench: Bench) -> None:
    await bench.client().prepare(BRANCH)
    left = trash(bench)
    client = bench.client()
    await client.start()

    [told] = await client.examine()

    assert told == Finding(what=f"{left} was left by a process that was killed.", mended=True)
    assert await client.examine() == ()


async def test_a_worktree_of_which_nothing_is_known_is_saved_and_removed(bench: Bench) -> None:
    client = bench.client()
    await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("whose work?\n")
    record = bench.workspace_dir / ".publisher.git/workspaces/ticket%2Fproj-1/record.json"
    record.unlink()

    [listed] = await client.worktrees()
    [told] = await client.examine(mend=True, clear=False)
    assert (told.mended, bench.worktree.exists()) == (False, True)
    [found] = await client.examine(mend=True)

    assert (listed.branch, listed.directory) == (BRANCH, bench.worktree)
    assert found.mended
    assert not bench.worktree.exists()
    [work] = await client.saved()
    assert "whose work?" in (work.place / "work.patch").read_text()
    assert await client.worktrees() == ()


async def test_a_worktree_that_was_not_checked_out_to_its_end_is(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    record = bench.workspace_dir / ".publisher.git/workspaces/ticket%2Fproj-1/record.json"
    record.write_text(record.read_text().replace('"pending":null', f'"pending":"{workspace.parent}"'))
    (bench.worktree / "README.md").unlink()

    [seen] = await client.examine()
    assert not seen.mended
    await client.examine(mend=True)

    assert (bench.worktree / "README.md").exists()
    assert await client.examine() == ()


async def test_a_worktree_that_never_came_to_be_takes_no_work_along(bench: Bench) -> None:
    """Killed while it was checked out: what it was to become is what is saved of it."""
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    bench.push_as_human({"theirs.txt": "1\n"})
    await client.prepare(BRANCH)
    record = bench.workspace_dir / ".publisher.git/workspaces/ticket%2Fproj-1/record.json"
    tree = git("write-tree", cwd=bench.worktree).strip()
    record.write_text(record.read_text().replace('"pending":null', f'"pending":"{tree}"'))
    (bench.worktree / "new.txt").unlink()

    place = await client.remove(workspace)

    assert place
    assert "+work" in (place / "work.patch").read_text()


async def test_places_that_older_releases_saved_are_read(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    place = await client.remove(workspace)
    assert place
    old = place.with_name("ticket-proj-1-20250101T000000000000Z")
    place.rename(old)
    (old / "work.patch").unlink()
    (old.parent / "half-written-20250101T000000000001Z").mkdir()

    [saved] = await client.saved()

    assert (saved.branch, saved.at.year, saved.what) == (BRANCH, 2025, "commits")
    assert ((await client.restore(BRANCH)).directory / "new.txt").read_text() == "work\n"
