"""What all pages share: the frame around them, who is there, and how an action is answered.

A request of htmx gets what it can use, everything else a page or a redirect, so that each page works without scripts.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import anyio
from fastapi import Depends, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from app.api.dependencies import RunnerDep
from app.api.identity import PersonDep
from app.domain.naming import is_ticket_key
from app.errors import NotFound
from app.models import Conversation
from app.routes.listing import newest_and_waiting
from app.web.presenters.shell import shell
from app.web.rendering import Rendering


def _rendering(request: Request) -> Rendering:
    rendering: Rendering = request.app.state.rendering
    return rendering


RenderingDep = Annotated[Rendering, Depends(_rendering)]


class Pages:
    """Draws pages for the person who asked."""

    def __init__(self, request: Request, runner: RunnerDep, rendering: RenderingDep, person: PersonDep) -> None:
        self._request = request
        self._runner = runner
        self._rendering = rendering
        self._person = person
        self._conversations: tuple[Conversation, ...] | None = None
        self._model: str | None = None

    async def model(self) -> str:
        """The model that the person's messages go to."""
        if self._model is None:
            self._model = await self._runner.preferred_model(self._person.name)
        return self._model

    async def conversations(self) -> tuple[Conversation, ...]:
        """Those in the sidebar."""
        if self._conversations is None:
            self._conversations = await newest_and_waiting(self._runner)
        return self._conversations

    async def show(
        self,
        name: str,
        /,
        *,
        status: int = 200,
        current: str | None = None,
        live: str | None = "/events",
        after: int = 0,
        **view: Any,
    ) -> Response:
        """The page. `current` is the conversation that it is about; `live` and `after` are its stream."""
        frame = shell(
            person=self._person.name,
            by_code=self._person.by_code,
            conversations=await self.conversations(),
            current=current,
            live=live,
            after=after,
            models=self._runner.models,
            model=await self.model(),
            standing=self._runner.standing,
            notice=self._runner.notice,
        )
        return await self._drawn(partial(self._rendering.page, name, shell=frame, **view), status)

    async def piece(self, name: str, /, *, status: int = 200, **view: Any) -> Response:
        """A piece of a page, for a script that puts it in its place."""
        return await self._drawn(partial(self._rendering.fragment, name, **view), status)

    async def piece_or_page(self, template: str, /, *, title: str, back: str, **view: Any) -> Response:
        """A piece, which is a page of its own where no script asks for it."""
        if by_script(self._request):
            return await self.piece(template, **view)
        return await self.show("plain.html", **view, title=title, back=back, template=template)

    async def _drawn(self, draw: Callable[[], str], status: int) -> Response:
        # Hundreds of items take a tenth of a second, in which others' streams go on.
        return HTMLResponse(await anyio.to_thread.run_sync(draw), status_code=status)


PagesDep = Annotated[Pages, Depends(Pages)]


def by_script(request: Request) -> bool:
    """Whether htmx or one of the page's scripts sent the request."""
    return "hx-request" in request.headers


def done(request: Request, back: str) -> Response:
    """The answer to an action whose effect comes by the stream; without scripts `back` shows it."""
    return Response(status_code=204) if by_script(request) else RedirectResponse(back, status_code=303)


def opened(request: Request, address: str) -> Response:
    """The answer to an action that leads to another page."""
    if by_script(request):
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, status_code=303)


def ticket_key(key: str) -> str:
    """The key that an address holds. Raises NotFound for what is none."""
    wanted = key.upper()
    if not is_ticket_key(wanted):
        raise NotFound(f"{key[:100]!r} is not the key of a ticket. Keys look like PROJ-1.")
    return wanted


KeyDep = Annotated[str, Depends(ticket_key)]
"""A ticket's key in the address, in any case of letters."""
