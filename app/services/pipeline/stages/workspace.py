"""A worktree for each repository of the run, and the author's process opened beside them."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from app.domain.naming import branch_of
from app.errors import ConfigurationError, NotFound, Parked, WorkFailed
from app.models import EventKind, RepositoryChoice, StageName
from app.results import Account, Workspace
from app.services.claude_code.base import SessionRef
from app.services.pipeline.bench import Bench
from app.services.pipeline.context import Context, together
from app.services.pipeline.keeping import Keeping


async def prepare(context: Context) -> Bench:
    """The worktrees, and the author's session in them."""
    async with context.stage(StageName.WORKSPACE) as end:
        session_id = await context.steps.run("session", lambda: _session_id(context), str)
        context.session_id = session_id

        keeping = Keeping(context)

        async def body() -> tuple[Workspace, ...]:
            prepared = await _prepared(context, session_id, keeping)
            await keeping.keep(*prepared)
            return prepared

        workspaces = await context.steps.run("workspace", body, tuple[Workspace, ...])
        workspaces = await keeping.arrive(workspaces)
        context.keep = partial(keeping.keep, *workspaces)
        end.summary = "; ".join(f"{each.branch} from {each.base} at {each.base_commit[:8]}" for each in workspaces)
        session = _session(context, session_id, workspaces)
        return Bench(context=context, workspaces=workspaces, session=session, keeping=keeping)


async def _prepared(context: Context, session_id: str, keeping: Keeping) -> tuple[Workspace, ...]:
    claude_code, chosen = context.hands.claude_code, _chosen(context)

    def warm(session: SessionRef) -> None:
        context.warming = asyncio.create_task(claude_code.warm(session))

    async def one(choice: RepositoryChoice) -> Workspace:
        branch = branch_of(context.job.ticket.key)
        try:
            repository = context.hands.repositories.of(choice.name)
        except NotFound as error:  # the settings have changed since it was chosen
            raise WorkFailed(error.message) from error
        saved = await keeping.newest(choice.name)
        if len(chosen) > 1:
            return await repository.prepare(branch, base=choice.base, saved=saved)

        async def occupied(directory: Path) -> None:
            # The CLI starts while git checks the files out; the first turn waits for it, nobody else.
            reads = (repository.common,) if repository.common is not None else ()
            warm(SessionRef(id=session_id, directory=directory, reads=reads, account=_account(context)))

        ground = await claude_code.ground(session_id)
        return await repository.prepare(branch, base=choice.base, occupied=occupied, ground=ground, saved=saved)

    workspaces = await together(map(one, chosen))
    if len(workspaces) > 1:  # a process is shut into its worktrees as it starts, so all of them must be there
        warm(_session(context, session_id, workspaces))
    return workspaces


def _session(context: Context, session_id: str, workspaces: Sequence[Workspace]) -> SessionRef:
    first, *others = (workspace.directory for workspace in workspaces)
    reads = tuple(path for workspace in workspaces for path in workspace.reads)
    return SessionRef(
        id=session_id,
        directory=first,
        others=tuple(others),
        reads=reads,
        account=_account(context),
        restored=any(workspace.restored for workspace in workspaces),
    )


def _account(context: Context) -> Account:
    return Account(ticket=context.job.ticket.key, run_id=context.job.run_id)


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
    await _admitted(context)
    if context.job.session_id is not None:
        return context.job.session_id
    return await context.hands.store.remember_session(context.job.run_id, await context.hands.claude_code.reserve())


async def _admitted(context: Context) -> None:
    """Nothing begins while the model takes no requests of anybody. People see why, and the run goes on by itself."""
    try:
        await context.hands.gateway.admitted()
    except Parked as parked:
        if context.parked_for != parked.message:  # it is asked again and again
            context.parked_for = parked.message
            await context.emit(EventKind.PARKED, {"until": parked.until.isoformat(), "reason": parked.message})
        raise
