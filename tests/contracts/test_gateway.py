"""What every gateway keeps, the offline stand-in as the real one: doors, tokens, turns, and how the account stands."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from app.config import load_settings
from app.domain.model_limits import OPEN, Standing
from app.errors import Parked, WorkFailed
from app.results import Account
from app.services.gateway import Door, Gateway, make_gateway
from app.services.gateway.client import GatewayClient
from app.services.gateway.mock_client import MockDoor, MockGateway
from app.services.gateway.till import Ceilings
from app.services.store.mock_client import MockStore
from tests.fakes.messages_api import API_KEY, MessagesApi

ACCOUNT = Account(ticket="PROJ-1", run_id="run-1")


class World(ABC):
    """A gateway, and what a test can do to it from outside."""

    gateway: Gateway

    @abstractmethod
    async def ask(self, door: Door, *, token: str | None = None, session_id: str | None = None) -> int:
        """Ask the model through the door; the answer's status."""

    @abstractmethod
    async def reach_the_limit(self) -> None:
        """Let the account be parked for ten minutes."""

    @abstractmethod
    async def spoil_the_credential(self) -> None:
        """Let the account's credential be refused."""


class Offline(World):
    def __init__(self) -> None:
        self.gateway = self.mock = MockGateway()

    async def ask(self, door: Door, *, token: str | None = None, session_id: str | None = None) -> int:
        assert isinstance(door, MockDoor)
        return await door.ask(door.token if token is None else token, session_id=session_id)

    async def reach_the_limit(self) -> None:
        until = datetime.now(UTC) + timedelta(seconds=600)
        self.mock.stand(Standing(state="parked", until=until, reason="The account's limit is reached."))

    async def spoil_the_credential(self) -> None:
        until = datetime.now(UTC) + timedelta(seconds=30)
        self.mock.stand(Standing(state="closed", until=until, reason="Claude's API refused the credential."))


class OnLoopback(World):
    def __init__(self, api: MessagesApi) -> None:
        self.api = api
        self.gateway = GatewayClient(
            base_url=api.url,
            credential=lambda: ("ANTHROPIC_API_KEY", SecretStr(API_KEY)),
            ledger=MockStore(),
            ceilings=Ceilings(ticket_usd=15, day_usd=None),
        )

    async def ask(self, door: Door, *, token: str | None = None, session_id: str | None = None) -> int:
        headers = {"x-api-key": door.token if token is None else token, "anthropic-version": "2023-06-01"}
        if session_id is not None:
            headers["x-claude-code-session-id"] = session_id
        body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.post(f"{door.url}/v1/messages", json=body, headers=headers)).status_code

    async def reach_the_limit(self) -> None:
        self.api.fault(429, headers={"retry-after": "600"})
        await self._ask_once()

    async def spoil_the_credential(self) -> None:
        self.api.fault(401, times=None)
        await self._ask_once()

    async def _ask_once(self) -> None:
        door = await self.gateway.open("another")
        door.begin(ACCOUNT)
        await self.ask(door)


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


@pytest.fixture(params=["mock", "loopback"])
async def world(request: pytest.FixtureRequest, api: MessagesApi) -> AsyncIterator[World]:
    made = Offline() if request.param == "mock" else OnLoopback(api)
    await made.gateway.start()
    yield made
    await made.gateway.stop()


async def test_a_door_is_open_for_its_turn(world: World) -> None:
    door = await world.gateway.open("session-1")
    assert await world.ask(door) == 403
    door.begin(ACCOUNT)
    assert await world.ask(door, session_id="session-1") == 200
    door.end()
    assert await world.ask(door) == 403


async def test_each_door_has_a_token_and_a_port_of_its_own(world: World) -> None:
    first, second = await world.gateway.open("session-1"), await world.gateway.open("session-1")
    first.begin(ACCOUNT)
    second.begin(ACCOUNT)
    assert first.port != second.port
    assert first.url == f"http://127.0.0.1:{first.port}/gateway"
    assert await world.ask(first, token=second.token) == 401
    assert await world.ask(first, token="") == 401
    assert await world.ask(first, session_id="session-2") == 403


async def test_a_door_may_be_closed_twice(world: World) -> None:
    door = await world.gateway.open("session-1")
    await door.close()
    await door.close()


async def test_an_account_that_is_served_admits_new_work(world: World) -> None:
    assert world.gateway.standing == OPEN
    await world.gateway.admitted()


async def test_a_parked_account_parks_turns_and_new_work(world: World) -> None:
    door = await world.gateway.open("session-1")
    door.begin(ACCOUNT)
    await world.reach_the_limit()
    assert await world.ask(door) == 429
    door.end()
    refusal, until = door.refusal(), world.gateway.standing.until
    assert isinstance(refusal, Parked)
    assert refusal.until == until
    with pytest.raises(Parked):
        await world.gateway.admitted()
    door.begin(ACCOUNT)
    assert door.refusal() is None


async def test_a_refused_credential_fails_turns_and_holds_new_work_back(world: World) -> None:
    door = await world.gateway.open("session-1")
    door.begin(ACCOUNT)
    await world.spoil_the_credential()
    assert await world.ask(door) == 401
    refusal = door.refusal()
    assert isinstance(refusal, WorkFailed)
    assert not isinstance(refusal, Parked)
    assert "refused the credential" in refusal.message
    assert world.gateway.standing.state == "closed"
    with pytest.raises(Parked):
        await world.gateway.admitted()


def test_the_settings_choose_the_gateway() -> None:
    ledger = MockStore()
    assert isinstance(make_gateway(load_settings(offline=True), ledger=ledger), MockGateway)
    assert isinstance(make_gateway(load_settings(offline=False), ledger=ledger), GatewayClient)
