"""What menus ask for while somebody types: tickets, branches, runs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.dependencies import RunnerDep
from app.api.identity import PersonDep
from app.models import ConversationFilter
from app.routes.frame import PagesDep
from app.routes.listing import newest_and_waiting, suggested_names
from app.web.presenters.shell import side_list

router = APIRouter(prefix="/ui", include_in_schema=False)

_MOST_HITS = 20
_MOST_BRANCHES = 50

Words = Annotated[str, Query(max_length=200)]


@router.get("/tickets")
async def tickets(runner: RunnerDep, pages: PagesDep, q: Words = "") -> Response:
    """Tickets with these words, or this key; each with the repositories that its project's tickets had."""
    hits = (await runner.find_tickets(q.strip()))[:_MOST_HITS]
    repositories = await suggested_names(runner, hits)
    return await pages.piece("parts/ticket_hits.html", hits=hits, repositories=repositories)


@router.get("/branches")
async def branches(
    runner: RunnerDep, pages: PagesDep, repo: Annotated[str, Query(max_length=300)], q: Words = ""
) -> Response:
    """Branches of a repository with these letters in their names."""
    letters = q.strip().lower()
    names = [name for name in await runner.branches(repo) if letters in name.lower()]
    return await pages.piece("parts/branches.html", branches=names[:_MOST_BRANCHES])


@router.get("/runs")
async def runs(runner: RunnerDep, pages: PagesDep, _: PersonDep, q: Words = "") -> Response:
    """The sidebar's list, of the runs with these words."""
    words = q.strip()
    asked = runner.conversations(ConversationFilter(words=words)) if words else newest_and_waiting(runner)
    found = side_list(await asked)
    return await pages.piece(found.template, item=found)
