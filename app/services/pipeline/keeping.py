"""What leaves this machine while a run is worked on, so that another one can go on where this one is lost."""

import asyncio
from collections.abc import Sequence

from app.errors import TemporarilyFailed, WorkFailed
from app.logger import get_logger
from app.results import Checkpoint, Workspace
from app.services.pipeline.context import Context

_log = get_logger(__name__)

_RETRY_AFTER_S = (1.0, 5.0, 20.0)


class Keeping:
    """Keeps checkpoints of a run's worktrees in the store, and arrives with them. Idle where nobody shares it."""

    def __init__(self, context: Context) -> None:
        self._job = context.job
        self._store = context.hands.store
        self._repositories = context.hands.repositories
        self._kept: dict[str, str] = {}
        self._turn = asyncio.Lock()

    @property
    def active(self) -> bool:
        """Another machine may go on with the run."""
        return self._store.shared

    async def newest(self, repository: str) -> Checkpoint | None:
        """The conversation's newest checkpoint of a repository."""
        return await self._store.checkpoint(self._job.ticket.key, repository) if self.active else None

    async def keep(self, *workspaces: Workspace) -> None:
        """Keep what the worktrees hold by now. One that cannot be packed is logged: the run goes on here all the same.

        Raises ClaimLost when another worker has the run.
        """
        if not self.active:
            return
        async with self._turn:  # an older one must not come to the store after a newer one
            for workspace in workspaces:
                await self._keep(workspace)

    async def arrive(self, workspaces: Sequence[Workspace]) -> tuple[Workspace, ...]:
        """The workspaces on this machine, as new as they were kept: they may have been made on another one."""
        if not self.active:
            return tuple(workspaces)
        return tuple([await self._arrived(workspace) for workspace in workspaces])

    async def _keep(self, workspace: Workspace) -> None:
        name = workspace.repository
        try:
            checkpoint = await self._repositories.of(name).checkpoint(workspace)
        except (WorkFailed, OSError) as error:
            _log.error("work not kept", repository=name, error=str(error))
            return
        if checkpoint is not None and checkpoint.id != self._kept.get(name):
            await self._store.keep_checkpoint(self._job.run_id, checkpoint)
            self._kept[name] = checkpoint.id

    async def _arrived(self, workspace: Workspace) -> Workspace:
        github, saved = self._repositories.of(workspace.repository), await self.newest(workspace.repository)
        # No step of the run: what a step found is recorded, and would be found no more on the next machine.
        for wait_s in _RETRY_AFTER_S:
            try:
                return await github.arrive(workspace, saved)
            except TemporarilyFailed as error:
                _log.warning("worktree not there yet", repository=workspace.repository, error=error.message)
                await asyncio.sleep(wait_s)
        return await github.arrive(workspace, saved)
