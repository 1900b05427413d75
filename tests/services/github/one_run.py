"""What a run does with git, as a program of its own that a test can kill: `python -m … WORKSPACE_DIR URL PATH`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from app.domain.protected import ProtectedPaths
from app.services.github.client import GitHubClient
from app.services.github.inspection import Inspector
from app.services.github.mock_client import OfflineForge
from app.services.github.secrets import Hit, SecretScanner
from tests.unguarded import unguarded


class FindsNothing(SecretScanner):
    """The real one takes a third of a second to load, which is long for a program that lives as long."""

    def load(self) -> None:
        pass

    def search(self, path: str, content: bytes) -> Sequence[Hit]:
        return ()


BRANCH = "ticket/proj-1"


async def one_run(client: GitHubClient, ground: Path) -> None:
    """From worktree to branch. The work is done when its file is there, as a finished step of a run is."""
    ground.mkdir(parents=True, exist_ok=True)
    workspace = await client.prepare(BRANCH, ground=ground)
    work = workspace.directory / "new.txt"
    if not work.exists():
        work.write_text("work\n")
    if commit := await client.commit(workspace, "PROJ-1: Widgets"):
        await client.push(workspace, commit, guard=unguarded)
    await client.remove(workspace)


def main(workspace_dir: str, url: str, path: str) -> None:
    """Do it, and let the programs that it starts know whom to kill."""
    operator = {"PATH": path, "HOME": workspace_dir, "GIT_CONFIG_NOSYSTEM": "1", "SERVICE_PID": str(os.getpid())}
    client = GitHubClient(
        root=Path(workspace_dir),
        base_branch="main",
        forge=OfflineForge(),
        inspector=Inspector(scanner=FindsNothing(), protected=ProtectedPaths(())),
        operator=operator,
        repo_url=url,
    )
    asyncio.run(one_run(client, Path(workspace_dir) / "grounds/1"))


if __name__ == "__main__":
    main(*sys.argv[1:])
