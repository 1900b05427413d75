"""The author writes the change, by itself."""

from app.models import StageName, StageStatus
from app.prompts.ticket_prompts import build_continuation_prompt, build_implementation_prompt
from app.results import GateReport, Turn
from app.services.pipeline.bench import Bench
from app.services.pipeline.stages.guides import guides_of, news_of


async def implement(bench: Bench) -> tuple[Turn, GateReport]:
    """The first turn of the run, and what it took."""
    context = bench.context

    async def words() -> str:
        news = news_of(bench)
        if await context.hands.claude_code.remembers(bench.session.id):
            return build_continuation_prompt(context.job.ticket, news=news)
        return build_implementation_prompt(context.job.ticket, guides=await guides_of(bench), news=news)

    async with context.stage(StageName.IMPLEMENT) as end, bench.shown_live():
        turn = await context.author_turn("implement", bench.session, words)
        await bench.acknowledge()
        end.summary = f"{turn.turns} turns, ${turn.cost_usd:.2f}"
        if not turn.finished:
            end.status = StageStatus.WARNED
            end.summary += "; cut at the limit of turns"
        return turn, report_of(turn, end.status, end.summary)


def report_of(turn: Turn, status: StageStatus, found: str) -> GateReport:
    """What the author's work took, for the pull request."""
    return GateReport(
        gate=StageName.IMPLEMENT,
        status=status,
        found=found,
        duration_s=turn.duration_s,
        turns=turn.turns,
        cost_usd=turn.cost_usd,
    )
