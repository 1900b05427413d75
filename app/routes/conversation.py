"""A conversation's page, and the pieces of it that come when somebody wants to see them."""

from collections.abc import Sequence
from typing import Annotated

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from app.api.dependencies import RunnerDep, SettingsDep
from app.api.origin import check_same_origin
from app.config import Settings
from app.errors import NotFound
from app.models import Conversation, Event, EventKind, PipelineOptions, RunFilter
from app.models import Request as Asked
from app.routes.frame import KeyDep, Pages, PagesDep, by_script
from app.routes.requests import new_message_id
from app.routes.standing import MOST_TURNS
from app.services.runner import Runner
from app.web.presenters.changes import changes_page, file_page
from app.web.presenters.pages import conversation_page, older, older_items
from app.web.presenters.step_bodies import step_body
from app.web.presenters.thread import Thread

router = APIRouter(prefix="/code-runs/{key}", include_in_schema=False, dependencies=[Depends(check_same_origin)])

LAST = 2**53 - 1  # a number that every database and every JavaScript keeps

_WINDOW = 200
"""Events that a page begins with at most; those before come when they are asked for."""

_BEGINS_EVERY = 50
"""Where a live page's thread begins: pages that begin with the same event share what is drawn for them."""

_OLDER = 100
_SEARCHED = 2_000
"""Events among which a step's result is looked for."""

Seq = Annotated[int, Query(ge=1, le=LAST)]


@router.get("")
async def show(
    request: Request,
    runner: RunnerDep,
    settings: SettingsDep,
    pages: PagesDep,
    key: KeyDep,
    tab: Annotated[str | None, Query(max_length=20)] = None,
    before: Annotated[int | None, Query(ge=1, le=LAST)] = None,
) -> Response:
    """The conversation. A ticket that was never sent can be sent."""
    try:
        return await page_of(runner, settings, pages, key, tab=tab, before=before)
    except NotFound:
        if by_script(request):
            raise
        await runner.ticket(key)
        return RedirectResponse(f"/code-runs/new?ticket={key}", status_code=303)


