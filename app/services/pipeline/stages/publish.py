"""Commit, push, pull request, for each repository on its own. Only the service publishes, and never over what people
pushed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from app.domain.inspections import refusal_sentence
from app.domain.naming import pull_request_title
from app.domain.pull_requests import needs_draft, pull_request_body
from app.errors import BranchMoved, WorkFailed
from app.models import EventKind, Model, PullRequest, RunMode, StageName, StageStatus
from app.prompts.ticket_prompts import build_conflict_prompt
from app.results import GateReport, Inspection, Workspace
from app.services.pipeline.bench import Bench
from app.services.pipeline.context import Context

_MOST_MERGES = 3
"""How often people may push in between before the run gives up."""

_MERGED = "People pushed to this branch while the gates ran. Their work is merged in; the gates have not seen it."


class Published(Model):
    """What became of each repository: its pull request, or the sentence of what went wrong."""

    opened: tuple[PullRequest, ...] = ()
    failed: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class _Proposal:
    """What the pull request of one repository says. `related` are those of the same change in others."""

    workspace: Workspace
    summary: str
    gates: Sequence[GateReport]
    related: tuple[str, ...] = ()
    inspection: Inspection = field(default_factory=Inspection)


async def publish(
    bench: Bench, workspaces: Sequence[Workspace], *, summary: str, gates: Sequence[GateReport]
) -> Published:
    """A pull request of each workspace, with everything that its worktree holds, linked to one another.

    A repository that fails does not keep the others. Raises WorkFailed when all fail.
    """
    async with bench.context.stage(StageName.PUBLISH) as end:
        proposals: list[_Proposal] = []
        opened: list[PullRequest] = []
        failed: dict[str, str] = {}
        for workspace in workspaces:
            own = [gate for gate in gates if gate.repository in (None, workspace.repository)]
            try:
                proposal = await _push(bench, _Proposal(workspace=workspace, summary=summary, gates=own))
                opened.append(await _open(bench, proposal, "pull request"))
            except WorkFailed as error:
                if len(workspaces) == 1:
                    raise
                failed[workspace.repository] = error.message
                await _say_failed(bench.context, workspace.repository, error.message)
                continue
            proposals.append(proposal)
            await bench.context.hands.store.add_pull_request(bench.context.job.run_id, opened[-1])
        if not opened:
            raise WorkFailed(" ".join(f"{repository}: {message}" for repository, message in failed.items()))
        await _link(bench, proposals)
        said = [f"{'Opened' if each.created else 'Updated'} {each.url}" for each in opened]
        end.summary = "; ".join([*said, *(f"{repository} failed" for repository in failed)])
        if protected := sum(len(each.inspection.protected) for each in proposals):
            end.summary += f"; {protected} protected path{'' if protected == 1 else 's'} to look at"
        if failed or protected or needs_draft(gates):
            end.status = StageStatus.WARNED
        return Published(opened=tuple(opened), failed=failed)


async def _push(bench: Bench, proposal: _Proposal) -> _Proposal:
    """Commit and push. Where people pushed in between, their work is merged in, and the proposal says so."""
    steps, workspace = bench.context.steps, proposal.workspace
    github, label = bench.github(workspace), bench.label(workspace)
    message = pull_request_title(bench.context.job.ticket, redact=bench.context.hands.redact)
    pushed = proposal
    for attempt in range(_MOST_MERGES):
        commit = await steps.run(f"commit{label} {attempt}", partial(_committed, bench, workspace, message), str | None)
        look = partial(github.inspect, workspace, commit or workspace.parent)
        found = await steps.run(f"inspect{label} {attempt}", look, Inspection)
        pushed = replace(pushed, inspection=found)
        if refused := refusal_sentence(found):
            raise WorkFailed(refused)
        if commit is None:
            return pushed  # what there is, is published
        if await steps.run(f"push{label} {attempt}", partial(_is_pushed, bench, workspace, commit), bool):
            return pushed
        workspace = await steps.run(f"merge{label} {attempt}", partial(_merged, bench, workspace), Workspace)
        pushed = replace(proposal, summary=f"{proposal.summary}\n\n{_MERGED}")
        if workspace.conflicts:
            words = partial(_conflict_prompt, bench, workspace)
            await bench.context.author_turn(f"resolve{label} {attempt}", bench.session, words)
    raise WorkFailed(f"People pushed to {workspace.branch} {_MOST_MERGES} times in between. Retry the run.")


async def _committed(bench: Bench, workspace: Workspace, message: str) -> str | None:
    commit = await bench.github(workspace).commit(workspace, message)
    await bench.keeping.keep(workspace)  # another machine may have to push this very commit
    return commit


async def _is_pushed(bench: Bench, workspace: Workspace, commit: str) -> bool:
    try:
        await bench.github(workspace).push(workspace, commit, guard=bench.context.guard)
    except BranchMoved:
        return False
    await bench.keeping.keep(workspace)
    return True


async def _merged(bench: Bench, workspace: Workspace) -> Workspace:
    merged = await bench.github(workspace).prepare(workspace.branch, base=workspace.base)
    await bench.keeping.keep(merged)
    return merged


async def _conflict_prompt(bench: Bench, workspace: Workspace) -> str:
    return build_conflict_prompt(workspace.conflicts, where=bench.where(workspace))


async def _open(bench: Bench, proposal: _Proposal, step: str) -> PullRequest:
    context, workspace, gates, found = bench.context, proposal.workspace, proposal.gates, proposal.inspection

    async def body() -> PullRequest:
        ticket, run = context.job.ticket, await context.hands.store.run(context.job.run_id)
        said = pull_request_body(
            ticket,
            run,
            summary=proposal.summary,
            gates=gates,
            related=proposal.related,
            protected=found.protected,
            redact=context.hands.redact,
        )
        draft = context.job.mode is not RunMode.IMPLEMENT or needs_draft(gates) or bool(found.protected)
        title = pull_request_title(ticket, redact=context.hands.redact)
        opened = await bench.github(workspace).open_pull_request(
            workspace, title=title, body=said, draft=draft, hold=found.adds_protected, guard=context.guard
        )
        await bench.keeping.keep(workspace)
        return opened

    return await context.steps.run(f"{step}{bench.label(workspace)}", body, PullRequest)


async def _link(bench: Bench, proposals: Sequence[_Proposal]) -> None:
    """Let each pull request name the others of the same change: only now are all of them known."""
    context = bench.context
    if len({*context.job.published, *(each.workspace.repository for each in proposals)}) == 1:
        return

    async def known() -> dict[str, str]:
        conversation = await context.hands.store.conversation(context.job.ticket.key)
        return {each.repository: each.url for each in conversation.pull_requests}

    urls = await context.steps.run("related", known, dict[str, str])
    for proposal in proposals:
        name = proposal.workspace.repository
        related = tuple(url for repository, url in urls.items() if repository != name)
        try:
            await _open(bench, replace(proposal, related=related), "link")
        except WorkFailed as error:
            told = {"text": f"The pull request of {name} does not name the others: {error.message}"}
            await context.hands.store.append(context.job.run_id, EventKind.NOTICE, told, once=f"not linked {name}")


async def _say_failed(context: Context, repository: str, message: str) -> None:
    told = {"repository": repository, "message": message}
    await context.hands.store.append(
        context.job.run_id, EventKind.PUBLISH_FAILED, told, once=f"publish failed {repository} {context.job.leg}"
    )
