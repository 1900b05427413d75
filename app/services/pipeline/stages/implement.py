"""The author writes the change by itself, or brings together what conflicts."""

from app.models import StageName
from app.prompts.ticket_prompts import build_continuation_prompt, build_implementation_prompt, told_news
from app.results import GateReport, Turn
from app.services.pipeline.bench import Bench
from app.services.pipeline.context import StageEnd
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
        end.follow(turn)
        return turn, report_of(turn)


async def resolve(bench: Bench) -> list[GateReport]:
    """Conflicts with what people pushed, resolved by the author where nothing else is asked of it, and what it took."""
    if not any(workspace.conflicts for workspace in bench.workspaces):
        return []

    async def words() -> str:
        return "\n\n".join(told_news(news_of(bench)))

    async with bench.context.stage(StageName.IMPLEMENT) as end:
        turn = await bench.context.author_turn("resolve", bench.session, words)
        await bench.acknowledge()
        end.follow(turn)
        return [report_of(turn)]


def report_of(turn: Turn) -> GateReport:
    """What the author's work took, for the pull request."""
    end = StageEnd()
    end.follow(turn)
    return GateReport(
        gate=StageName.IMPLEMENT,
        status=end.status,
        found=end.summary,
        duration_s=turn.duration_s,
        turns=turn.turns,
        cost_usd=turn.cost_usd,
    )
