"""What every GitHub does when the work on a branch goes on on another machine, the real client and the mock alike."""

import json
from pathlib import Path

import pytest

from app.results import Checkpoint, Workspace
from app.services.github.base import GitHub
from tests.contracts.github_worlds import BRANCH, Mock, Real, World, paths, published
from tests.unguarded import unguarded


@pytest.fixture(params=[Real, Mock])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    return made


async def kept(github: GitHub, workspace: Workspace) -> Checkpoint:
    """A checkpoint as it comes out of a database."""
    checkpoint = await github.checkpoint(workspace)
    assert checkpoint
    state = json.loads(json.dumps(checkpoint.state))
    return checkpoint.model_copy(update={"state": state})


async def test_work_that_is_nowhere_else_goes_on_on_another_machine(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    (workspace.directory / "src/widget.py").write_text("size = 2\n")
    (workspace.directory / "README.md").unlink()
    (workspace.directory / "all.log").write_text("not of the change\n")

    there = await world.elsewhere.arrive(workspace, await kept(world.client, workspace))

    assert there.directory != workspace.directory
    assert there.model_copy(update={"directory": workspace.directory, "common": workspace.common}) == (
        workspace.model_copy(update={"restored": True})
    )
    assert (there.directory / "new.txt").read_text() == "work\n"
    assert not (there.directory / "README.md").exists()
    assert not (there.directory / "all.log").exists()
    assert await world.elsewhere.changes(there) == await world.client.changes(workspace)
    commit = await world.elsewhere.commit(there, "PROJ-1: Widgets")
    assert commit
    await world.elsewhere.push(there, commit, guard=unguarded)
    assert world.file("src/widget.py") == "size = 2\n"


async def test_a_commit_of_a_lost_machine_is_pushed_by_another(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit

    there = await world.elsewhere.arrive(workspace, await kept(world.client, workspace))
    await world.elsewhere.push(there, commit, guard=unguarded)

    assert world.head() == commit
    assert not (await world.elsewhere.changes(await world.elsewhere.prepare(BRANCH))).unpublished


async def test_a_worktree_as_new_as_the_checkpoint_is_left_as_it_is(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("one\n")
    old = await kept(world.client, workspace)
    (workspace.directory / "new.txt").write_text("two\n")
    await kept(world.client, workspace)  # never reached the database
    (workspace.directory / "new.txt").write_text("three\n")

    assert await world.client.arrive(workspace, old) == workspace
    assert await world.client.arrive(workspace, None) == workspace
    assert await world.client.prepare(BRANCH, saved=old) == workspace
    assert (workspace.directory / "new.txt").read_text() == "three\n"
    assert await world.client.saved() == ()


async def test_a_checkpoint_is_the_same_until_something_changes(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    nothing = await kept(world.client, workspace)
    (workspace.directory / "new.txt").write_text("work\n")
    first = await kept(world.client, workspace)
    again = await kept(world.client, workspace)
    there = await world.elsewhere.arrive(workspace, first)
    elsewhere = await kept(world.elsewhere, there)
    (there.directory / "new.txt").write_text("more\n")
    last = await kept(world.elsewhere, there)

    assert nothing.bundle is None
    assert first.bundle is not None
    assert first.repository == "local/widgets"
    assert first.id == again.id == elsewhere.id
    assert len({nothing.id, first.id, last.id}) == 3


async def test_nothing_travels_of_what_the_forge_has(world: World) -> None:
    workspace = await published(world, {"new.txt": "work\n"})

    saved = await kept(world.client, workspace)
    there = await world.elsewhere.prepare(BRANCH, saved=saved)

    assert saved.bundle is None
    assert there.parent == world.head()
    assert not there.restored


async def test_a_workspace_is_restored_until_somebody_works_on_in_it(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    saved = await kept(world.client, workspace)

    assert (await world.elsewhere.arrive(workspace, saved)).restored
    there = await world.elsewhere.arrive(workspace, saved)
    assert there.restored
    await kept(world.elsewhere, there)
    assert not (await world.elsewhere.arrive(workspace, saved)).restored


async def test_a_worktree_that_is_lost_with_no_checkpoint_begins_anew(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")

    there = await world.elsewhere.arrive(workspace, None)

    assert there.restored
    assert (there.directory / "src/widget.py").read_text() == "size = 1\n"
    assert not (there.directory / "new.txt").exists()


async def test_work_that_only_this_machine_has_is_saved_before_another_takes_its_place(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("one\n")
    saved = await kept(world.client, workspace)
    there = await world.elsewhere.arrive(workspace, saved)
    (there.directory / "new.txt").write_text("theirs\n")
    newest = await kept(world.elsewhere, there)
    (workspace.directory / "new.txt").write_text("of a worker that was thought dead\n")

    back = await world.client.arrive(workspace, newest)

    assert (back.directory / "new.txt").read_text() == "theirs\n"
    [work] = await world.client.saved()
    assert (work.branch, work.repository) == (BRANCH, "local/widgets")
    assert "thought dead" in (work.place / "work.patch").read_text()


async def test_an_older_state_of_the_same_work_is_not_saved(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("one\n")
    there = await world.elsewhere.arrive(workspace, await kept(world.client, workspace))
    (there.directory / "new.txt").write_text("two\n")

    back = await world.client.arrive(workspace, await kept(world.elsewhere, there))

    assert (back.directory / "new.txt").read_text() == "two\n"
    assert await world.client.saved() == ()


async def test_the_next_run_goes_on_with_the_work_of_another_machine(world: World) -> None:
    workspace = await published(world, {"new.txt": "one\n"})
    (workspace.directory / "new.txt").write_text("one\ntwo\n")
    saved = await kept(world.client, workspace)
    world.push_as_human({"theirs.txt": "1\n"})

    there = await world.elsewhere.prepare(BRANCH, saved=saved)

    assert there.parent == world.head()
    assert (there.directory / "new.txt").read_text() == "one\ntwo\n"
    assert (there.directory / "theirs.txt").read_text() == "1\n"
    assert [line.split(" ", 1)[1] for line in there.arrived] == ["Ada Human: A person's work"]
    assert (await world.elsewhere.changes(there)).unpublished


async def test_conflicts_and_what_people_pushed_travel(world: World) -> None:
    workspace = await published(world, {"new.txt": "one\n"})
    (workspace.directory / "new.txt").write_text("ours\n")
    world.push_as_human({"new.txt": "theirs\n"})
    brought = await world.client.prepare(BRANCH)
    assert brought.conflicts == ("new.txt",)
    saved = await kept(world.client, brought)

    there = await world.elsewhere.arrive(brought, saved)
    again = await world.elsewhere.prepare(BRANCH)

    assert there.arrived == brought.arrived != ()
    assert again.conflicts == ("new.txt",)
    assert again.arrived == brought.arrived
    await world.elsewhere.acknowledge(again)
    assert (await world.client.prepare(BRANCH, saved=await kept(world.elsewhere, again))).arrived == ()


async def test_a_worktree_that_was_removed_is_made_nowhere_again(world: World) -> None:
    workspace = await published(world, {"new.txt": "one\n"})
    await world.elsewhere.arrive(workspace, await kept(world.client, workspace))
    await world.client.remove(workspace)
    gone = await kept(world.client, workspace)

    here = await world.client.arrive(workspace, gone)
    there = await world.elsewhere.arrive(workspace, gone)

    assert not here.directory.exists()
    assert not there.directory.exists()
    assert (there.directory / "new.txt") != (here.directory / "new.txt")
    assert (await world.elsewhere.saved(), await world.client.saved()) == ((), ())
    assert ((await world.elsewhere.prepare(BRANCH, saved=gone)).directory / "new.txt").read_text() == "one\n"


async def test_an_older_worktree_makes_room_for_what_was_published_elsewhere(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("one\n")
    await world.client.commit(workspace, "PROJ-1: never pushed")
    there = await world.elsewhere.arrive(workspace, await kept(world.client, workspace))
    (there.directory / "new.txt").write_text("one\ntwo\n")
    commit = await world.elsewhere.commit(there, "PROJ-1: Widgets")
    assert commit
    await world.elsewhere.push(there, commit, guard=unguarded)
    await world.elsewhere.remove(there)

    back = await world.client.prepare(BRANCH, saved=await kept(world.elsewhere, there))

    assert (back.directory / "new.txt").read_text() == "one\ntwo\n"
    assert (back.parent, back.on_remote) == (world.head(), True)
    assert await world.client.saved() == ()
    assert paths(await world.client.changes(back)) == ("new.txt",)
