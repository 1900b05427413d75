"""A worktree for each repository of the run, and the author's process opened beside them."""

import asyncio
from pathlib import Path

from app.domain.naming import branch_of
from app.errors import ConfigurationError, NotFound, WorkFailed
from app.models import RepositoryChoice, StageName
from app.results import Workspace
from app.services.claude_code.base import SessionRef
from app.services.pipeline.bench import Bench
from app.services.pipeline.context import Context, together


async def prepare(context: Context) -> Bench:
    """The worktrees, and the author's session in them."""
    async with context.stage(StageName.WORKSPACE) as end:
        session_id = await context.steps.run("session", lambda: _session_id(context), str)
        context.session_id = session_id

        async def body() -> tuple[Workspace, ...]:
            return await _prepared(context, session_id)

        workspaces = await context.steps.run("workspace", body, tuple[Workspace, ...])
        end.summary = "; ".join(f"{each.branch} from {each.base} at {each.base_commit[:8]}" for each in workspaces)
        first, *others = (workspace.directory for workspace in workspaces)
        session = SessionRef(id=session_id, directory=first, others=tuple(others))
        return Bench(context=context, workspaces=workspaces, session=session)


async def _prepared(context: Context, session_id: str) -> tuple[Workspace, ...]:
    async def occupied(directory: Path) -> None:
        # The CLI starts while git checks the files out; the first turn waits for it, nobody else.
        session = SessionRef(id=session_id, directory=directory)
        context.warming = asyncio.create_task(context.hands.claude_code.warm(session))

    async def one(place: int, choice: RepositoryChoice) -> Workspace:
        branch = branch_of(context.job.ticket.key)
        try:
            repository = context.hands.repositories.of(choice.name)
        except NotFound as error:  # the settings have changed since it was chosen
            raise WorkFailed(error.message) from error
        return await repository.prepare(branch, base=choice.base, occupied=occupied if place == 0 else None)

    return await together(one(*each) for each in enumerate(_chosen(context)))


def _chosen(context: Context) -> tuple[RepositoryChoice, ...]:
    repositories = context.hands.repositories
    if context.job.request.repositories:
        return context.job.request.repositories
    try:
        default = repositories.default
    except ConfigurationError as error:
        raise WorkFailed(f"{error.message} Then retry the run.") from error
    return (RepositoryChoice(name=default, base=repositories.base_of(default)),)


async def _session_id(context: Context) -> str:
    if context.job.session_id is not None:
        return context.job.session_id
    return await context.hands.store.remember_session(context.job.run_id, await context.hands.claude_code.reserve())
