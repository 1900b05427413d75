"""Commit, push, pull request, for each repository on its own. Only the service publishes, and never over what people
pushed.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from app.domain.naming import pull_request_title
from app.domain.pull_requests import needs_draft, pull_request_body
from app.errors import BranchMoved, WorkFailed
from app.models import EventKind, Model, PullRequest, RunMode, StageName, StageStatus
from app.prompts.ticket_prompts import build_conflict_prompt
from app.results import GateReport, Workspace
from app.services.pipeline.bench import Bench

_MOST_MERGES = 3
"""How often people may push in between before the run gives up."""

_MERGED = "People pushed to this branch while the gates ran. Their work is merged in; the gates have not seen it."


class Published(Model):
    """What became of each repository: its pull request, or the sentence of what went wrong."""

    opened: tuple[PullRequest, ...] = ()
    failed: Mapping[str, str] = {}


async def publish(
    bench: Bench, workspaces: Sequence[Workspace], *, summary: str, gates: Sequence[GateReport]
) -> Published:
    """A pull request of each workspace, with everything that its worktree holds, linked to one another.

    A repository that fails does not keep the others. Raises WorkFailed when all fail.
    """
    context = bench.context
    async with context.stage(StageName.PUBLISH) as end:
        opened: dict[str, PullRequest] = {}
        failed: dict[str, str] = {}
        for workspace in workspaces:
            try:
                opened[workspace.repository] = await _one(bench, workspace, summary=summary, gates=gates)
            except WorkFailed as error:
                if len(workspaces) == 1:
                    raise
                failed[workspace.repository] = error.message
                told = {"repository": workspace.repository, "message": error.message}
                once = f"publish failed {workspace.repository} {context.job.leg}"
                await context.hands.store.append(context.job.run_id, EventKind.PUBLISH_FAILED, told, once=once)
        if not opened:
            raise WorkFailed(_all_failed(failed))
        await _link(bench, workspaces, opened, summary=summary, gates=gates)
        end.summary = "; ".join(f"{'Opened' if each.created else 'Updated'} {each.url}" for each in opened.values())
        if failed or needs_draft(gates):
            end.status = StageStatus.WARNED
        return Published(opened=tuple(opened.values()), failed=failed)


async def _one(bench: Bench, workspace: Workspace, *, summary: str, gates: Sequence[GateReport]) -> PullRequest:
    if await _push(bench, workspace):
        summary = f"{summary}\n\n{_MERGED}"
    pull_request = await _open(bench, workspace, "pull request", summary=summary, gates=gates)
    await bench.context.hands.store.add_pull_request(bench.context.job.run_id, pull_request)
    return pull_request


async def _push(bench: Bench, workspace: Workspace) -> bool:
    """Commit and push. Whether people pushed in between, and their work was merged in."""
    steps, github, label = bench.context.steps, bench.github(workspace), bench.label(workspace)
    message = pull_request_title(bench.context.job.ticket)
    for attempt in range(_MOST_MERGES):
        commit = await steps.run(f"commit{label} {attempt}", partial(github.commit, workspace, message), str | None)
        if commit is None:
            return attempt > 0  # what there is, is published
        if await steps.run(f"push{label} {attempt}", partial(_pushed, bench, workspace, commit), bool):
            return attempt > 0
        again = partial(github.prepare, workspace.branch, base=workspace.base)
        workspace = await steps.run(f"merge{label} {attempt}", again, Workspace)
        if workspace.conflicts:
            words = partial(_conflict_prompt, workspace, label)
            await bench.context.author_turn(f"resolve{label} {attempt}", bench.session, words)
    raise WorkFailed(f"People pushed to {workspace.branch} {_MOST_MERGES} times in between. Retry the run.")


async def _pushed(bench: Bench, workspace: Workspace, commit: str) -> bool:
    try:
        await bench.github(workspace).push(workspace, commit)
    except BranchMoved:
        return False
    return True


async def _conflict_prompt(workspace: Workspace, label: str) -> str:
    return build_conflict_prompt(workspace.conflicts, where=f" in{label}" if label else "")


async def _open(
    bench: Bench,
    workspace: Workspace,
    step: str,
    *,
    summary: str,
    gates: Sequence[GateReport],
    related: Sequence[str] = (),
) -> PullRequest:
    context = bench.context
    own = [gate for gate in gates if gate.repository in (None, workspace.repository)]

    async def body() -> PullRequest:
        run = await context.hands.store.run(context.job.run_id)
        return await bench.github(workspace).open_pull_request(
            workspace,
            title=pull_request_title(context.job.ticket),
            body=pull_request_body(context.job.ticket, run, summary=summary, gates=own, related=related),
            draft=context.job.mode is not RunMode.IMPLEMENT or needs_draft(own),
        )

    return await context.steps.run(f"{step}{bench.label(workspace)}", body, PullRequest)


async def _link(
    bench: Bench,
    workspaces: Sequence[Workspace],
    opened: dict[str, PullRequest],
    *,
    summary: str,
    gates: Sequence[GateReport],
) -> None:
    """Let each pull request name the others of the same change: only now are all of them known."""
    context = bench.context
    known = (await context.hands.store.conversation(context.job.ticket.key)).pull_requests
    urls = {each.repository: each.url for each in (*known, *opened.values())}
    for workspace in workspaces:
        others = [url for name, url in urls.items() if name != workspace.repository]
        if workspace.repository in opened and others:
            try:
                await _open(bench, workspace, "link", summary=summary, gates=gates, related=others)
            except WorkFailed as error:
                await context.emit(EventKind.NOTICE, {"text": f"The pull requests are not linked: {error.message}"})


def _all_failed(failed: dict[str, str]) -> str:
    return " ".join(f"{repository}: {message}" for repository, message in failed.items())
