"""The real CLI at a door: it takes the gateway for the API, and what the gateway refuses for final."""

import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from claude_agent_sdk import ClaudeAgentOptions, ResultError, ResultMessage, query

from app.errors import Parked
from app.services.gateway import Door
from app.services.gateway.client import GatewayClient
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import ModelRequest, Reply, agent, conversation, read_file
from tests.services.gateway.conftest import Books, Make, opened, settled

SESSION = str(uuid.UUID(int=7))
_READ = read_file("nothing.txt")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "worktree"
    directory.mkdir()
    return directory


async def turn(door: Door, place: Path, prompt: str = "hello", *, model: str = "claude-sonnet-4-6") -> ResultMessage:
    """One turn of the CLI, as it ended."""
    environment = {
        "ANTHROPIC_BASE_URL": door.url,
        "ANTHROPIC_API_KEY": door.token,
        "CLAUDE_CONFIG_DIR": str(place.parent / "claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "CLAUDE_CODE_OAUTH_TOKEN": "",
    }
    options = ClaudeAgentOptions(
        cwd=place,
        model=model,
        session_id=SESSION,
        env=environment,
        setting_sources=[],
        tools=["Read", "Agent"],
        include_partial_messages=True,
    )
    ended = [message async for message in _messages(prompt, options) if isinstance(message, ResultMessage)]
    return ended[-1]


async def _messages(prompt: str, options: ClaudeAgentOptions) -> AsyncIterator[object]:
    try:
        async for message in query(prompt=prompt, options=options):
            yield message
    except ResultError:
        pass  # the result was given before


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-4-8", "claude-haiku-5-5", "claude-opus-4-1"])
async def test_the_gateway_counts_what_the_cli_counts(
    model: str, gateway: GatewayClient, books: Books, place: Path
) -> None:
    door = await opened(gateway, session_id=SESSION)
    ended = await turn(door, place, model=model)
    assert (ended.is_error, ended.result) == (False, "OK")
    (row,) = await settled(books, 1)
    assert row.cost_usd == pytest.approx(ended.total_cost_usd, abs=1e-6)
    assert row.cost_usd > 0


async def test_a_ticket_at_its_ceiling_ends_the_turn_at_once(make: Make, api: MessagesApi, place: Path) -> None:
    door = await opened(await make(ticket_usd=0.01), session_id=SESSION)
    api.script = conversation({"hello": [Reply("", tools=[_READ]), Reply("Done.")]})
    ended = await turn(door, place)
    assert ended.is_error
    assert "may cost $0.01" in str(ended.result)
    assert "may cost $0.01" in str(door.refusal())
    assert len(api.requests) == 1


async def test_parallel_sub_agents_have_no_allowance_of_their_own(
    make: Make, api: MessagesApi, books: Books, place: Path
) -> None:
    def script(request: ModelRequest) -> Reply:
        sent = [agent(f"Look into part {number}.") for number in range(6)]
        return Reply("x" * 8_000) if "Look into" in request.prompt else Reply("", tools=sent)

    api.script = script
    door = await opened(await make(ticket_usd=0.5), session_id=SESSION)
    await turn(door, place, model="claude-opus-4-1")
    rows = await settled(books, len(api.requests))
    spent, dearest = sum(row.cost_usd for row in rows), max(row.cost_usd for row in rows)
    assert 0.5 <= spent < 0.5 + dearest
    assert "may cost $0.50" in str(door.refusal())


async def test_a_reached_limit_ends_the_turn_at_once_and_says_until_when(
    gateway: GatewayClient, api: MessagesApi, place: Path
) -> None:
    door = await opened(gateway, session_id=SESSION)
    api.fault(429, headers={"retry-after": "600"}, times=None)
    began = time.monotonic()
    ended = await turn(door, place)
    assert ended.is_error
    assert time.monotonic() - began < 20
    assert len(api.requests) == 1
    refusal = door.refusal()
    assert isinstance(refusal, Parked)
    assert refusal.until == gateway.standing.until


async def test_a_refused_credential_ends_the_turn_at_once(make: Make, api: MessagesApi, place: Path) -> None:
    door = await opened(await make(credential=("ANTHROPIC_API_KEY", "sk-ant-wrong")), session_id=SESSION)
    assert (await turn(door, place)).is_error
    assert len(api.requests) == 1
    assert "refused the credential" in str(door.refusal())


async def test_a_turn_that_is_not_open_asks_nothing(gateway: GatewayClient, api: MessagesApi, place: Path) -> None:
    door = await gateway.open(SESSION)
    ended = await turn(door, place)
    assert ended.is_error
    assert "run has ended" in str(ended.result)
    assert api.requests == []


@pytest.mark.parametrize("fault", [529, "cut_before_headers", "cut_mid_stream"])
async def test_a_fault_of_the_api_is_a_slower_turn(
    fault: int | str, gateway: GatewayClient, api: MessagesApi, place: Path
) -> None:
    door = await opened(gateway, session_id=SESSION)
    api.fault(fault)
    ended = await turn(door, place)
    assert (ended.is_error, ended.result, door.refusal()) == (False, "OK", None)
    assert len(api.requests) == 2
