"""A door: its own port on loopback, its own token, and nobody through it but the turn that is open."""

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from app.errors import WorkFailed
from app.results import Account
from app.services.gateway.answers import refuse
from app.services.gateway.api import Api
from app.services.gateway.base import Door
from app.services.gateway.course import OpenTurn, Order
from app.services.gateway.listener import Connection, Listener, Request

_ROOM = "/gateway"
_SESSION = b"x-claude-code-session-id"

Refusal = tuple[int, str]


class LocalDoor(Door):
    """Lets the requests of one session's process pass on to `take`, if the API is asked such things."""

    def __init__(
        self, *, api: Api, session_id: str, take: Callable[[Order], Awaitable[None]], begun: Callable[[str], None]
    ) -> None:
        self.token = f"auto-code-{secrets.token_urlsafe(32)}"
        self._api = api
        self._session_id = session_id
        self._take = take
        self._begun = begun
        self._listener = Listener(self._handle)
        self._turn: OpenTurn | None = None
        self._last: OpenTurn | None = None

    @property
    def is_open(self) -> bool:
        """It has a port."""
        return self._listener.is_open

    async def open(self) -> None:
        """Take connections."""
        self.port = await self._listener.open()
        self.url = f"http://127.0.0.1:{self.port}{_ROOM}"

    def begin(self, account: Account) -> None:
        self._turn = self._last = OpenTurn(account, self._session_id)
        self._begun(account.ticket)

    def end(self) -> None:
        self._turn = None
        self._listener.cut_busy()

    def refusal(self) -> WorkFailed | None:
        return self._last.refusal if self._last is not None else None

    async def close(self) -> None:
        self._turn = None
        await self._listener.close()

    async def _handle(self, request: Request, connection: Connection) -> None:
        target = request.target.removeprefix(_ROOM)
        if (refused := self._stranger(request)) is not None:
            await refuse(connection, *refused)
        elif (turn := self._turn) is None:
            await refuse(connection, HTTPStatus.FORBIDDEN, "This token's run has ended; it may ask nothing more.")
        elif target == request.target or not self._api.passes(request.method, target.partition("?")[0]):
            await refuse(connection, HTTPStatus.NOT_FOUND, f"{request.method} {target} does not pass the gateway.")
        else:
            await self._take(Order(self._api, turn, request, connection, target))

    def _stranger(self, request: Request) -> Refusal | None:
        """Why the request is none of this door's process; None where it is."""
        if not request.is_local:
            return HTTPStatus.FORBIDDEN, "The gateway answers this machine only."
        sent = request.header(b"x-api-key") or request.header(b"authorization").removeprefix("Bearer ")
        if not secrets.compare_digest(sent.encode(), self.token.encode()):
            return HTTPStatus.UNAUTHORIZED, "The gateway does not know this token."
        if request.header(_SESSION) not in {"", self._session_id}:
            return HTTPStatus.FORBIDDEN, "This token belongs to another session."
        return None
