"""A person's turn: asked, planned or edited, with questions to people where Claude has them."""

from app.models import RunMode, StageName
from app.prompts.conversation_prompts import build_message_prompt
from app.prompts.ticket_prompts import told_arrivals
from app.results import Turn
from app.services.claude_code.base import Permission
from app.services.pipeline.bench import Bench
from app.services.pipeline.stages.guides import guides_of, news_of

_STAGES = {RunMode.ASK: StageName.ANSWER, RunMode.PLAN: StageName.PLAN, RunMode.EDITS: StageName.IMPLEMENT}
_PERMISSIONS = {RunMode.ASK: Permission.READ, RunMode.PLAN: Permission.PLAN, RunMode.EDITS: Permission.EDIT}


async def converse(bench: Bench) -> Turn:
    """The turn, up to its end or to a question."""
    context = bench.context
    job = context.job

    async def words() -> str:
        known = await context.hands.claude_code.remembers(bench.session.id)
        guides = () if known else await guides_of(bench)
        return build_message_prompt(job, known=known, guides=guides, news=news_of(bench))

    async with context.stage(_STAGES[job.mode]) as end, bench.shown_live():
        # A run that people answered goes on with a turn of its own, which has a name of its own.
        news = "\n\n".join(told_arrivals(news_of(bench)))
        permission = _PERMISSIONS[job.mode]
        turn = await context.persons_turn(f"turn {job.leg}", bench.session, words, permission, news=news)
        await bench.acknowledge()
        end.waits = turn.question is not None
        end.follow(turn)
        return turn
