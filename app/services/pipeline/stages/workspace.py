"""A worktree for the run, and the author's process opened beside it."""

import asyncio
from pathlib import Path

from app.domain.naming import branch_of
from app.models import StageName
from app.results import Workspace
from app.services.claude_code.base import SessionRef
from app.services.pipeline.context import Context


async def prepare(context: Context) -> tuple[Workspace, SessionRef]:
    """The worktree, and the author's session in it."""
    async with context.stage(StageName.WORKSPACE) as end:
        session_id = await context.steps.run("session", lambda: _session_id(context), str)

        async def occupied(directory: Path) -> None:
            # The CLI starts while git checks the files out; the first turn waits for it, nobody else.
            session = SessionRef(id=session_id, directory=directory)
            context.warming = asyncio.create_task(context.hands.claude_code.warm(session))

        async def body() -> Workspace:
            return await context.hands.github.prepare(branch_of(context.job.ticket.key), occupied=occupied)

        workspace = await context.steps.run("workspace", body, Workspace)
        end.summary = f"{workspace.branch} from {workspace.base} at {workspace.base_commit[:8]}"
        return workspace, SessionRef(id=session_id, directory=workspace.directory)


async def _session_id(context: Context) -> str:
    if context.job.session_id is not None:
        return context.job.session_id
    return await context.hands.store.remember_session(context.job.run_id, await context.hands.claude_code.reserve())