async def page_of(
    runner: Runner,
    settings: Settings,
    pages: Pages,
    key: str,
    *,
    tab: str | None = None,
    before: int | None = None,
    typed: Asked | None = None,
    errors: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    """The conversation's page; after a mistake with what was `typed` and what is wrong with it. Raises NotFound."""
    # Events first: what is read later may know more than they, and the stream brings the rest; never less.
    events = await runner.history(key, before=before, limit=_WINDOW)
    if before is None and len(events) == _WINDOW:
        events = events[-(events[0].seq - 1) % _BEGINS_EVERY :]
    conversation = await runner.conversation(key)
    changes, decisions = await runner.changes(key), await runner.decisions(key)
    runs = (await runner.runs(RunFilter(ticket=key, limit=MOST_TURNS))).runs
    model = await pages.model()
    begin = events[0].seq if events else 1
    # The list of what is to do still holds, however long ago it was last told.
    todo = await runner.newest_event(conversation.run.id, EventKind.TODO_UPDATED) if before is None else None
    told = (todo, *events) if todo is not None and todo.seq < begin else events

    def drawn() -> object:
        thread = thread_of(key, runner, told, begin=begin)
        if before is not None:
            thread.settle()
        return conversation_page(
            conversation.model_copy(update={"request": typed}) if typed else conversation,
            thread=thread,
            models=runner.models,
            model=model,
            changes=changes,
            before=begin if begin > 1 else None,
            decisions=decisions,
            runs=runs,
            options=options_of(settings),
            tab=tab,
            errors=errors,
            message_id=new_message_id(),
        )

    return await pages.show(
        "conversation.html",
        status=status,
        current=key,
        # What others follow is not under way; only the end of a conversation is live.
        live=f"/code-runs/{key}/events?from={begin}" if before is None else None,
        after=events[-1].seq if events else 0,
        page=await anyio.to_thread.run_sync(drawn),
    )


@router.get("/changes")
async def changes(runner: RunnerDep, pages: PagesDep, key: KeyDep) -> Response:
    """The changes by themselves."""
    conversation: Conversation = await runner.conversation(key)
    changed = await runner.changes(key)
    page = await anyio.to_thread.run_sync(changes_page, conversation, changed)
    after = conversation.last_seq
    live = f"/code-runs/{key}/events?from={after + 1}"
    return await pages.show("changes.html", current=key, live=live, after=after, page=page)


@router.get("/items")
async def items(
    runner: RunnerDep,
    pages: PagesDep,
    key: KeyDep,
    before: Seq,
    limit: Annotated[int, Query(ge=1, le=_WINDOW)] = _OLDER,
) -> Response:
    """The items before an event, and the way to those before them."""
    events = await runner.history(key, before=before, limit=limit)
    begin = events[0].seq if events else 1
    thread = thread_of(key, runner, events, begin=begin)
    view = {"items": older_items(thread), "older": older(key, begin if begin > 1 else None)}
    return await pages.piece_or_page("items.html", title=f"Earlier in {key}", back=f"/code-runs/{key}", **view)


@router.get("/steps/{seq}")
async def step(
    runner: RunnerDep, pages: PagesDep, key: KeyDep, seq: int, whole: Annotated[bool, Query()] = False
) -> Response:
    """What is behind a step's line."""
    found = await runner.since(key, after=min(max(seq, 1), LAST) - 1, limit=1)
    if not found or found[0].seq != seq or found[0].kind not in {EventKind.TOOL_CALLED, EventKind.GATE_CHECKED}:
        raise NotFound(f"There is no step {seq} in the conversation of {key}. Reload the page.")
    event = found[0]
    returned = await _returned(runner, key, event) if event.kind == EventKind.TOOL_CALLED else None
    body = await anyio.to_thread.run_sync(lambda: step_body(key, event, returned, whole=whole))
    return await pages.piece_or_page("step_body.html", title=f"A step of {key}", back=f"/code-runs/{key}", page=body)


@router.get("/diff")
async def diff(
    runner: RunnerDep,
    pages: PagesDep,
    key: KeyDep,
    repo: Annotated[str, Query(max_length=300)],
    path: Annotated[str, Query(max_length=4096)],
    view: Annotated[str, Query(max_length=20)] = "unified",
    whole: Annotated[bool, Query()] = False,
) -> Response:
    """The diff of one file."""
    change = next((each for each in await runner.changes(key) if each.repository == repo), None)
    page = None
    if change is not None:
        page = await anyio.to_thread.run_sync(lambda: file_page(key, change, path, view=view, whole=whole))
    if page is None:
        raise NotFound(f"{key} has no change of {path[:200]} in {repo[:100]}. Reload the page.")
    return await pages.piece_or_page("file_diff.html", title=path, back=f"/code-runs/{key}/changes", page=page)


def thread_of(key: str, runner: Runner, events: Sequence[Event], *, begin: int) -> Thread:
    """The thread that begins with the event `begin`, after these events."""
    thread = Thread(key, models=runner.models, turns_before=0 if begin <= 1 else None)
    for event in events:
        thread.apply(event)
    return thread


def options_of(settings: Settings) -> PipelineOptions:
    """The stages that runs have here."""
    return PipelineOptions(review=settings.pipeline_review, lint=settings.pipeline_lint, tests=settings.pipeline_tests)


async def _returned(runner: Runner, key: str, call: Event) -> Event | None:
    """What a call returned, if it has."""
    after = call.seq
    for _ in range(_SEARCHED // _WINDOW):
        events = await runner.since(key, after=after, limit=_WINDOW)
        for event in events:
            if event.kind == EventKind.TOOL_RETURNED and event.payload.get("id") == call.payload.get("id"):
                return event
        if not events:
            return None
        after = events[-1].seq
    return None
