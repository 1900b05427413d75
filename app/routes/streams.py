"""The live streams of the pages. A page has one: its conversation's with the list beside it, or the list's alone.

Ids are the numbers of a conversation's events, so that a connection that broke is gone on with, event by event.
"""

import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from app import metrics
from app.api.dependencies import RunnerDep
from app.api.identity import PersonDep, ReceptionDep
from app.errors import InvalidInput
from app.routes.conversation import LAST
from app.routes.feed import Feed, hello, reset
from app.routes.frame import KeyDep
from app.routes.live import Audience

router = APIRouter(include_in_schema=False)

_PING_S = 15
_SEND_LIMIT_S = 10


def _audience(request: Request) -> Audience:
    audience: Audience = request.app.state.audience
    return audience


AudienceDep = Annotated[Audience, Depends(_audience)]
Number = Annotated[int, Query(ge=0, le=LAST)]


class Stream(EventSourceResponse):
    """A stream of events with a sign of life each 15 seconds. A reader that takes nothing for 10 is let go."""

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, ping=_PING_S, ping_message_factory=_ping, send_timeout=_SEND_LIMIT_S, sep="\n")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the reader goes, the service stops, or they end."""
        complete = False

        async def send_on(message: Message) -> None:
            nonlocal complete
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            with metrics.readers.track_inprogress():
                await super().__call__(scope, receive, send_on)
        except SendTimeoutError:
            return  # a laptop was closed; it comes again
        if not complete:
            # The service stops: without this the server would call it an error, and the browser a broken connection.
            await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get("/events", response_model=None)
async def of_the_list(
    request: Request,
    audience: AudienceDep,
    reception: ReceptionDep,
    _: PersonDep,
    once: Annotated[bool, Query()] = False,
) -> Stream:
    """The list of conversations as it changes."""
    feed = Feed(audience.live(None))

    async def told() -> AsyncIterator[bytes]:
        yield hello(version=request.app.state.assets.version, seq=0)
        pieces = feed.replay() if once else feed.follow(welcome=lambda: reception.person(request))
        async for piece in pieces:
            yield piece

    return Stream(told())


@router.get("/code-runs/{key}/events", response_model=None)
async def of_a_conversation(
    request: Request,
    runner: RunnerDep,
    audience: AudienceDep,
    reception: ReceptionDep,
    _: PersonDep,
    key: KeyDep,
    begin: Annotated[int, Query(alias="from", ge=0, le=LAST)] = 0,
    after: Number = 0,
    once: Annotated[bool, Query()] = False,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Stream:
    """A conversation as it goes on after an event, in a thread that begins with the event `from`.

    With `once` it ends when all is told that there is.
    """
    if last_event_id is not None:
        after = _number(last_event_id)
    last = (await runner.conversation(key)).last_seq  # 404 before the stream begins
    feed = Feed(audience.live(key), begin=max(1, begin), after=after, last=last)

    async def told() -> AsyncIterator[bytes]:
        yield hello(version=request.app.state.assets.version, seq=last)
        if after > last:
            yield reset()
            return
        pieces = feed.replay() if once else feed.follow(welcome=lambda: reception.person(request))
        async for piece in pieces:
            yield piece

    return Stream(told())


def _ping() -> ServerSentEvent:
    return ServerSentEvent(event="ping", data="{}", sep="\n")


def _number(last_event_id: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", last_event_id):
        raise InvalidInput("Last-Event-ID", "must be the number of an event")
    return int(last_event_id)
