"""Commit, push, pull request. Only the service publishes, and never over what people pushed."""

from functools import partial

from app.domain.naming import pull_request_title
from app.domain.pull_requests import needs_draft, pull_request_body
from app.errors import BranchMoved, WorkFailed
from app.models import PullRequest, StageName, StageStatus
from app.prompts.ticket_prompts import build_conflict_prompt
from app.results import GateReport, Workspace
from app.services.claude_code.base import SessionRef
from app.services.github.base import GitHub
from app.services.pipeline.context import Context

_MOST_MERGES = 3
"""How often people may push in between before the run gives up."""

_MERGED = "People pushed to this branch while the gates ran. Their work is merged in; the gates have not seen it."


async def publish(
    context: Context, workspace: Workspace, session: SessionRef, *, summary: str, gates: list[GateReport]
) -> PullRequest:
    """The run's pull request, with everything that the worktree holds."""
    async with context.stage(StageName.PUBLISH) as end:
        if await _push(context, workspace, session):
            summary = f"{summary}\n\n{_MERGED}"
        pull_request = await _open(context, workspace, summary=summary, gates=gates)
        await context.hands.store.add_pull_request(context.job.run_id, pull_request)
        end.summary = f"{'Opened' if pull_request.created else 'Updated'} {pull_request.url}"
        if needs_draft(gates):
            end.status = StageStatus.WARNED
        return pull_request


async def _push(context: Context, workspace: Workspace, session: SessionRef) -> bool:
    """Commit and push. Whether people pushed in between, and their work was merged in."""
    for attempt in range(_MOST_MERGES):
        github, message = context.hands.github, pull_request_title(context.job.ticket)
        commit = await context.steps.run(f"commit {attempt}", partial(github.commit, workspace, message), str | None)
        if commit is None:
            return attempt > 0  # what there is, is published
        if await context.steps.run(f"push {attempt}", partial(_pushed, github, workspace, commit), bool):
            return attempt > 0
        workspace = await context.steps.run(f"merge {attempt}", partial(github.prepare, workspace.branch), Workspace)
        if workspace.conflicts:
            await context.author_turn(f"resolve {attempt}", session, partial(_conflict_prompt, workspace))
    raise WorkFailed(f"People pushed to {workspace.branch} {_MOST_MERGES} times in between. Retry the run.")


async def _pushed(github: GitHub, workspace: Workspace, commit: str) -> bool:
    try:
        await github.push(workspace, commit)
    except BranchMoved:
        return False
    return True


async def _conflict_prompt(workspace: Workspace) -> str:
    return build_conflict_prompt(workspace.conflicts)


async def _open(context: Context, workspace: Workspace, *, summary: str, gates: list[GateReport]) -> PullRequest:
    async def body() -> PullRequest:
        run = await context.hands.store.run(context.job.run_id)
        return await context.hands.github.open_pull_request(
            workspace,
            title=pull_request_title(context.job.ticket),
            body=pull_request_body(context.job.ticket, run, summary=summary, gates=gates),
            draft=needs_draft(gates),
        )

    return await context.steps.run("pull request", body, PullRequest)
