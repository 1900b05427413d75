"""The gateway in memory: doors without a port, which pass and refuse like real ones."""

import secrets
from http import HTTPStatus

from app.domain.model_limits import OPEN, Standing
from app.errors import Parked, WorkFailed
from app.results import Account
from app.services.gateway.base import Door, Gateway


class MockDoor(Door):
    """Answers `ask` with the status that a request would get. Nothing listens at its port."""

    def __init__(self, *, gateway: "MockGateway", session_id: str, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/gateway"
        self.token = f"auto-code-{secrets.token_urlsafe(32)}"
        self._gateway = gateway
        self._session_id = session_id
        self._account: Account | None = None
        self._refusal: WorkFailed | None = None

    def begin(self, account: Account) -> None:
        self._account, self._refusal = account, None

    def end(self) -> None:
        self._account = None

    def refusal(self) -> WorkFailed | None:
        return self._refusal

    async def close(self) -> None:
        self._account = None

    async def ask(self, token: str, *, session_id: str | None = None) -> int:
        """Ask the model once; what it costs is nothing."""
        if token != self.token:
            return HTTPStatus.UNAUTHORIZED
        if self._account is None or session_id not in {None, self._session_id}:
            return HTTPStatus.FORBIDDEN
        standing = self._gateway.standing
        if standing.state == "closed":
            self._refusal = WorkFailed(standing.reason)
            return HTTPStatus.UNAUTHORIZED
        if standing.until is not None:
            self._refusal = Parked(standing.reason, until=standing.until)
            return HTTPStatus.TOO_MANY_REQUESTS
        return HTTPStatus.OK


class MockGateway(Gateway):
    """Stands as it is told to."""

    def __init__(self) -> None:
        self._standing = OPEN
        self._opened = 0

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def open(self, session_id: str) -> MockDoor:
        self._opened += 1
        return MockDoor(gateway=self, session_id=session_id, port=self._opened)

    @property
    def standing(self) -> Standing:
        return self._standing

    async def admitted(self) -> None:
        if self._standing.until is not None:
            raise Parked(self._standing.reason, until=self._standing.until)

    def stand(self, standing: Standing) -> None:
        """Let the account stand so from now on."""
        self._standing = standing
