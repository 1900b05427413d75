"""What every GitHub does with work that was saved, and before it writes at the forge, the real client and the mock."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from app.errors import ClaimLost, NotFound
from tests.contracts.github_worlds import BRANCH, Mock, Real, World, paths, published
from tests.unguarded import unguarded


@pytest.fixture(params=[Real, Mock])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    return made


async def lost() -> None:
    """The guard of a worker whose run another one has."""
    raise ClaimLost("Another worker has the run.")


class Counting:
    """A guard that lets pass, a number of times."""

    def __init__(self, most: int = 100) -> None:
        self.asked = 0
        self._most = most

    async def __call__(self) -> None:
        self.asked += 1
        if self.asked > self._most:
            await lost()


# Guards


async def test_a_worker_that_lost_the_run_pushes_nothing(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit

    with pytest.raises(ClaimLost):
        await world.client.push(workspace, commit, guard=lost)

    assert world.head() is None
    await world.client.push(workspace, commit, guard=unguarded)
    assert world.head() == commit


async def test_a_worker_that_lost_the_run_opens_and_changes_no_pull_request(world: World) -> None:
    workspace = await published(world, {"new.txt": "work\n"})
    opened = partial(world.client.open_pull_request, workspace, title="PROJ-1: Widgets", draft=False)

    with pytest.raises(ClaimLost):
        await opened(body="One.", guard=lost)
    first = await opened(body="One.", guard=unguarded)
    with pytest.raises(ClaimLost):
        await opened(body="Two.", guard=lost)
    with pytest.raises(ClaimLost):  # the update is done, the claim is lost before the hold
        await opened(body="Two.", hold=True, guard=Counting(1))
    last = await opened(body="Two.", guard=unguarded)

    assert (first.created, first.number) == (True, 1)
    assert (last.created, last.number, last.draft) == (False, 1, False)


async def test_nobody_is_asked_where_nothing_is_written(world: World) -> None:
    workspace = await published(world, {"new.txt": "work\n"})
    opened = partial(world.client.open_pull_request, workspace, title="PROJ-1: Widgets", body="One.", draft=True)
    opening, looking = Counting(), Counting()

    await opened(guard=opening)
    await opened(guard=looking)

    assert (opening.asked, looking.asked) == (1, 0)


# Saved work


async def test_what_was_saved_is_listed_the_newest_first_and_comes_back(world: World) -> None:
    for text in ("one\n", "two\n"):
        workspace = await world.client.prepare(BRANCH)
        (workspace.directory / "new.txt").write_text(text)
        (workspace.directory / "README.md").unlink()
        await world.client.remove(workspace)

    newest, oldest = await world.client.saved()
    assert newest.name != oldest.name
    assert newest.at >= oldest.at
    assert (newest.branch, newest.repository, newest.what) == (BRANCH, "local/widgets", "2 files")
    assert newest.size > 0

    back = await world.client.restore(BRANCH)
    assert (back.directory / "new.txt").read_text() == "two\n"
    assert not (back.directory / "README.md").exists()
    again = await world.client.prepare(BRANCH)
    assert (again.directory / "new.txt").read_text() == "two\n"
    assert (await world.client.changes(again)).unpublished
    assert len(await world.client.saved()) == 2


async def test_a_named_one_comes_back_and_what_is_there_is_saved_first(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("one\n")
    await world.client.remove(workspace)
    [first] = await world.client.saved()
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "other.txt").write_text("meanwhile\n")

    back = await world.client.restore(BRANCH, name=first.name)
    await world.client.restore(BRANCH, name=first.name)

    assert paths(await world.client.changes(back)) == ("new.txt",)
    meanwhile = [each for each in await world.client.saved() if each.name != first.name]
    assert len(meanwhile) == 1
    other = await world.client.restore(BRANCH, name=meanwhile[0].name)
    assert paths(await world.client.changes(other)) == ("other.txt",)


async def test_saved_work_comes_back_on_top_of_what_people_pushed_since(world: World) -> None:
    workspace = await published(world, {"new.txt": "one\n"})
    (workspace.directory / "new.txt").write_text("ours\n")
    (workspace.directory / "more.txt").write_text("more\n")
    await world.client.remove(workspace)
    world.push_as_human({"new.txt": "theirs\n", "theirs.txt": "1\n"})

    back = await world.client.restore(BRANCH)

    assert back.parent == world.head()
    assert back.conflicts == ("new.txt",)
    assert (back.directory / "more.txt").read_text() == "more\n"
    assert (back.directory / "theirs.txt").read_text() == "1\n"


async def test_work_that_nobody_saved_cannot_come_back(world: World) -> None:
    with pytest.raises(NotFound, match=BRANCH):
        await world.client.restore(BRANCH)


async def test_restored_work_replaces_what_was_last_kept_of_the_conversation(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("one\n")
    await world.client.remove(workspace)
    there = await world.elsewhere.prepare(BRANCH)
    (there.directory / "new.txt").write_text("of another machine\n")
    last = await world.elsewhere.checkpoint(there)

    await world.client.restore(BRANCH, saved=last)
    back = await world.client.prepare(BRANCH, saved=last)

    assert (back.directory / "new.txt").read_text() == "one\n"
    newest = await world.client.checkpoint(back)
    assert ((await world.elsewhere.prepare(BRANCH, saved=newest)).directory / "new.txt").read_text() == "one\n"


# What is left


async def test_worktrees_are_listed_by_branch_and_go_by_that(world: World) -> None:
    for branch in ("ticket/proj-2", BRANCH):
        workspace = await world.client.prepare(branch)
        (workspace.directory / "new.txt").write_text("work\n")

    found = await world.client.worktrees()
    places = [await world.client.remove(each) for each in found]

    assert [each.branch for each in found] == [BRANCH, "ticket/proj-2"]
    assert all(place and place.is_dir() for place in places)
    assert await world.client.worktrees() == ()


async def test_a_worktree_that_vanished_is_found_and_forgotten(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    assert await world.client.examine() == ()
    shutil.rmtree(workspace.directory)

    [seen] = await world.client.examine()
    [mended] = await world.client.examine(mend=True)

    assert (seen.mended, mended.mended) == (False, True)
    assert str(workspace.directory) in seen.what
    assert not await world.client.examine()


async def test_maintenance_takes_nothing_away(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")

    await world.client.maintain()

    assert paths(await world.client.changes(workspace)) == ("new.txt",)
