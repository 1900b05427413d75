"""The gateway before the stand-in of the Messages API, and programs that ask through its doors."""

import asyncio
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.domain.budget import Spending
from app.results import Account
from app.services.gateway import Door
from app.services.gateway.client import GatewayClient
from app.services.gateway.till import Ceilings
from app.services.store.mock_client import MockStore
from tests.fakes.messages_api import API_KEY, MessagesApi

ACCOUNT = Account(ticket="PROJ-1", run_id="run-1")
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
VERSION = {"anthropic-version": "2023-06-01"}


class Books(MockStore):
    """A store that also shows what was written down, by the requests' ids."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Spending] = {}

    async def reserve(self, spending: Spending) -> None:
        await super().reserve(spending)
        self.rows[spending.id] = spending

    async def settle(self, spending: Spending) -> None:
        await super().settle(spending)
        self.rows[spending.id] = spending


Make = Callable[..., Awaitable[GatewayClient]]
"""Makes a gateway that has started; what is given differs from the usual."""


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
async def make(api: MessagesApi, books: Books) -> AsyncIterator[Make]:
    made: list[GatewayClient] = []

    async def make(
        *,
        credential: tuple[str, str] = ("ANTHROPIC_API_KEY", API_KEY),
        ticket_usd: float = 15,
        day_usd: float | None = None,
        question_s: float = 30,
        base_url: str | None = None,
    ) -> GatewayClient:
        gateway = GatewayClient(
            base_url=base_url or api.url,
            credential=lambda: (credential[0], SecretStr(credential[1])),
            ledger=books,
            ceilings=Ceilings(ticket_usd=ticket_usd, day_usd=day_usd),
            question_s=question_s,
        )
        made.append(gateway)
        await gateway.start()
        return gateway

    yield make
    for gateway in made:
        await gateway.stop()


@pytest.fixture
async def gateway(make: Make) -> GatewayClient:
    return await make()


@pytest.fixture
async def door(gateway: GatewayClient) -> Door:
    return await opened(gateway)


async def opened(gateway: GatewayClient, account: Account = ACCOUNT, *, session_id: str | None = None) -> Door:
    """A door with an open turn."""
    door = await gateway.open(session_id or str(uuid.uuid4()))
    door.begin(account)
    return door


def asked(*texts: str, stream: bool = True, model: str = "claude-sonnet-4-6", **more: Any) -> dict[str, Any]:
    """A request: what people and the model said in turn."""
    said = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts or ("hello",))]
    return {"model": model, "max_tokens": 100, "stream": stream, "messages": said, **more}


def caller(**options: Any) -> httpx.AsyncClient:
    """A program that asks this machine only, and so loads no certificates."""
    return httpx.AsyncClient(trust_env=False, verify=_NO_CERTIFICATES, timeout=60, **options)


async def ask(door: Door, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    """Ask through a door, as its process would. A name of a header with `_` for `-`."""
    sent = VERSION | {"x-api-key": door.token} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with caller() as client:
        return await client.post(f"{door.url}/v1/messages?beta=true", json=body or asked(), headers=sent)


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and kind of an error in the API's shape."""
    body = response.json()
    assert (body["type"], set(body["error"])) == ("error", {"type", "message"})
    return response.status_code, body["error"]["type"]


async def until(fact: Callable[[], object]) -> None:
    """Wait until something is so."""
    while not fact():  # noqa: ASYNC110 - many kinds of facts, few of which tell when they begin
        await asyncio.sleep(0.005)


async def settled(books: Books, count: int) -> list[Spending]:
    """The requests that were written down, when as many are settled."""
    await until(lambda: sum(row.settled for row in books.rows.values()) >= count)
    return sorted(books.rows.values(), key=lambda row: row.at)


def events_of(response: httpx.Response) -> list[str]:
    """The kinds of the events of a streamed answer."""
    lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: "))["type"] for line in lines]
