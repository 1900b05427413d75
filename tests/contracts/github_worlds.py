"""The two worlds that the contract of GitHub is tried in: git over a local repository, and the mock."""

import secrets
import string
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from app.config import PROTECTED
from app.domain.protected import ProtectedPaths
from app.models import PullRequest
from app.process import operator_environment
from app.results import Changes, Workspace
from app.services.github.base import GitHub
from app.services.github.client import GitHubClient
from app.services.github.inspection import Inspector
from app.services.github.mock_client import MockGitHub, OfflineForge
from app.services.github.secrets import Kingfisher
from tests.fakes.repositories import Repositories, git
from tests.unguarded import unguarded

BRANCH = "ticket/proj-1"
SEED = {"README.md": "# Widgets\n", "src/widget.py": "size = 1\n", ".gitignore": "build/\n*.log\n"}


class World(ABC):
    """A client, one on another machine, and what people do and see at the forge."""

    client: GitHub
    elsewhere: GitHub

    @abstractmethod
    def push_as_human(self, files: Mapping[str, str], branch: str = BRANCH) -> str: ...

    @abstractmethod
    def head(self, branch: str = BRANCH) -> str | None: ...

    @abstractmethod
    def file(self, name: str) -> str | None: ...

    @abstractmethod
    def delete(self, branch: str) -> None: ...

    @abstractmethod
    def close(self, pull_request: PullRequest) -> None: ...

    @abstractmethod
    def base_of(self, pull_request: PullRequest) -> str: ...


class Real(World):
    def __init__(self, root: Path) -> None:
        self._far = Repositories(root / "far")
        self._far.create("octo/widgets", SEED)
        self._forge = OfflineForge()
        self._home = root
        self.client = self._on_machine(root)
        self.elsewhere = self._on_machine(root / "elsewhere")

    def _on_machine(self, root: Path) -> GitHubClient:
        return GitHubClient(
            root=root / "workspace",
            base_branch="main",
            forge=self._forge,
            inspector=Inspector(scanner=Kingfisher(), protected=ProtectedPaths(PROTECTED)),
            operator={**operator_environment(), "HOME": str(self._home)},
            repo_url=self._far.path("octo/widgets").as_uri(),
            fresh_s=0,
        )

    def push_as_human(self, files: Mapping[str, str], branch: str = BRANCH) -> str:
        return self._far.commit_as_human("octo/widgets", branch, files, "A person's work")

    def head(self, branch: str = BRANCH) -> str | None:
        return self._far.heads("octo/widgets").get(branch)

    def file(self, name: str) -> str | None:
        return self._far.file("octo/widgets", BRANCH, name)

    def delete(self, branch: str) -> None:
        git("update-ref", "-d", f"refs/heads/{branch}", cwd=self._far.path("octo/widgets"))

    def close(self, pull_request: PullRequest) -> None:
        self._forge.close(pull_request)

    def base_of(self, pull_request: PullRequest) -> str:
        return self._forge.proposals[pull_request.number - 1].base


class Mock(World):
    def __init__(self, root: Path) -> None:
        self._forge = OfflineForge()
        self._mock = MockGitHub(root, SEED, name="local/widgets", forge=self._forge)
        self.client = self._mock
        self.elsewhere = self._mock.on_another_machine(root / "elsewhere")

    def push_as_human(self, files: Mapping[str, str], branch: str = BRANCH) -> str:
        return self._mock.push_as_human(branch, files)

    def head(self, branch: str = BRANCH) -> str | None:
        return self._mock.heads.get(branch)

    def file(self, name: str) -> str | None:
        return self._mock.files(BRANCH).get(name)

    def delete(self, branch: str) -> None:
        self._mock.delete(branch)

    def close(self, pull_request: PullRequest) -> None:
        self._forge.close(pull_request)

    def base_of(self, pull_request: PullRequest) -> str:
        return self._forge.proposals[pull_request.number - 1].base


def made_up_token() -> str:
    """What a forge would give; made when it is needed, so that no file has one."""
    return "ghp_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36))


def paths(changes: Changes) -> tuple[str, ...]:
    return tuple(file.path for file in changes.files)


async def published(world: World, files: Mapping[str, str]) -> Workspace:
    """A worktree whose work is at the forge."""
    workspace = await world.client.prepare(BRANCH)
    for name, text in files.items():
        (workspace.directory / name).write_text(text)
    commit = await world.client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await world.client.push(workspace, commit, guard=unguarded)
    return workspace
