"""What lists begin with: conversations, and tickets with their repositories."""

from collections.abc import Sequence

from app.models import Conversation, ConversationFilter, RunStatus
from app.results import TicketHit
from app.services.runner import Runner


async def newest_and_waiting(runner: Runner) -> tuple[Conversation, ...]:
    """Those that changed last, and below them whatever else waits for people: days pass, and others change."""
    usual = ConversationFilter()
    newest = await runner.conversations(usual)
    if len(newest) < usual.limit:
        return newest
    waiting = await runner.conversations(ConversationFilter(status=RunStatus.NEEDS_INPUT))
    known = {each.ticket.key for each in newest}
    return (*newest, *(each for each in waiting if each.ticket.key not in known))


async def suggested_names(runner: Runner, hits: Sequence[TicketHit]) -> dict[str, str]:
    """By the tickets' keys the repositories that each starts with, between spaces. Asked once a project."""
    of_project: dict[str, str] = {}
    for hit in hits:
        project = hit.key.rpartition("-")[0]
        if project not in of_project:
            of_project[project] = " ".join(each.name for each in await runner.suggested(hit.key))
    return {hit.key: of_project[hit.key.rpartition("-")[0]] for hit in hits}
