"""What every GitHub does, the real client and the mock alike: from a worktree to a branch and a pull request."""

from pathlib import Path

import pytest

from app.errors import BranchMoved, WorkFailed
from app.models import FileChange
from app.results import Refusal, RefusalReason
from tests.contracts.github_worlds import BRANCH, Mock, Real, World, made_up_token, paths, published
from tests.unguarded import unguarded


@pytest.fixture(params=[Real, Mock])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    return made


async def test_a_new_worktree_has_the_files_of_the_base(world: World) -> None:
    await world.client.start()
    await world.client.refresh()

    workspace = await world.client.prepare(BRANCH)

    assert (workspace.repository, workspace.branch, workspace.base) == ("local/widgets", BRANCH, "main")
    assert not workspace.on_remote
    assert workspace.parent == workspace.base_commit == world.head("main")
    assert (workspace.directory / "src/widget.py").read_text() == "size = 1\n"


async def test_the_directory_is_told_while_it_exists_and_before_prepare_returns(world: World) -> None:
    told: list[Path] = []

    async def occupied(directory: Path) -> None:
        told.extend(directory.parent.iterdir())

    workspace = await world.client.prepare(BRANCH, occupied=occupied)
    await world.client.prepare(BRANCH, occupied=occupied)

    assert told == [workspace.directory, workspace.directory]


async def test_a_worktree_is_made_of_the_ground_that_was_laid_for_it(world: World, tmp_path: Path) -> None:
    ground = tmp_path / "ground"
    ground.mkdir()
    before = ground.stat()

    workspace = await world.client.prepare(BRANCH, ground=ground)

    after = workspace.directory.stat()
    assert (after.st_dev, after.st_ino) == (before.st_dev, before.st_ino)
    assert (workspace.directory / "src/widget.py").read_text() == "size = 1\n"
    assert not ground.exists()
    assert await world.client.prepare(BRANCH) == workspace


async def test_a_worktree_that_is_there_takes_no_new_ground(world: World, tmp_path: Path) -> None:
    first = await world.client.prepare(BRANCH)
    inode = first.directory.stat().st_ino
    (first.directory / "new.txt").write_text("work\n")
    ground = tmp_path / "ground"
    ground.mkdir()

    assert await world.client.prepare(BRANCH, ground=ground) == first
    assert first.directory.stat().st_ino == inode
    assert (first.directory / "new.txt").read_text() == "work\n"
    assert not ground.exists()


async def test_a_ground_that_is_gone_or_used_otherwise_is_left_alone(world: World, tmp_path: Path) -> None:
    ground = tmp_path / "ground"
    ground.mkdir()
    (ground / "kept.txt").write_text("whose?\n")

    workspace = await world.client.prepare(BRANCH, ground=ground)
    await world.client.remove(workspace)
    await world.client.prepare(BRANCH, ground=tmp_path / "gone")

    assert (ground / "kept.txt").read_text() == "whose?\n"
    assert (workspace.directory / "README.md").exists()


async def test_a_branch_at_the_forge_is_gone_on_with(world: World) -> None:
    fork = world.head("main")
    theirs = world.push_as_human({"theirs.txt": "1\n"})
    world.push_as_human({"later.txt": "1\n"}, branch="main")

    workspace = await world.client.prepare(BRANCH)

    assert (workspace.parent, workspace.base_commit, workspace.on_remote) == (theirs, fork, True)
    assert paths(await world.client.changes(workspace)) == ("theirs.txt",)


async def test_a_second_prepare_keeps_the_work(world: World) -> None:
    first = await world.client.prepare(BRANCH)
    (first.directory / "new.txt").write_text("work\n")

    assert await world.client.prepare(BRANCH) == first
    assert (first.directory / "new.txt").read_text() == "work\n"


