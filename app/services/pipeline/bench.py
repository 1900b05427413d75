"""The workspace of a run: a worktree for each of its repositories, and the author's session in all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.errors import AutoCodeError, ClaimLost
from app.logger import get_logger
from app.models import EventKind, Model, RepositoryChanges, RunMode
from app.results import Workspace
from app.services.claude_code.base import SessionRef
from app.services.github.base import GitHub
from app.services.pipeline.context import Context, together
from app.services.pipeline.editing import Edits
from app.services.pipeline.keeping import Keeping

_log = get_logger(__name__)

_KEEP_EVERY_S = 20.0
"""While the author works. What a lost machine takes along is what came after that."""


class Standing(Model):
    """How a repository stands: what differs from its base, and whether the forge lacks some of it.

    `published`: the conversation had a pull request there at that time.
    """

    repository: str
    files: int
    unpublished: bool
    published: bool

    @property
    def has_changes(self) -> bool:
        """There is something to publish: beyond the base, or a change of what the branch at the forge has."""
        return self.files > 0 or self.unpublished


Standings = tuple[Standing, ...]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where a run works. The first workspace is where the session starts."""

    context: Context
    workspaces: tuple[Workspace, ...]
    session: SessionRef
    keeping: Keeping

    def github(self, workspace: Workspace) -> GitHub:
        """The repository that a workspace is of."""
        return self.context.hands.repositories.of(workspace.repository)

    def label(self, workspace: Workspace) -> str:
        """What tells the steps of one repository from another's; nothing where there is one."""
        return f" {workspace.repository}" if len(self.workspaces) > 1 else ""

    def where(self, workspace: Workspace) -> str:
        """The same in words for the author."""
        return f" in {workspace.repository}" if len(self.workspaces) > 1 else ""

    async def acknowledge(self) -> None:
        """The author was told what people did meanwhile; the next turn does not hear it again."""
        told = [workspace for workspace in self.workspaces if workspace.arrived]
        if not told:
            return

        async def body() -> None:
            await together(self.github(workspace).acknowledge(workspace) for workspace in told)
            await self.keeping.keep(*told)

        await self.context.steps.run("acknowledge", body, None)

    async def take_stock(self, name: str) -> Standings:
        """How every repository stands, recorded as the step `name`; people see the changes from then on."""
        return await self.context.steps.run(name, self._look, Standings)

    def to_publish(self, standings: Standings) -> tuple[Workspace, ...]:
        """The workspaces with a change that the run is to publish.

        A person's edits are published where they asked for it, and where there is a pull request to keep up to date.
        """
        request = self.context.job.request

        def is_wanted(standing: Standing) -> bool:
            if request.mode is not RunMode.EDITS:
                return standing.has_changes
            return standing.unpublished if standing.published else request.auto_pr and standing.has_changes

        return self._of(each for each in standings if is_wanted(each))

    def settled(self, standings: Standings) -> tuple[Workspace, ...]:
        """The workspaces that hold nothing which the forge has not."""
        return self._of(each for each in standings if not each.unpublished)

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
        """While the author works, people see the changes soon after each edit, and another machine could go on with
        them.
        """
        shown, kept = Edits(), Edits()

        def hear(kind: EventKind, payload: Mapping[str, Any]) -> None:
            shown.hear(kind, payload)
            kept.hear(kind, payload)

        self.context.on_event = hear
        look_after_s = self.context.look_after_s
        works = [self._after_edits(shown, self._look, wait_s=look_after_s)]
        if self.keeping.active:
            keep = partial(self.keeping.keep, *self.workspaces)
            works.append(self._after_edits(kept, keep, wait_s=look_after_s, rest_s=_KEEP_EVERY_S))
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for broke in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(broke, Exception):
                    _log.error("changes not followed", exc_info=broke)

    async def _after_edits(
        self, edits: Edits, act: Callable[[], Awaitable[object]], *, wait_s: float, rest_s: float = 0.0
    ) -> None:
        while True:
            await edits.wait()
            await asyncio.sleep(wait_s)
            edits.clear()
            try:
                await act()
            except ClaimLost:
                return  # the turn hears it too
            except AutoCodeError as error:
                _log.warning("changes not followed", error=error.message)
            await asyncio.sleep(rest_s)

    async def _look(self) -> Standings:
        return await together(map(self._look_at, self.workspaces))

    async def _look_at(self, workspace: Workspace) -> Standing:
        store, job = self.context.hands.store, self.context.job
        found = await self.github(workspace).changes(workspace)
        known = {each.repository: each for each in await store.changes(job.ticket.key)}
        seen = RepositoryChanges(
            repository=workspace.repository,
            branch=workspace.branch,
            base=workspace.base,
            files=found.files,
            patch=found.patch,
            unpublished=found.unpublished,
        )
        if seen != known.get(workspace.repository) and (found.files or workspace.repository in known):
            await store.keep_changes(job.run_id, seen)
        return Standing(
            repository=workspace.repository,
            files=len(found.files),
            unpublished=found.unpublished,
            published=workspace.repository in job.published,
        )

    def _of(self, standings: Iterable[Standing]) -> tuple[Workspace, ...]:
        names = {standing.repository for standing in standings}
        return tuple(workspace for workspace in self.workspaces if workspace.repository in names)
