"""Repositories that refuse, that people push to, or whose lint differs; and edits in several of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.errors import WorkFailed
from app.models import PullRequest
from app.results import CheckResult, Commands, Workspace
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.claude_code.mock_client import Answer
from app.services.github.base import Guard
from app.services.github.mock_client import MockGitHub
from tests.services.pipeline.world import FILES, World

REFUSED = "The push was refused. Ask for write access."


class LockedGitHub(MockGitHub):
    """Takes no push while `locked`, and no pull request that names others while `without_links`."""

    locked = False
    without_links = False

    async def push(self, workspace: Workspace, commit: str, *, guard: Guard) -> None:
        if self.locked:
            raise WorkFailed(REFUSED)
        await super().push(workspace, commit, guard=guard)

    async def open_pull_request(
        self, workspace: Workspace, *, title: str, body: str, draft: bool, hold: bool = False, guard: Guard
    ) -> PullRequest:
        if self.without_links and "Part of one change" in body:
            raise WorkFailed("The pull request is locked.")
        return await super().open_pull_request(workspace, title=title, body=body, draft=draft, hold=hold, guard=guard)


class BusyGitHub(MockGitHub):
    """People push in the last moment before each push of the run, as long as there is something in `pushes`."""

    def __init__(self, world: World, *pushes: Mapping[str, str]) -> None:
        super().__init__(world.root, FILES, forge=world.forge)
        self._pushes = list(pushes)

    async def push(self, workspace: Workspace, commit: str, *, guard: Guard) -> None:
        if self._pushes:
            self.push_as_human(workspace.branch, self._pushes.pop(0))
        await super().push(workspace, commit, guard=guard)


class ChecksByRepository(MockChecks):
    """Lint fails where there is no `lint.txt`."""

    async def run_lint(
        self, directory: Path, commands: Commands, *, room: str, reads: Sequence[Path] = ()
    ) -> CheckResult:
        await super().run_lint(directory, commands, room=room, reads=reads)
        result = passed() if (directory / "lint.txt").exists() else failed("lint.txt is missing")
        return result.model_copy(update={"command": "make lint"})

    def checked(self, gate: str) -> list[Path]:
        """Where a gate was run, in order."""
        return [directory for name, directory, _ in self.calls if name == gate]


def dark_in(world: World, *repositories: MockGitHub) -> Answer:
    """Edits of `theme.txt` in each of them."""
    places = [world.worktree_of(each) / "theme.txt" for each in repositories]
    return Answer(text="I added dark.", files={str(place): "light\ndark\n" for place in places})


def url(repository: str) -> str:
    return f"https://offline.invalid/{repository}/pull/1"


def body_of(world: World, repository: str) -> str:
    """What the repository's one pull request says."""
    bodies = [
        proposal.body
        for made, proposal in zip(world.forge.pull_requests, world.forge.proposals, strict=True)
        if made.repository == repository
    ]
    (body,) = bodies
    return body
