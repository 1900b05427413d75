"""The pipeline here: the stages of a run in their order, on worktrees of this machine."""

import asyncio
from collections.abc import Iterable

from app.models import Job, RunMode, RunStatus
from app.results import GateReport, Outcome, Turn, Workspace
from app.services.engine.base import Steps
from app.services.pipeline.base import Pipeline
from app.services.pipeline.bench import Bench, Standings
from app.services.pipeline.context import Context, Hands
from app.services.pipeline.stages.converse import converse
from app.services.pipeline.stages.implement import implement, report_of, resolve
from app.services.pipeline.stages.publish import Published, publish
from app.services.pipeline.stages.review import review
from app.services.pipeline.stages.verify import verify
from app.services.pipeline.stages.workspace import prepare


class LocalPipeline(Pipeline):
    """Ticket to pull request, or a person's turn, in one worktree a repository and one session of the author."""

    def __init__(self, *, hands: Hands, look_after_s: float = 2.0) -> None:
        self._hands = hands
        self._look_after_s = look_after_s

    async def execute(self, job: Job, steps: Steps) -> Outcome:
        context = Context(job=job, steps=steps, hands=self._hands, look_after_s=self._look_after_s)
        try:
            return await self._work(await prepare(context))
        finally:
            await asyncio.shield(context.close())

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
        return await self._gate_and_publish(bench, standings, summary=turn.text, reports=[report])

    async def _converse(self, bench: Bench) -> Outcome:
        turn = await converse(bench)
        if turn.question is not None:
            return Outcome(status=RunStatus.NEEDS_INPUT, sentence="Claude asks.", question=turn.question)
        standings = await bench.take_stock("changes")
        if bench.context.job.mode is RunMode.EDITS and bench.to_publish(standings):
            return await self._gate_and_publish(bench, standings, summary=turn.text, reports=[report_of(turn)])
        await self._clean_up(bench, bench.settled(standings))
        return Outcome(status=RunStatus.IDLE, sentence=_ended(bench, turn, standings))

    async def _publish_what_is_there(self, bench: Bench) -> Outcome:
        summary = await bench.context.steps.run("last words", lambda: self._last_words(bench), str)
        reports = await resolve(bench)
        standings = await bench.take_stock("changes")
        if not bench.to_publish(standings):
            await self._clean_up(bench, bench.settled(standings))
            return Outcome(status=RunStatus.IDLE, sentence="There are no changes to open a pull request for.")
        return await self._gate_and_publish(bench, standings, summary=summary, reports=reports)

    async def _last_words(self, bench: Bench) -> str:
        return await self._hands.store.last_words(bench.session.id)

    async def _gate_and_publish(
        self, bench: Bench, standings: Standings, *, summary: str, reports: list[GateReport]
    ) -> Outcome:
        gates = reports
        if bench.to_publish(standings):
            gates = [*reports, *await self._gates(bench, standings)]
        if any(gate.rounds for gate in gates):  # a fix may take back what the change was
            standings = await bench.take_stock("changes after fixes")
        changed = bench.to_publish(standings)
        if not changed or bench.context.job.options.dry_run:
            await self._clean_up(bench, bench.settled(standings))
            return _rehearsed(bench, changed) if changed else _nothing_changed(summary)
        # A program that the author left behind could change the files while they are taken in.
        await self._hands.claude_code.close(bench.session.id)
        published = await publish(bench, changed, summary=summary, gates=gates)
        opened = frozenset(each.repository for each in published.opened)
        await bench.say_published(opened)
        settled = bench.settled(standings)
        await self._clean_up(bench, [each for each in bench.workspaces if each.repository in opened or each in settled])
        return _outcome(published)

    async def _gates(self, bench: Bench, standings: Standings) -> list[GateReport]:
        reviewed = [await review(bench)] if bench.context.job.options.review else []
        changed = bench.to_publish(standings)
        if any(each.rounds for each in reviewed) and len(changed) < len(bench.workspaces):
            changed = bench.to_publish(await bench.take_stock("changes after review"))
        return reviewed + await verify(bench, changed)

    async def _clean_up(self, bench: Bench, workspaces: Iterable[Workspace]) -> None:
        """Remove worktrees that hold nothing which is not at the forge; what does is saved first, whatever we think."""
        await self._hands.claude_code.close(bench.session.id)  # nothing shall work in a directory that goes
        for workspace in workspaces:

            async def removed(workspace: Workspace = workspace) -> str | None:
                saved = await bench.github(workspace).remove(workspace)
                await bench.keeping.keep(workspace)  # no other machine shall make the worktree again
                return None if saved is None else str(saved)

            await bench.context.steps.run(f"clean up{bench.label(workspace)}", removed, str | None)


def _nothing_changed(summary: str) -> Outcome:
    return Outcome(status=RunStatus.IDLE, sentence=f"No changes, so no pull request. {summary}"[:2000])


def _rehearsed(bench: Bench, changed: Iterable[Workspace]) -> Outcome:
    where = " and ".join(str(each.directory) for each in changed)
    commands = "; ".join(bench.github(each).removal_command(each) for each in changed)
    sentence = f"Dry run: nothing was published. The change is in {where}; remove it with: {commands}"
    return Outcome(status=RunStatus.IDLE, sentence=sentence)


def _ended(bench: Bench, turn: Turn, standings: Standings) -> str:
    if not turn.finished:
        return "The turn was cut at its limit. Send a message to go on."
    if bench.context.job.mode is RunMode.EDITS:
        files = sum(standing.files for standing in standings if standing.unpublished)
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
