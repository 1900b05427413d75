"""Code Runs: the first page, where a ticket is sent to Claude, and the list of what was sent."""

import asyncio
import contextlib
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from app.api.dependencies import RunnerDep
from app.api.error_handlers import status_of
from app.api.forms import Form, FormDep
from app.api.identity import PersonDep
from app.api.origin import check_same_origin
from app.errors import AutoCodeError, InvalidInput, NotFound
from app.models import Conversation, ConversationFilter, Receipt, RunMode, RunStatus, Ticket, Trigger
from app.models import Request as Asked
from app.results import TicketHit
from app.routes.frame import Pages, PagesDep, by_script, opened, ticket_key
from app.routes.listing import suggested_names
from app.routes.requests import message_id_in, new_message_id, request_in, ticket_in, typed_in
from app.routes.setup import setup_facts
from app.services.runner import Runner
from app.web.presenters.composer import Composer, new_run_composer
from app.web.presenters.home import home_page

router = APIRouter(include_in_schema=False, dependencies=[Depends(check_same_origin)])

_TRACKER_LIMIT_S = 2.0
"""What the first page waits for a tracker that only has suggestions to make."""

_MOST_READY = 8
_MOST_FOUND = 100

Words = Annotated[str, Query(max_length=200)]


@router.get("/")
async def first() -> Response:
    """The way to the first page."""
    return RedirectResponse("/code-runs", status_code=303)


@router.get("/code-runs")
async def home(
    request: Request,
    runner: RunnerDep,
    person: PersonDep,
    pages: PagesDep,
    q: Words = "",
    status: Words = "",
    mode: Words = "",
    by: Words = "",
) -> Response:
    """The first page, with the runs that were asked for, if any were."""
    wanted = ConversationFilter(
        words=q.strip(),
        status=RunStatus(status) if status in set(RunStatus) else None,
        mode=RunMode(mode) if mode in set(RunMode) else None,
        by=by.strip() or None,
        limit=_MOST_FOUND,
    )
    composer = await _composer(runner, model=await runner.preferred_model(person.name))
    searched = bool(request.query_params)
    found = await runner.conversations(wanted) if searched else None
    return await _home(request, runner, pages, composer, wanted=wanted, found=found)


@router.get("/code-runs/new")
async def new(request: Request, runner: RunnerDep, person: PersonDep, pages: PagesDep, ticket: Words = "") -> Response:
    """The first page with a ticket chosen: what a link in a tracker leads to. A ticket that was sent is shown."""
    if not ticket.strip():
        return RedirectResponse("/code-runs", status_code=303)
    key = ticket_key(ticket.strip())
    with contextlib.suppress(NotFound):
        await runner.conversation(key)
        return RedirectResponse(f"/code-runs/{quote(key)}", status_code=303)
    chosen = (await runner.ticket(key)).ticket
    composer = await _composer(runner, model=await runner.preferred_model(person.name), ticket=chosen)
    return await _home(request, runner, pages, composer)


@router.post("/code-runs")
async def send(request: Request, runner: RunnerDep, person: PersonDep, pages: PagesDep, form: FormDep) -> Response:
    """Send a ticket to Claude, and open its conversation."""
    try:
        key, receipt = await _sent(runner, form, person.name)
    except (InvalidInput, NotFound) as error:
        if not by_script(request):
            return await _again(request, runner, pages, form, person.name, error)
        if isinstance(error, InvalidInput):
            return await pages.piece("parts/errors.html", status=422, errors=[error.message])
        raise
    return opened(request, f"/code-runs/{receipt.ticket or key}")


@router.post("/demo")
async def demo(request: Request, runner: RunnerDep, _: PersonDep) -> Response:
    """Send the sample's ticket, where the service has one."""
    ticket: Ticket | None = request.app.state.demo_ticket
    if ticket is None:
        raise NotFound("This service has no demo. `auto-code demo` shows it in a terminal.")
    await runner.handle_ticket(ticket, trigger=Trigger.COMMAND)
    return opened(request, f"/code-runs/{ticket.key}")


async def _sent(runner: Runner, form: Form, person: str) -> tuple[str, Receipt]:
    key = ticket_in(form)
    model = await runner.preferred_model(person)
    asked = request_in(form, text="instructions", by=person, model=model, repositories=runner.repositories())
    if not asked.repositories:
        raise InvalidInput("repos", "choose a repository")
    return key, await runner.send(key, asked, message_id=message_id_in(form))


async def _again(
    request: Request, runner: Runner, pages: Pages, form: Form, person: str, error: AutoCodeError
) -> Response:
    """The page once more, with what was typed and what is wrong with it."""
    typed = typed_in(form, text="instructions", model=await runner.preferred_model(person))
    key = form.last("ticket")
    ticket = Ticket(key=key, summary="") if key else None
    composer = _filled(runner, typed, ticket=ticket)
    return await _home(request, runner, pages, composer, errors=[error.message], status=status_of(error))


async def _home(
    request: Request,
    runner: Runner,
    pages: Pages,
    composer: Composer,
    *,
    wanted: ConversationFilter | None = None,
    found: tuple[Conversation, ...] | None = None,
    errors: list[str] | None = None,
    status: int = 200,
) -> Response:
    conversations = await pages.conversations()
    ready = await _ready(runner, conversations) if found is None else ()
    page = home_page(
        composer=composer,
        conversations=conversations,
        setup=setup_facts(request.app.state.settings, runner),
        found=found,
        wanted=wanted,
        ready=ready,
        suggested=await suggested_names(runner, ready),
        demo=request.app.state.demo_ticket is not None,
        errors=errors or [],
    )
    return await pages.show("home.html", status=status, page=page)


async def _ready(runner: Runner, conversations: tuple[Conversation, ...]) -> tuple[TicketHit, ...]:
    """Tickets that nobody has sent yet; none while the tracker is away."""
    known = {each.ticket.key for each in conversations}
    try:
        async with asyncio.timeout(_TRACKER_LIMIT_S):
            hits = await runner.find_tickets("")
    except (TimeoutError, AutoCodeError):
        return ()
    return tuple(hit for hit in hits if hit.key not in known)[:_MOST_READY]


async def _composer(runner: Runner, *, model: str, ticket: Ticket | None = None) -> Composer:
    chosen = await runner.suggested(ticket.key) if ticket else runner.repositories()[:1]
    return _filled(runner, Asked(mode=RunMode.EDITS, model=model, repositories=chosen), ticket=ticket)


def _filled(runner: Runner, asked: Asked, *, ticket: Ticket | None) -> Composer:
    return new_run_composer(
        repositories=runner.repositories(),
        models=runner.models,
        request=asked,
        ticket=ticket,
        message_id=new_message_id(),
    )
