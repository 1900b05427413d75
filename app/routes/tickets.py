"""Tickets: one's own page with Create PR, and the form that makes one."""

import contextlib
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from app.api.dependencies import RunnerDep
from app.api.error_handlers import status_of
from app.api.forms import FormDep
from app.api.identity import PersonDep
from app.api.origin import check_same_origin
from app.errors import AutoCodeError, Conflict, InvalidInput, NotFound, StoreUnavailable, WorkFailed
from app.models import Conversation, RunMode
from app.models import Request as Asked
from app.results import TicketProject
from app.routes.frame import KeyDep, Pages, PagesDep, by_script, opened
from app.routes.requests import new_message_id
from app.services.runner import Runner
from app.web.presenters.composer import new_run_composer
from app.web.presenters.tickets import ticket_page

router = APIRouter(prefix="/tickets", include_in_schema=False, dependencies=[Depends(check_same_origin)])

_LONGEST_SUMMARY = 255


@router.get("")
async def tickets() -> Response:
    """Tickets are found on the first page and made here."""
    return RedirectResponse("/tickets/new", status_code=303)


@router.get("/new")
async def new(runner: RunnerDep, pages: PagesDep) -> Response:
    """The form that makes a ticket."""
    return await _form(runner, pages)


@router.post("")
async def create(request: Request, runner: RunnerDep, pages: PagesDep, form: FormDep) -> Response:
    """Make a ticket, and go on to send it."""
    try:
        summary, description = form.needed("summary", most=_LONGEST_SUMMARY), form.text("description")
        ticket = await runner.create_ticket(form.needed("place"), summary, description)
    except StoreUnavailable:
        raise  # no page can be drawn
    except AutoCodeError as error:
        if not by_script(request):
            typed = {name: form.last(name) for name in ("place", "summary", "description")}
            return await _form(runner, pages, errors=[error.message], status=status_of(error), **typed)
        if isinstance(error, InvalidInput):
            return await pages.piece("parts/errors.html", status=422, errors=[error.message])
        raise
    return opened(request, f"/code-runs/new?ticket={quote(ticket.key)}")


@router.get("/{key}")
async def show(runner: RunnerDep, person: PersonDep, pages: PagesDep, key: KeyDep) -> Response:
    """A ticket as the tracker knows it, and the box that sends it."""
    details = await runner.ticket(key)
    asked = Asked(
        mode=RunMode.EDITS,
        model=await runner.preferred_model(person.name),
        repositories=await runner.suggested(key),
    )
    composer = new_run_composer(
        repositories=runner.repositories(),
        models=runner.models,
        request=asked,
        ticket=details.ticket,
        fixed=True,
        message_id=new_message_id(),
    )
    page = ticket_page(details, composer=composer, conversation=await _conversation(runner, key))
    return await pages.show("ticket.html", current=key, page=page)


async def _conversation(runner: Runner, key: str) -> Conversation | None:
    with contextlib.suppress(NotFound):
        return await runner.conversation(key)
    return None


async def _form(
    runner: Runner,
    pages: Pages,
    *,
    place: str = "",
    summary: str = "",
    description: str = "",
    errors: list[str] | None = None,
    status: int = 200,
) -> Response:
    projects, troubles = await _projects(runner)
    return await pages.show(
        "new_ticket.html",
        status=status,
        tracker=runner.tracker,
        projects=projects,
        place=place,
        summary=summary,
        description=description,
        errors=[*(errors or ()), *troubles],
    )


async def _projects(runner: Runner) -> tuple[tuple[TicketProject, ...], list[str]]:
    """Where tickets can be made, or why the tracker cannot say it."""
    try:
        return await runner.projects(), []
    except (WorkFailed, NotFound, Conflict) as error:
        return (), [error.message]
