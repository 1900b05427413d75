"""Claude in Bedrock, behind the same doors: what passes, what it costs, and whose credential it is asked with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.domain.model_limits import OPEN
from app.errors import Parked, WorkFailed
from app.services.gateway import Door
from app.services.gateway.bedrock import Bedrock
from app.services.gateway.client import GatewayClient
from app.services.gateway.till import Ceilings
from tests.fakes.bedrock_api import BEDROCK_KEY, BedrockApi
from tests.fakes.scripts import Reply, always
from tests.services.gateway.conftest import ACCOUNT, Books, asked, caller, error_of, opened, settled, until

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
STREAM, WHOLE = "invoke-with-response-stream", "invoke"

Make = Callable[..., Awaitable[GatewayClient]]


@pytest.fixture
def bedrock() -> Iterator[BedrockApi]:
    with BedrockApi() as api:
        yield api


@pytest.fixture
async def make(bedrock: BedrockApi, books: Books) -> AsyncIterator[Make]:
    made: list[GatewayClient] = []

    async def make(*, key: str = BEDROCK_KEY, ticket_usd: float = 15, question_s: float = 30) -> GatewayClient:
        gateway = GatewayClient(
            api=Bedrock(region="eu-west-1", model=MODEL),
            base_url=bedrock.url,
            credential=lambda: ("AWS_BEARER_TOKEN_BEDROCK", SecretStr(key)),
            ledger=books,
            ceilings=Ceilings(ticket_usd=ticket_usd, day_usd=None),
            question_s=question_s,
        )
        made.append(gateway)
        await gateway.start()
        return gateway

    yield make
    for gateway in made:
        await gateway.stop()


@pytest.fixture
async def door(make: Make) -> Door:
    return await opened(await make())


def body_of(*texts: str, **more: Any) -> dict[str, Any]:
    body = {"anthropic_version": "bedrock-2023-05-31", **asked(*texts, **more)}
    return {name: value for name, value in body.items() if name not in {"model", "stream"}}


async def invoke(
    door: Door, *texts: str, model: str = MODEL, way: str = STREAM, token: str | None = None, **more: Any
) -> httpx.Response:
    """Ask as the CLI does for Bedrock."""
    headers = {"authorization": f"Bearer {door.token if token is None else token}"}
    async with caller() as client:
        return await client.post(f"{door.url}/model/{model}/{way}", json=body_of(*texts, **more), headers=headers)


def test_bedrock_is_asked_in_its_region() -> None:
    assert Bedrock(region="eu-west-1", model=MODEL).address == "https://bedrock-runtime.eu-west-1.amazonaws.com"


async def test_a_request_reaches_bedrock_with_its_key_and_comes_back_as_it_was_answered(
    door: Door, bedrock: BedrockApi
) -> None:
    bedrock.script = always(Reply("A text of more than one piece"))
    key = {"authorization": f"Bearer {BEDROCK_KEY}"}
    async with caller() as client:
        direct = await client.post(f"{bedrock.url}/model/{MODEL}/{STREAM}", json=body_of(), headers=key)
    through = await invoke(door)
    assert (through.status_code, through.content) == (200, direct.content)
    assert through.headers["content-type"] == "application/vnd.amazon.eventstream"
    first, second = bedrock.requests
    assert (second.path, second.body, second.credential) == (first.path, first.body, "right")
    assert second.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1/messages"),
        ("GET", f"/model/{MODEL}/invoke"),
        ("POST", f"/model/{MODEL}/converse"),
        ("POST", "/model//invoke"),
        ("POST", f"/model/{MODEL}/../invoke"),
        ("POST", f"/model/{MODEL}/async-invoke"),
        ("GET", "/inference-profiles?type=SYSTEM_DEFINED"),
    ],
)
async def test_nothing_else_passes(method: str, target: str, door: Door, bedrock: BedrockApi) -> None:
    headers = {"authorization": f"Bearer {door.token}"}
    async with caller() as client:
        url = httpx.URL(door.url).copy_with(raw_path=f"/gateway{target}".encode())
        refused = await client.request(method, url, headers=headers, json={})
    assert error_of(refused) == (404, "not_found_error")
    assert bedrock.requests == []


@pytest.mark.parametrize("token", ["auto-code-guessed", BEDROCK_KEY])
async def test_another_token_is_refused(token: str, door: Door, bedrock: BedrockApi) -> None:
    assert error_of(await invoke(door, token=token)) == (401, "authentication_error")
    assert bedrock.requests == []


@pytest.mark.parametrize("way", [STREAM, WHOLE])
async def test_what_is_written_down_is_what_bedrock_counted(
    way: str, door: Door, bedrock: BedrockApi, books: Books
) -> None:
    bedrock.script = always(Reply("x" * 4_000))
    marked = [{"type": "text", "text": "x" * 4_000, "cache_control": {"type": "ephemeral"}}]
    for _ in range(2):
        await invoke(door, way=way, system=marked)
    written, read = await settled(books, 2)
    assert written.model == "claude-sonnet-4-5-20250929-v1:0"
    assert written.tokens.cache_write == read.tokens.cache_read > 900
    tokens = read.tokens
    assert tokens.output > 1_000
    dollars = (tokens.input * 3 + tokens.output * 15 + tokens.cache_read * 0.3) / 1_000_000
    assert read.cost_usd == pytest.approx(dollars, abs=1e-6)
    assert read.first_token_ms is not None


async def test_a_request_without_an_answer_costs_as_the_model_in_its_path(
    door: Door, bedrock: BedrockApi, books: Books
) -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile%2Fabc"
    for model in ("eu.anthropic.claude-3-haiku-20240307-v1:0", "eu.anthropic.claude-opus-4-1-20250805-v1:0", arn):
        await given_up(door, bedrock, model)
    haiku, opus, unknown = await settled(books, 3)
    assert (haiku.model, unknown.model) == ("eu.anthropic.claude-3-haiku-20240307-v1:0", arn.replace("%2F", "/"))
    assert haiku.cost_usd * 50 < opus.cost_usd <= unknown.cost_usd


async def given_up(door: Door, bedrock: BedrockApi, model: str) -> None:
    """Ask, and end the turn before the answer."""
    with bedrock.gate() as gate:
        asking = asyncio.create_task(invoke(door, model=model))
        await asyncio.to_thread(gate.wait)
        door.end()
        await asyncio.gather(asking, return_exceptions=True)
    door.begin(ACCOUNT)


async def test_another_model_is_noticed_as_what_rewrote_the_prefix(door: Door, books: Books) -> None:
    for model in (MODEL, MODEL, "eu.anthropic.claude-opus-4-8"):
        await invoke(door, model=model)
    assert [row.rewritten for row in await settled(books, 3)] == [None, None, "model"]


async def test_a_ticket_at_its_ceiling_is_refused(make: Make, bedrock: BedrockApi) -> None:
    door = await opened(await make(ticket_usd=0.05))
    bedrock.script = always(Reply("x" * 8_000))
    answers = [await invoke(door) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 400]
    assert "may cost $0.05" in answers[-1].json()["error"]["message"]
    assert len(bedrock.requests) == 2


async def test_a_throttled_account_is_parked_and_served_again(door: Door, bedrock: BedrockApi) -> None:
    bedrock.fault(429)
    assert (await invoke(door)).status_code == 200
    assert len(bedrock.requests) == 2


async def test_a_model_that_is_throttled_in_mid_stream_holds_the_next_request_back(
    make: Make, bedrock: BedrockApi
) -> None:
    gateway = await make()
    door = await opened(gateway)
    bedrock.fault("throttled_mid_stream")
    await invoke(door)
    assert gateway.standing.state == "parked"
    assert (await invoke(door)).status_code == 200
    assert gateway.standing == OPEN


async def test_a_refused_key_is_asked_with_once_and_said(make: Make, bedrock: BedrockApi) -> None:
    gateway = await make(key="expired")
    door = await opened(gateway)
    answers = [await invoke(door) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 401, 401]
    assert {answer.headers["x-should-retry"] for answer in answers} == {"false"}
    said = "Claude's API refused the credential. Check AWS_BEARER_TOKEN_BEDROCK, then retry the run."
    assert (type(door.refusal()), str(door.refusal())) == (WorkFailed, said)
    with pytest.raises(Parked):
        await gateway.admitted()
    _, question = bedrock.requests
    assert (question.model, question.body) == (MODEL, b"{}")


async def test_a_good_key_lets_all_go_on(make: Make, bedrock: BedrockApi) -> None:
    gateway = await make(question_s=0.05)
    door = await opened(gateway)
    bedrock.fault(403, times=3)
    await invoke(door)
    assert gateway.standing.state == "closed"
    await until(lambda: gateway.standing == OPEN)
    assert (await invoke(door)).status_code == 200


async def test_a_model_that_the_key_may_not_use_is_no_fault_of_the_key(make: Make, bedrock: BedrockApi) -> None:
    gateway = await make()
    door = await opened(gateway)
    bedrock.fault(403, when=lambda request: "opus" in request.path)
    refused = await invoke(door, model="eu.anthropic.claude-opus-4-8")
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        "The security token included in the request is invalid.",
    )
    assert (gateway.standing, door.refusal()) == (OPEN, None)
