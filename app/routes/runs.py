"""The JSON API: runs, their events, stop and retry. The pages and people's scripts use it."""

import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from app import metrics
from app.api.dependencies import RunnerDep
from app.api.security import CallerDep, caller
from app.errors import InvalidInput
from app.models import Event, Receipt, Run, RunFilter, RunStatus, Trigger
from app.services.runner import Runner

router = APIRouter(prefix="/api/v1", tags=["runs"], dependencies=[Depends(caller)])

_PING_S = 15
_KEPT = 64
"""Events. Who is further behind has its own written."""
_LAST = 2**53 - 1  # a number that every database and every JavaScript keeps

RunId = Annotated[str, Path(max_length=64, pattern="^[0-9A-Za-z-]+$")]
Cursor = Annotated[int | None, Query(ge=1, le=_LAST)]
After = Annotated[int, Query(ge=0, le=_LAST)]


@router.get("/runs")
async def list_runs(
    runner: RunnerDep,
    ticket: Annotated[str | None, Query(max_length=64, pattern="^[0-9A-Za-z_-]+$")] = None,
    status: RunStatus | None = None,
    trigger: Trigger | None = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Runs, newest first, as `{"runs": […], "next": cursor}`; `next` is null at the end."""
    page = await runner.runs(RunFilter(ticket=ticket, status=status, trigger=trigger, before=cursor, limit=limit))
    return {"runs": page.runs, "next": page.next}


@router.get("/runs/{run_id}")
async def get_run(runner: RunnerDep, run_id: RunId) -> Run:
    """One run."""
    return await runner.run(run_id)


@router.get("/runs/{run_id}/events", response_model=None)
async def get_events(
    request: Request,
    runner: RunnerDep,
    run_id: RunId,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    accept: Annotated[str, Header()] = "application/json",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response | dict[str, Any]:
    """Events with a number above `after`: as JSON, or as a live stream for `Accept: text/event-stream`.

    The stream's ids are the events' numbers, so that `Last-Event-ID` goes on where a connection broke. It ends with an
    event named `done` after the last event of a run that has ended.
    """
    if "text/event-stream" in accept:
        if last_event_id is not None:
            after = _number(last_event_id)
        await runner.run(run_id)  # 404 before the stream begins
        lines: Lines = request.app.state.lines
        return EventSourceResponse(_stream(runner, lines, run_id, after), ping=_PING_S, ping_message_factory=_ping)
    events = await runner.events(run_id, after=after, limit=limit)
    return {"events": events, "next": events[-1].seq if events else after}


@router.post("/runs/{run_id}/stop")
async def stop_run(runner: RunnerDep, by: CallerDep, run_id: RunId) -> Run:
    """End a run and keep its work."""
    return await runner.stop_run(run_id, by=by)


@router.post("/runs/{run_id}/retry", status_code=202)
async def retry_run(runner: RunnerDep, by: CallerDep, run_id: RunId) -> Receipt:
    """A new run of the same ticket, which goes on from the kept work."""
    return await runner.retry_run(run_id, by=by)


class Lines:
    """Events as they go over the wire, written once for all who follow a run; the last of them."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str | None, int], bytes] = OrderedDict()

    def of(self, event: Event) -> bytes:
        """An event's lines."""
        if (known := self._sent.get((event.run_id, event.seq))) is None:
            known = ServerSentEvent(id=str(event.seq), data=event.model_dump_json()).encode()
            self._sent[event.run_id, event.seq] = known
            if len(self._sent) > _KEPT:
                self._sent.popitem(last=False)
        return known


async def _stream(runner: Runner, lines: Lines, run_id: str, after: int) -> AsyncIterator[bytes]:
    with metrics.readers.track_inprogress():
        async for event in runner.follow(run_id, after=after):
            yield lines.of(event)
        yield ServerSentEvent(event="done", data="{}").encode()


def _ping() -> ServerSentEvent:
    return ServerSentEvent(event="ping", data="{}")  # an event, because EventSource never shows comments


def _number(last_event_id: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", last_event_id):
        raise InvalidInput("Last-Event-ID", "must be the number of an event")
    return int(last_event_id)
