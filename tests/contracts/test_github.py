"""What every GitHub does: the real client, with git over a local repository, and the mock alike."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.errors import BranchMoved, WorkFailed
from app.models import PullRequest
from app.process import operator_environment
from app.services.github.base import GitHub
from app.services.github.client import GitHubClient
from app.services.github.mock_client import MockGitHub, OfflineForge
from tests.fakes.repositories import Repositories

BRANCH = "ticket/proj-1"
SEED = {"README.md": "# Widgets\n", "src/widget.py": "size = 1\n", ".gitignore": "build/\n*.log\n"}


class World(ABC):
    """A client, and what people do and see at the forge."""

    client: GitHub

    @abstractmethod
    def push_as_human(self, files: Mapping[str, str], branch: str = BRANCH) -> str: ...

    @abstractmethod
    def head(self, branch: str = BRANCH) -> str | None: ...

    @abstractmethod
    def file(self, name: str) -> str | None: ...

    @abstractmethod
    def close(self, pull_request: PullRequest) -> None: ...


class Real(World):
    def __init__(self, root: Path) -> None:
        self._far = Repositories(root / "far")
        self._far.create("octo/widgets", SEED)
        self._forge = OfflineForge()
        self.client = GitHubClient(
            workspace_dir=root / "workspace",
            base_branch="main",
            forge=self._forge,
            operator={**operator_environment(), "HOME": str(root)},
            repo_url=self._far.path("octo/widgets").as_uri(),
        )

    def push_as_human(self, files: Mapping[str, str], branch: str = BRANCH) -> str:
        return self._far.commit_as_human("octo/widgets", branch, files, "A person's work")

    def head(self, branch: str = BRANCH) -> str | None:
        return self._far.heads("octo/widgets").get(branch)

    def file(self, name: str) -> str | None:
        return self._far.file("octo/widgets", BRANCH, name)

    def close(self, pull_request: PullRequest) -> None:
        self._forge.close(pull_request.number)


class Mock(World):
    def __init__(self, root: Path) -> None:
        self._forge = OfflineForge()
        self._mock = MockGitHub(root, SEED, forge=self._forge)
        self.client = self._mock

    def push_as_human(self, files: Mapping[str, str], branch: str = BRANCH) -> str:
        return self._mock.push_as_human(branch, files)

    def head(self, branch: str = BRANCH) -> str | None:
        return self._mock.heads.get(branch)

    def file(self, name: str) -> str | None:
        return self._mock.files(BRANCH).get(name)

    def close(self, pull_request: PullRequest) -> None:
        self._forge.close(pull_request.number)


@pytest.fixture(params=[Real, Mock])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    return made


async def test_a_new_worktree_has_the_files_of_the_base(world: World) -> None:
    await world.client.start()
    await world.client.refresh()

    workspace = await world.client.prepare(BRANCH)

    assert (workspace.branch, workspace.base, workspace.on_remote) == (BRANCH, "main", False)
    assert workspace.parent == workspace.base_commit == world.head("main")
    assert (workspace.directory / "src/widget.py").read_text() == "size = 1\n"


async def test_the_directory_is_told_while_it_exists_and_before_prepare_returns(world: World) -> None:
    told: list[Path] = []

    async def occupied(directory: Path) -> None:
        told.extend(directory.parent.iterdir())

    workspace = await world.client.prepare(BRANCH, occupied=occupied)
    await world.client.prepare(BRANCH, occupied=occupied)

    assert told == [workspace.directory, workspace.directory]


async def test_a_branch_at_the_forge_is_gone_on_with(world: World) -> None:
    fork = world.head("main")
    theirs = world.push_as_human({"theirs.txt": "1\n"})
    world.push_as_human({"later.txt": "1\n"}, branch="main")

    workspace = await world.client.prepare(BRANCH)

    assert (workspace.parent, workspace.base_commit, workspace.on_remote) == (theirs, fork, True)
    assert (await world.client.changes(workspace)).files == ("theirs.txt",)


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
    assert (await world.client.changes(workspace)).files == ()
    (workspace.directory / "new.txt").write_text("brand new\n")
    (workspace.directory / "debug.log").write_text("noise\n")
    (workspace.directory / "README.md").unlink()

    changes = await world.client.changes(workspace)

    assert changes.files == ("README.md", "new.txt")
    assert changes.unpublished
    assert "+brand new" in changes.patch
    assert "-# Widgets" in changes.patch
    assert "cut here" in (await world.client.changes(workspace, patch_bytes=40)).patch


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
    await world.client.push(workspace, commit)
    await world.client.push(workspace, commit)

    assert world.head() == commit
    assert world.file("new.txt") == "work\n"


async def test_what_people_pushed_is_never_overwritten(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    theirs = world.push_as_human({"theirs.txt": "1\n"})

    with pytest.raises(BranchMoved):
        await world.client.push(workspace, commit)
    assert world.head() == theirs

    workspace = await world.client.prepare(BRANCH)
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await world.client.push(workspace, commit)
    assert (world.file("theirs.txt"), world.file("new.txt")) == ("1\n", "work\n")


async def test_there_is_one_open_pull_request_and_a_closed_one_stays_closed(world: World) -> None:
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await world.client.push(workspace, commit)

    first = await world.client.open_pull_request(workspace, title="PROJ-1: Widgets", body="One.", draft=True)
    second = await world.client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Two.", draft=False)
    world.close(second)
    third = await world.client.open_pull_request(workspace, title="PROJ-1: Widgets", body="Three.", draft=False)

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
    workspace = await world.client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("work\n")
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await world.client.push(workspace, commit)

    assert await world.client.remove(workspace) is None
    assert await world.client.remove(workspace) is None
    assert not workspace.directory.exists()


async def test_check_says_what_was_found(world: World) -> None:
    assert await world.client.check()
