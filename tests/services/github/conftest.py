"""A far side of bare repositories, and clients whose workspace is a temporary directory."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.config import PROTECTED
from app.domain.protected import ProtectedPaths
from app.results import Changes, Workspace
from app.services.github.client import GitHubClient
from app.services.github.credential import Credential
from app.services.github.gh_forge import GhForge
from app.services.github.inspection import Inspector
from app.services.github.mock_client import OfflineForge
from app.services.github.secrets import Kingfisher
from tests.fakes.git_server import TOKEN, GitServer
from tests.fakes.github_api import GitHubApi
from tests.fakes.repositories import PLAIN_GIT, Repositories, git
from tests.unguarded import unguarded

REPOSITORY = "octo/widgets"
URL = f"https://github.com/{REPOSITORY}.git"
GADGETS = "octo/gadgets"
BRANCH = "ticket/proj-1"
INSPECTOR = Inspector(scanner=Kingfisher(), protected=ProtectedPaths(PROTECTED))
SEED = {"README.md": "# Widgets\n", "src/widget.py": "size = 1\n", ".gitignore": "build/\n*.log\n"}


@dataclass
class Bench:
    """One machine: its workspace, its far side, its operator's environment."""

    root: Path
    far: Repositories
    forge: OfflineForge = field(default_factory=OfflineForge)

    @property
    def workspace_dir(self) -> Path:
        return self.root / "workspace"

    @property
    def clone(self) -> Path:
        return self.workspace_dir / "repo"

    @property
    def worktree(self) -> Path:
        return self.workspace_dir / "worktrees" / BRANCH

    @property
    def url(self) -> str:
        return self.far.path(REPOSITORY).as_uri()

    @property
    def operator(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"}

    def client(self, **changes: Any) -> GitHubClient:
        facts: dict[str, Any] = {
            "root": self.workspace_dir,
            "base_branch": "main",
            "forge": self.forge,
            "inspector": INSPECTOR,
            "operator": self.operator,
            "repo_url": self.url,
            "fresh_s": 0,
        }
        return GitHubClient(**{**facts, **changes})

    def push_as_human(self, files: Mapping[str, str], branch: str = BRANCH) -> str:
        return self.far.commit_as_human(REPOSITORY, branch, files, "A person's work")

    def heads(self) -> dict[str, str]:
        return self.far.heads(REPOSITORY)

    def file(self, ref: str, name: str) -> str | None:
        return self.far.file(REPOSITORY, ref, name)

    def in_worktree(self, *arguments: str) -> str:
        """What an agent's own git says in the worktree."""
        return git(*arguments, cwd=self.worktree)

    def in_clone(self, *arguments: str) -> str:
        return git(*arguments, cwd=self.clone)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    far = Repositories(tmp_path / "far")
    far.create(REPOSITORY, SEED)
    return Bench(tmp_path, far)


@dataclass
class Machine:
    """A machine whose way to GitHub leads to loopback."""

    root: Path
    server: GitServer
    api: GitHubApi

    @property
    def operator(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.root),
            "NO_PROXY": "127.0.0.1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self.root / "gitconfig"),
            "GH_CONFIG_DIR": str(self.root / "gh"),
        }

    def client(
        self, *, token: str | None = TOKEN, more: Mapping[str, str] | None = None, **changes: Any
    ) -> GitHubClient:
        operator = {**self.operator, **(more or {})}
        empty = self.root / "workspace/.empty"
        credential = Credential(lambda: token)
        forge = GhForge(operator=operator, credential=credential, directory=empty, config_dir=self.root / "unused")
        facts: dict[str, Any] = {
            "root": self.root / "workspace",
            "base_branch": "main",
            "forge": forge,
            "inspector": INSPECTOR,
            "operator": operator,
            "repo_url": URL,
            "credential": credential,
            "fresh_s": 0,
        }
        return GitHubClient(**{**facts, **changes})

    async def pushed(self, client: GitHubClient) -> Workspace:
        workspace = await client.prepare(BRANCH)
        (workspace.directory / "new.txt").write_text("1\n")
        commit = await client.commit(workspace, "PROJ-1: Widgets")
        assert commit
        await client.push(workspace, commit, guard=unguarded)
        return workspace


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    server = GitServer(tmp_path / "far")
    bare = {name: server.create(name, SEED) for name in (REPOSITORY, GADGETS)}
    with server, GitHubApi(bare, socket=tmp_path / "gh.sock") as api:
        server.write_git_config(tmp_path / "gitconfig")
        api.write_gh_config(tmp_path / "gh")
        yield Machine(tmp_path, server, api)


def paths(changes: Changes) -> tuple[str, ...]:
    """The names of the files that changed."""
    return tuple(file.path for file in changes.files)


def listing(directory: Path) -> set[str]:
    """Files of a directory tree, `.git` left out."""
    found = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file() or path.is_symlink())
    return {str(path) for path in found if path.parts[0] != ".git"}


__all__ = [
    "BRANCH",
    "GADGETS",
    "INSPECTOR",
    "PLAIN_GIT",
    "REPOSITORY",
    "SEED",
    "URL",
    "Bench",
    "Machine",
    "listing",
    "paths",
]