async def test_work_and_a_persons_push_come_together(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    (workspace.directory / "src/widget.py").write_text("size = 2\n")
    theirs = world.push_as_human({"README.md": "# Better\n", "src/widget.py": "size = 3\n"})

    await world.client.refresh()
    workspace = await world.client.prepare(BRANCH)

    assert (workspace.parent, workspace.on_remote) == (theirs, True)
    assert workspace.conflicts == ("src/widget.py",)
    assert (workspace.directory / "README.md").read_text() == "# Better\n"
    assert (workspace.directory / "new.txt").read_text() == "work\n"
    assert (workspace.directory / "src/widget.py").read_text().count("size = ") == 2


async def test_what_is_not_resolved_is_not_committed(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "src/widget.py").write_text("size = 2\n")
    world.push_as_human({"src/widget.py": "size = 3\n"})
    await world.client.refresh()
    workspace = await world.client.prepare(BRANCH)

    with pytest.raises(WorkFailed, match=r"src/widget\.py still has conflict markers"):
        await world.client.commit(workspace, "PROJ-1: Half done")
    (workspace.directory / "src/widget.py").write_text("size = 5\n")
    assert await world.client.commit(workspace, "PROJ-1: Done")


async def test_changes_are_those_of_the_files(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    assert paths(await world.client.changes(workspace)) == ()
    (workspace.directory / "new.txt").write_text("brand new\n")
    (workspace.directory / "debug.log").write_text("noise\n")
    (workspace.directory / "README.md").unlink()
    (workspace.directory / "src/widget.py").write_text("size = 2\n++size\n--size\n")

    changes = await world.client.changes(workspace)

    assert changes.files == (
        FileChange(path="README.md", added=0, removed=1),
        FileChange(path="new.txt", added=1, removed=0),
        FileChange(path="src/widget.py", added=3, removed=1),
    )
    assert changes.unpublished
    assert "+brand new" in changes.patch
    assert "-# Widgets" in changes.patch
    short = (await world.client.changes(workspace, patch_bytes=40)).patch.splitlines()
    assert short[0] == changes.patch.splitlines()[0]
    assert "cut here" in short[1]


async def test_files_are_read_from_the_base(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "README.md").write_text("rewritten\n")

    assert await world.client.read(workspace, "README.md") == "# Widgets\n"
    assert await world.client.read(workspace, "README.md", limit_bytes=3) == "# W"
    assert await world.client.read(workspace, "nowhere.md") is None


async def test_work_is_committed_and_pushed_once(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    assert await world.client.commit(workspace, "PROJ-1: Nothing") is None
    (workspace.directory / "new.txt").write_text("work\n")

    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await world.client.push(workspace, commit, guard=unguarded)
    await world.client.push(workspace, commit, guard=unguarded)

    assert world.head() == commit
    assert world.file("new.txt") == "work\n"


async def test_what_people_pushed_is_never_overwritten(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    theirs = world.push_as_human({"theirs.txt": "1\n"})

    with pytest.raises(BranchMoved):
        await world.client.push(workspace, commit, guard=unguarded)
    assert world.head() == theirs

    workspace = await world.client.prepare(BRANCH)
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await world.client.push(workspace, commit, guard=unguarded)
    assert (world.file("theirs.txt"), world.file("new.txt")) == ("1\n", "work\n")


async def test_there_is_one_open_pull_request_and_a_closed_one_stays_closed(world: World) -> None:
    workspace = await published(world, {"new.txt": "work\n"})

    first = await world.client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded
    )
    second = await world.client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="Two.", draft=False, guard=unguarded
    )
    world.close(second)
    third = await world.client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="Three.", draft=False, guard=unguarded
    )

    assert (first.created, second.created, third.created) == (True, False, True)
    assert (first.number, second.number, third.number) == (1, 1, 2)
    assert (first.draft, second.draft, third.draft) == (True, True, False)


async def test_a_removed_worktree_keeps_unpushed_work_elsewhere(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")

    place = await world.client.remove(workspace)

    assert place
    assert "+work" in (place / "work.patch").read_text()
    assert not workspace.directory.exists()
    assert str(workspace.directory) in world.client.removal_command(workspace)


async def test_a_removed_worktree_with_nothing_unpushed_leaves_nothing(world: World) -> None:
    workspace = await published(world, {"new.txt": "work\n"})

    assert await world.client.remove(workspace) is None
    assert await world.client.remove(workspace) is None
    assert not workspace.directory.exists()


async def test_check_says_what_was_found(world: World) -> None:
    assert await world.client.check()


async def test_a_secret_is_refused_with_its_place_and_not_published(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "src/widget.py").write_text(f"size = 1\ntoken = '{made_up_token()}'\n")

    found = await world.client.inspect(workspace)
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")

    assert commit
    assert await world.client.inspect(workspace, commit) == found
    assert found.refusals == (Refusal(reason=RefusalReason.SECRET, place="src/widget.py:2", what="github pat"),)
    with pytest.raises(WorkFailed, match=r"src/widget\.py:2"):
        await world.client.push(workspace, commit, guard=unguarded)
    assert world.head() is None
    assert (workspace.directory / "src/widget.py").exists()


async def test_protected_paths_are_named_as_long_as_the_change_has_them(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    assert not (await world.client.inspect(workspace)).protected
    (workspace.directory / "CODEOWNERS").write_text("* @ada\n")
    found = await world.client.inspect(workspace)
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await world.client.push(workspace, commit, guard=unguarded)

    later = await world.client.inspect(await world.client.prepare(BRANCH))

    assert (found.protected, found.adds_protected) == (("CODEOWNERS",), True)
    assert (later.protected, later.adds_protected) == (("CODEOWNERS",), False)


async def test_a_pull_request_that_is_there_stays_ready_unless_it_is_held(world: World) -> None:
    workspace = await published(world, {"new.txt": "1\n"})
    for draft, hold, ends in ((False, False, False), (True, False, False), (False, True, True), (False, False, True)):
        opened = await world.client.open_pull_request(
            workspace, title="T", body="B", draft=draft, hold=hold, guard=unguarded
        )
        assert opened.draft is ends
