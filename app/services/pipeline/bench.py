"""The workspace of a run: a worktree for each of its repositories, and the author's session in all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import WorkFailed
from app.logger import get_logger
from app.models import EventKind, Model, RepositoryChanges
from app.results import Workspace
from app.services.claude_code.base import SessionRef
from app.services.github.base import GitHub
from app.services.pipeline.context import Context

_log = get_logger(__name__)

_LOOK_EVERY_S = 2.0
_EDITS = frozenset({"Edit", "Write", "NotebookEdit", "Bash"})


class Standing(Model):
    """How a repository stands: what differs from its base, and whether the forge lacks some of it."""

    repository: str
    files: int
    unpublished: bool

    @property
    def has_changes(self) -> bool:
        """There is something to publish: beyond the base, or a change of what the branch at the forge has."""
        return self.files > 0 or self.unpublished


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where a run works. The first workspace is where the session starts."""

    context: Context
    workspaces: tuple[Workspace, ...]
    session: SessionRef

    def github(self, workspace: Workspace) -> GitHub:
        """The repository that a workspace is of."""
        return self.context.hands.repositories.of(workspace.repository)

    def label(self, workspace: Workspace) -> str:
        """What tells the steps of one repository from another's; nothing where there is one."""
        return f" {workspace.repository}" if len(self.workspaces) > 1 else ""

    async def take_stock(self, name: str) -> tuple[Standing, ...]:
        """How every repository stands, recorded as the step `name`; people see the changes from then on."""

        async def body() -> tuple[Standing, ...]:
            return tuple(await asyncio.gather(*map(self._look, self.workspaces)))

        return await self.context.steps.run(name, body, tuple[Standing, ...])

    def changed(self, standings: tuple[Standing, ...]) -> tuple[Workspace, ...]:
        """The workspaces that have something to publish."""
        names = {standing.repository for standing in standings if standing.has_changes}
        return tuple(workspace for workspace in self.workspaces if workspace.repository in names)

    async def acknowledge(self) -> None:
        """The author was told what people did meanwhile; the next turn does not hear it again."""
        told = [workspace for workspace in self.workspaces if workspace.arrived]
        if not told:
            return

        async def body() -> None:
            await asyncio.gather(*(self.github(workspace).acknowledge(workspace) for workspace in told))

        await self.context.steps.run("acknowledge", body, None)

    async def say_published(self, repositories: frozenset[str]) -> None:
        """People see that the forge has all of the change in these repositories."""
        store, job = self.context.hands.store, self.context.job

        async def body() -> None:
            for change in await store.changes(job.ticket.key):
                if change.repository in repositories and change.unpublished:
                    await store.keep_changes(job.run_id, change.model_copy(update={"unpublished": False}))

        await self.context.steps.run("published", body, None)

    @contextlib.asynccontextmanager
    async def shown_live(self) -> AsyncIterator[None]:
        """While the author works, people see the changes soon after each edit."""
        edited = asyncio.Event()

        def on_event(kind: EventKind, payload: Mapping[str, Any]) -> None:
            if kind is EventKind.TOOL_CALLED and payload.get("name") in _EDITS:
                edited.set()

        self.context.on_event = on_event
        showing = asyncio.create_task(self._show(edited))
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)

    async def _show(self, edited: asyncio.Event) -> None:
        while True:
            await edited.wait()
            await asyncio.sleep(_LOOK_EVERY_S)
            edited.clear()
            try:
                await asyncio.gather(*map(self._look, self.workspaces))
            except WorkFailed as error:
                _log.warning("changes not shown", error=error.message)

    async def _look(self, workspace: Workspace) -> Standing:
        store, run_id = self.context.hands.store, self.context.job.run_id
        found = await self.github(workspace).changes(workspace)
        known = {each.repository: each for each in await store.changes(self.context.job.ticket.key)}
        seen = RepositoryChanges(
            repository=workspace.repository,
            branch=workspace.branch,
            base=workspace.base,
            files=found.files,
            patch=found.patch,
            unpublished=found.unpublished,
        )
        if seen != known.get(workspace.repository) and (found.files or workspace.repository in known):
            await store.keep_changes(run_id, seen)
        return Standing(repository=workspace.repository, files=len(found.files), unpublished=found.unpublished)
