"""The pipeline here: the stages of a run in their order, on a worktree of this machine."""

import asyncio

from app.models import Job, PullRequest, RunStatus
from app.results import Changes, GateReport, Outcome, Workspace
from app.services.claude_code.base import SessionRef
from app.services.engine.base import Steps
from app.services.pipeline.base import Pipeline
from app.services.pipeline.context import Context, Hands
from app.services.pipeline.stages.implement import implement
from app.services.pipeline.stages.publish import publish
from app.services.pipeline.stages.review import review
from app.services.pipeline.stages.verify import verify
from app.services.pipeline.stages.workspace import prepare


class LocalPipeline(Pipeline):
    """Ticket to pull request in one worktree and one session of the author."""

    def __init__(self, *, hands: Hands) -> None:
        self._hands = hands

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        context = Context(job=job, steps=steps, hands=self._hands)
        session: SessionRef | None = None
        try:
            workspace, session = await prepare(context)
            return await self._implement(context, workspace, session)
        finally:
            if context.warming is not None:
                context.warming.cancel()
            if session is not None:
                await asyncio.shield(self._hands.claude_code.close(session.id))

    async def _implement(self, context: Context, workspace: Workspace, session: SessionRef) -> Outcome:
        turn, report = await implement(context, workspace, session)
        changes = await context.changes("changes", workspace)
        if _is_nothing(changes):
            return await self._without_changes(context, workspace, session, said=turn.text)
        gates = [report, *await self._gates(context, workspace, session, changes)]
        if any(gate.rounds for gate in gates):  # a fix may take back what the change was
            changes = await context.changes("changes after fixes", workspace)
            if _is_nothing(changes):
                return await self._without_changes(context, workspace, session, said=turn.text)
        if context.job.options.dry_run:
            return self._rehearsed(workspace)
        pull_request = await publish(context, workspace, session, summary=turn.text, gates=gates)
        await self._clean_up(context, workspace, session)
        return Outcome(status=RunStatus.PR_OPENED, sentence=_sentence(pull_request))

    async def _gates(
        self, context: Context, workspace: Workspace, session: SessionRef, changes: Changes
    ) -> list[GateReport]:
        wanted = context.job.options.review
        reviewed = [await review(context, workspace, session, changes)] if wanted else []
        return reviewed + await verify(context, workspace, session)

    def _rehearsed(self, workspace: Workspace) -> Outcome:
        command = self._hands.github.removal_command(workspace)
        sentence = f"Dry run: nothing was published. The change is in {workspace.directory}; remove it with: {command}"
        return Outcome(status=RunStatus.IDLE, sentence=sentence)

    async def _without_changes(
        self, context: Context, workspace: Workspace, session: SessionRef, *, said: str
    ) -> Outcome:
        await self._clean_up(context, workspace, session)
        return Outcome(status=RunStatus.IDLE, sentence=f"No changes, so no pull request. {said}"[:2000])

    async def _clean_up(self, context: Context, workspace: Workspace, session: SessionRef) -> None:
        await self._hands.claude_code.close(session.id)  # nothing shall work in a directory that goes
        await context.steps.run("clean up", lambda: self._removed(workspace), str | None)

    async def _removed(self, workspace: Workspace) -> str | None:
        saved = await self._hands.github.remove(workspace)
        return None if saved is None else str(saved)


def _is_nothing(changes: Changes) -> bool:
    """Nothing to publish: neither beyond the base, nor a change of what the branch at the forge has."""
    return not changes.files and not changes.unpublished


def _sentence(pull_request: PullRequest) -> str:
    opened = "Opened" if pull_request.created else "Updated"
    return f"{opened} {'draft ' if pull_request.draft else ''}pull request {pull_request.url}"
