"""What every Repositories does: the real ones, with git over local repositories, and the mocks alike."""

from pathlib import Path

import pytest

from app.config import Settings, load_settings
from app.errors import ConfigurationError, NotFound
from app.services.github import Repositories, make_repositories
from app.services.github.mock_client import MockGitHub, MockRepositories, OfflineForge
from tests.fakes import repositories as far
from tests.unguarded import unguarded

BRANCH = "ticket/proj-1"
FIRST, SECOND = "local/widgets", "local/gadgets"


class World:
    """Two repositories with a forge in common."""

    forge: OfflineForge
    repositories: Repositories
    none: Repositories


class Real(World):
    def __init__(self, root: Path) -> None:
        there = far.Repositories(root / "far")
        first = there.create("octo/widgets", {"name.txt": "widgets\n"})
        second = there.create("octo/gadgets", {"name.txt": "gadgets\n"}, branch="trunk")
        self.forge = OfflineForge()
        settings = load_settings(_env_file=None, repo_dir=root, workspace_dir=root / "workspace", offline=True)
        self.none = make_repositories(settings)
        two: Settings = settings.model_copy(update={"repo_url": str(first), "repositories": (f"{second}#trunk",)})
        self.repositories = make_repositories(two, forge=self.forge)


class Mock(World):
    def __init__(self, root: Path) -> None:
        self.forge = OfflineForge()
        self.none = MockRepositories()
        self.repositories = MockRepositories(
            MockGitHub(root / "one", {"name.txt": "widgets\n"}, name=FIRST, forge=self.forge),
            MockGitHub(root / "two", {"name.txt": "gadgets\n"}, name=SECOND, base="trunk", forge=self.forge),
        )


@pytest.fixture(params=[Real, Mock])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    await made.repositories.start()
    return made


async def test_they_are_known_by_their_names_and_the_first_is_the_default(world: World) -> None:
    repositories = world.repositories

    assert repositories.names == (FIRST, SECOND)
    assert repositories.default == FIRST
    assert [repositories.base_of(name) for name in repositories.names] == ["main", "trunk"]
    assert repositories.of(SECOND) is repositories.of(SECOND)


async def test_another_name_is_not_found_and_says_what_to_set(world: World) -> None:
    with pytest.raises(NotFound, match=r"no repository octo/sprockets .*REPOSITORIES"):
        world.repositories.of("octo/sprockets")
    with pytest.raises(NotFound):
        world.repositories.base_of("octo/sprockets")


async def test_one_ticket_has_a_worktree_and_a_pull_request_in_each(world: World) -> None:
    made = []
    for name in world.repositories.names:
        github = world.repositories.of(name)
        workspace = await github.prepare(BRANCH)
        assert workspace.repository == name
        assert f"local/{(workspace.directory / 'name.txt').read_text().strip()}" == name
        (workspace.directory / "new.txt").write_text("work\n")
        commit = await github.commit(workspace, "PROJ-1: Widgets")
        assert commit
        await github.push(workspace, commit, guard=unguarded)
        made.append(await github.open_pull_request(workspace, title="PROJ-1", body="Why.", draft=True, guard=unguarded))

    assert [(each.repository, each.number, each.created) for each in made] == [(FIRST, 1, True), (SECOND, 1, True)]
    assert [proposal.base for proposal in world.forge.proposals] == ["main", "trunk"]


async def test_where_nothing_is_configured_the_start_is_no_failure_and_whoever_asks_is_told(world: World) -> None:
    await world.none.start()

    assert world.none.names == ()
    with pytest.raises(ConfigurationError, match="set REPO_URL"):
        assert world.none.default
    with pytest.raises(ConfigurationError, match="set REPO_URL"):
        await world.none.check()
    with pytest.raises(NotFound):
        world.none.of(FIRST)


async def test_check_tells_of_each(world: World) -> None:
    found = await world.repositories.check()

    assert found.index("widgets") < found.index("gadgets")
