"""What every GitHub does while a conversation goes on: other bases, pushes of people, worktrees that are gone."""

from pathlib import Path

import pytest

from app.errors import WorkFailed
from tests.contracts.github_worlds import BRANCH, Mock, Real, World, paths, published
from tests.unguarded import unguarded


@pytest.fixture(params=[Real, Mock])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    return made


async def test_branches_for_a_pull_request_are_those_of_people_and_the_default_comes_first(world: World) -> None:
    for branch in ("release-2", BRANCH, "a/feature"):
        world.push_as_human({"x.txt": "1\n"}, branch=branch)

    assert await world.client.branches() == ("main", "a/feature", "release-2")


async def test_a_worktree_starts_from_the_base_that_is_asked_for(world: World) -> None:
    theirs = world.push_as_human({"released.txt": "1\n"}, branch="release-2")

    workspace = await world.client.prepare(BRANCH, base="release-2")

    assert (workspace.base, workspace.base_commit, workspace.parent) == ("release-2", theirs, theirs)
    assert (workspace.directory / "released.txt").exists()


async def test_a_base_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(WorkFailed, match="no branch release-9"):
        await world.client.prepare(BRANCH, base="release-9")


async def test_a_published_branch_stays_and_is_compared_with_another_base(world: World) -> None:
    world.push_as_human({"released.txt": "1\n"}, branch="release-2")
    fork = world.head("main")
    before = await published(world, {"new.txt": "work\n"})
    first = await world.client.open_pull_request(
        before, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded
    )
    world.push_as_human({"later.txt": "1\n"}, branch="main")
    (before.directory / "more.txt").write_text("unpublished\n")

    workspace = await world.client.prepare(BRANCH, base="release-2")
    again = await world.client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded
    )

    assert (workspace.base, workspace.base_commit, workspace.parent) == ("release-2", fork, world.head())
    assert paths(await world.client.changes(workspace)) == ("more.txt", "new.txt")
    assert again.number == first.number
    assert world.base_of(again) == "release-2"


async def test_unpublished_work_is_brought_onto_another_base(world: World) -> None:
    theirs = world.push_as_human({"released.txt": "1\n"}, branch="release-2")
    world.push_as_human({"later.txt": "1\n"}, branch="main")
    before = await world.client.prepare(BRANCH)
    (before.directory / "new.txt").write_text("work\n")

    workspace = await world.client.prepare(BRANCH, base="release-2")

    assert (workspace.base, workspace.base_commit, workspace.parent) == ("release-2", theirs, theirs)
    assert paths(await world.client.changes(workspace)) == ("new.txt",)
    assert not (workspace.directory / "later.txt").exists()


async def test_what_people_pushed_is_told_until_it_is_acknowledged(world: World) -> None:
    assert (await published(world, {"new.txt": "work\n"})).arrived == ()
    first, second = (world.push_as_human({f"{name}.txt": "1\n"}) for name in ("first", "second"))
    told = (f"{first[:7]} Ada Human: A person's work", f"{second[:7]} Ada Human: A person's work")

    assert (await world.client.prepare(BRANCH)).arrived == told
    workspace = await world.client.prepare(BRANCH)
    assert workspace.arrived == told
    await world.client.acknowledge(workspace)
    assert (await world.client.prepare(BRANCH)).arrived == ()

    third = world.push_as_human({"third.txt": "1\n"})
    assert [line[:7] for line in (await world.client.prepare(BRANCH)).arrived] == [third[:7]]


async def test_a_commit_acknowledges_what_arrived(world: World) -> None:
    await published(world, {"new.txt": "work\n"})
    world.push_as_human({"first.txt": "1\n"})
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("more\n")
    await world.client.commit(workspace, "PROJ-1: More")
    second = world.push_as_human({"second.txt": "1\n"})

    assert [line[:7] for line in (await world.client.prepare(BRANCH)).arrived] == [second[:7]]


async def test_what_came_before_the_service_or_with_the_base_did_not_arrive(world: World) -> None:
    world.push_as_human({"theirs.txt": "1\n"})

    assert (await world.client.prepare(BRANCH)).arrived == ()
    world.push_as_human({"later.txt": "1\n"}, branch="main")
    assert (await world.client.prepare(BRANCH)).arrived == ()


@pytest.mark.parametrize("people", ["pushed", "did nothing", "merged and deleted it"])
async def test_a_removed_worktree_is_rebuilt_from_the_forge(world: World, people: str) -> None:
    workspace = await published(world, {"new.txt": "work\n"})
    await world.client.remove(workspace)
    if people == "pushed":
        world.push_as_human({"theirs.txt": "1\n"})
    elif people == "merged and deleted it":
        world.push_as_human({"new.txt": "work\n"}, branch="main")
        world.delete(BRANCH)

    again = await world.client.prepare(BRANCH)

    assert (again.directory / "new.txt").read_text() == "work\n"
    assert again.parent == world.head("main" if people == "merged and deleted it" else BRANCH)
    assert len(again.arrived) == (1 if people == "pushed" else 0)
    is_there_yet = people == "merged and deleted it"
    assert ("new.txt" in paths(await world.client.changes(again))) is not is_there_yet
