"""The author writes the change."""

import asyncio

from app.models import StageName, StageStatus
from app.prompts.ticket_prompts import build_continuation_prompt, build_implementation_prompt
from app.results import GateReport, Turn, Workspace
from app.services.claude_code.base import SessionRef
from app.services.pipeline.context import Context

_GUIDES = ("CLAUDE.md", "AGENTS.md")


async def implement(context: Context, workspace: Workspace, session: SessionRef) -> tuple[Turn, GateReport]:
    """The first turn of the run, and what it took."""

    async def prompt() -> str:
        ticket, hands = context.job.ticket, context.hands
        if await hands.claude_code.remembers(session.id):
            return build_continuation_prompt(ticket, conflicts=workspace.conflicts)
        # Of the base, not of the branch that the agent writes.
        texts = await asyncio.gather(*(hands.github.read(workspace, name) for name in _GUIDES))
        guides = {name: text for name, text in zip(_GUIDES, texts, strict=True) if text}
        return build_implementation_prompt(ticket, guides=guides, conflicts=workspace.conflicts)

    async with context.stage(StageName.IMPLEMENT) as end:
        turn = await context.author_turn("implement", session, prompt)
        end.summary = f"{turn.turns} turns, ${turn.cost_usd:.2f}"
        if not turn.finished:
            end.status = StageStatus.WARNED
            end.summary += "; cut at the limit of turns"
        report = GateReport(
            gate=StageName.IMPLEMENT,
            status=end.status,
            found=end.summary,
            duration_s=turn.duration_s,
            turns=turn.turns,
            cost_usd=turn.cost_usd,
        )
        return turn, report
