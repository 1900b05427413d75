"""A second pair of eyes: a fresh session that only reads, and the author who fixes what it finds."""

from app.domain.naming import REVIEWER
from app.domain.verdicts import parse_verdict
from app.models import StageName, StageStatus
from app.prompts.ticket_prompts import build_fix_prompt, build_review_prompt
from app.results import GateReport
from app.services.pipeline.bench import Bench


async def review(bench: Bench) -> GateReport:
    """The review's verdict, fixed once where it found something."""
    context, session = bench.context, bench.session
    reviewer = session.model_copy(update={"id": context.id_of(REVIEWER)})

    async def ask() -> str:
        changes = await context.hands.store.changes(context.job.ticket.key)
        places = {each.repository: str(each.directory) for each in bench.workspaces}
        return build_review_prompt(context.job.ticket, [each for each in changes if each.repository in places], places)

    async with context.stage(StageName.REVIEW) as end:
        turn = await context.reviewer_turn("review", reviewer, ask, beside=session.id)
        verdict = parse_verdict(turn.text)
        spent = [turn]
        if not verdict.clear:
            end.status, end.summary = StageStatus.WARNED, "The reviewer gave no verdict."
        elif not verdict.has_issues:
            end.summary = "No issues found."
        else:

            async def fix() -> str:
                return build_fix_prompt("review", verdict.findings)

            fixed = await context.author_turn("fix review", session, fix)
            spent.append(fixed)
            end.rounds, end.summary = 1, "Found issues; fixed by the author."
            if not fixed.finished:
                end.status, end.summary = StageStatus.WARNED, "Found issues; the fix was cut at the limit of turns."
        return GateReport(
            gate=StageName.REVIEW,
            status=end.status,
            found=end.summary if not verdict.has_issues else verdict.findings,
            rounds=end.rounds,
            duration_s=sum(each.duration_s for each in spent),
            turns=sum(each.turns for each in spent),
            cost_usd=sum(each.cost_usd for each in spent),
        )
