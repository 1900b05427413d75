"""What a run does with git, as a program of its own that a test can kill: `python -m … WORKSPACE_DIR URL PATH`."""

import asyncio
import os
import sys
from pathlib import Path

from app.services.github.client import GitHubClient
from app.services.github.mock_client import OfflineForge

BRANCH = "ticket/proj-1"


async def one_run(client: GitHubClient) -> None:
    """From worktree to branch. The work is done when its file is there, as a finished step of a run is."""
    workspace = await client.prepare(BRANCH)
    work = workspace.directory / "new.txt"
    if not work.exists():
        work.write_text("work\n")
    if commit := await client.commit(workspace, "PROJ-1: Widgets"):
        await client.push(workspace, commit)
    await client.remove(workspace)


def main(workspace_dir: str, url: str, path: str) -> None:
    """Do it, and let the programs that it starts know whom to kill."""
    operator = {"PATH": path, "HOME": workspace_dir, "GIT_CONFIG_NOSYSTEM": "1", "SERVICE_PID": str(os.getpid())}
    client = GitHubClient(
        root=Path(workspace_dir), base_branch="main", forge=OfflineForge(), operator=operator, repo_url=url
    )
    asyncio.run(one_run(client))


if __name__ == "__main__":
    main(*sys.argv[1:])
