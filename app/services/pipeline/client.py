"""The pipeline here: the stages of a run in their order, on worktrees of this machine."""

import asyncio
from collections.abc import Sequence

from app.models import Job, RunMode, RunStatus
from app.results import GateReport, Outcome, Turn, Workspace
from app.services.engine.base import Steps
from app.services.pipeline.base import Pipeline
from app.services.pipeline.bench import Bench, Standing
from app.services.pipeline.context import Context, Hands
from app.services.pipeline.stages.converse import converse
from app.services.pipeline.stages.implement import implement, report_of
from app.services.pipeline.stages.publish import Published, publish
from app.services.pipeline.stages.review import review
from app.services.pipeline.stages.verify import verify
from app.services.pipeline.stages.workspace import prepare


class LocalPipeline(Pipeline):
    """Ticket to pull request, or a person's turn, in one worktree a repository and one session of the author."""

    def __init__(self, *, hands: Hands) -> None:
        self._hands = hands

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        context = Context(job=job, steps=steps, hands=self._hands)
        bench: Bench | None = None
        try:
            bench = await prepare(context)
            return await self._work(bench)
        finally:
            if context.warming is not None:
                context.warming.cancel()
            if bench is not None:
                await asyncio.shield(self._hands.claude_code.close(bench.session.id))

    async def _work(self, bench: Bench) -> Outcome:
        mode = bench.context.job.mode
        if mode is RunMode.IMPLEMENT:
            return await self._implement(bench)
        if mode is RunMode.PUBLISH:
            return await self._publish_what_is_there(bench)
        return await self._converse(bench)

    async def _implement(self, bench: Bench) -> Outcome:
        turn, report = await implement(bench)
        standings = await bench.take_stock("changes")
        if not bench.changed(standings):
            await self._clean_up(bench, bench.workspaces)
            return Outcome(status=RunStatus.IDLE, sentence=f"No changes, so no pull request. {turn.text}"[:2000])
        return await self._gate_and_publish(bench, bench.changed(standings), summary=turn.text, reports=[report])

    async def _converse(self, bench: Bench) -> Outcome:
        turn, status = await converse(bench)
        if turn.question is not None:
            return Outcome(status=RunStatus.NEEDS_INPUT, sentence="Claude asks.", question=turn.question)
        standings = await bench.take_stock("changes")
        wanted = self._to_publish(bench, standings)
        if bench.context.job.mode is RunMode.EDITS and wanted:
            report = report_of(turn, status, f"{turn.turns} turns, ${turn.cost_usd:.2f}")
            return await self._gate_and_publish(bench, wanted, summary=turn.text, reports=[report])
        await self._clean_up(bench, _published(bench, standings))
        return Outcome(status=RunStatus.IDLE, sentence=_ended(bench, turn, standings))

    def _to_publish(self, bench: Bench, standings: Sequence[Standing]) -> tuple[Workspace, ...]:
        """What a turn of Edits publishes: everything that changed, or what has a pull request already."""
        job = bench.context.job
        changed = bench.changed(tuple(standings))
        return tuple(each for each in changed if job.request.auto_pr or each.repository in job.published)

    async def _publish_what_is_there(self, bench: Bench) -> Outcome:
        changed = bench.changed(await bench.take_stock("changes"))
        if not changed:
            await self._clean_up(bench, bench.workspaces)
            return Outcome(status=RunStatus.IDLE, sentence="There are no changes to open a pull request for.")
        summary = await bench.context.steps.run("last words", lambda: self._last_words(bench), str)
        return await self._gate_and_publish(bench, changed, summary=summary, reports=[])

    async def _last_words(self, bench: Bench) -> str:
        return await self._hands.store.last_words(bench.session.id)

    async def _gate_and_publish(
        self, bench: Bench, changed: Sequence[Workspace], *, summary: str, reports: list[GateReport]
    ) -> Outcome:
        gates = [*reports, *await self._gates(bench, changed)]
        if any(gate.rounds for gate in gates):  # a fix may take back what the change was
            changed = bench.changed(await bench.take_stock("changes after fixes"))
            if not changed:
                await self._clean_up(bench, bench.workspaces)
                sentence = f"No changes, so no pull request. {summary}"[:2000]
                return Outcome(status=RunStatus.IDLE, sentence=sentence)
        if bench.context.job.options.dry_run:
            return _rehearsed(bench, changed)
        published = await publish(bench, changed, summary=summary, gates=gates)
        await bench.say_published(frozenset(each.repository for each in published.opened))
        await self._clean_up(bench, [each for each in bench.workspaces if each.repository not in published.failed])
        return _outcome(published)

    async def _gates(self, bench: Bench, changed: Sequence[Workspace]) -> list[GateReport]:
        reviewed = [await review(bench)] if bench.context.job.options.review else []
        return reviewed + await verify(bench, changed)

    async def _clean_up(self, bench: Bench, workspaces: Sequence[Workspace]) -> None:
        """Remove worktrees that hold nothing which is not at the forge; what does is saved first, whatever we think."""
        await self._hands.claude_code.close(bench.session.id)  # nothing shall work in a directory that goes
        for workspace in workspaces:

            async def removed(workspace: Workspace = workspace) -> str | None:
                saved = await bench.github(workspace).remove(workspace)
                return None if saved is None else str(saved)

            await bench.context.steps.run(f"clean up{bench.label(workspace)}", removed, str | None)


def _published(bench: Bench, standings: Sequence[Standing]) -> list[Workspace]:
    kept = {standing.repository for standing in standings if standing.unpublished}
    return [workspace for workspace in bench.workspaces if workspace.repository not in kept]


def _rehearsed(bench: Bench, changed: Sequence[Workspace]) -> Outcome:
    where = " and ".join(str(each.directory) for each in changed)
    commands = "; ".join(bench.github(each).removal_command(each) for each in changed)
    sentence = f"Dry run: nothing was published. The change is in {where}; remove it with: {commands}"
    return Outcome(status=RunStatus.IDLE, sentence=sentence)


def _ended(bench: Bench, turn: Turn, standings: Sequence[Standing]) -> str:
    if not turn.finished:
        return "The turn was cut at its limit. Send a message to go on."
    if bench.context.job.mode is RunMode.EDITS:
        files = sum(standing.files for standing in standings)
        return f"Changed {files} file{'' if files == 1 else 's'}; no pull request yet." if files else "Nothing changed."
    return "Answered." if bench.context.job.mode is RunMode.ASK else "Ended without a plan to review."


def _outcome(published: Published) -> Outcome:
    said = [
        f"{'Opened' if each.created else 'Updated'} {'draft ' if each.draft else ''}pull request {each.url}"
        for each in published.opened
    ]
    if not published.failed:
        return Outcome(status=RunStatus.PR_OPENED, sentence="; ".join(said))
    missing = [f"{repository} failed: {message}" for repository, message in published.failed.items()]
    return Outcome(status=RunStatus.FAILED, sentence=" ".join([*missing, f"{'; '.join(said)}."]))
