"""What the gateway notices of a conversation: prefixes that the cache could not read, and why."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.metrics import Moment, page
from app.services.gateway import Door
from app.services.gateway.course import OpenTurn, Order
from app.services.gateway.listener import Connection, Request
from app.services.gateway.messages import Messages
from app.services.gateway.prefixes import Prefixes
from tests.services.gateway.conftest import ACCOUNT, Books, ask, asked, settled
from tests.test_metrics import samples

MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
SYSTEM = [{"type": "text", "text": "You are an engineer." * 50, **MARK}]
TOOLS = [{"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}}]


def turn(*texts: str, **more: Any) -> dict[str, Any]:
    return asked(*texts, **{"system": SYSTEM, "tools": TOOLS, **more})


async def rewritten(door: Door, books: Books, *bodies: dict[str, Any], **headers: str) -> list[str | None]:
    for body in bodies:
        assert (await ask(door, body, **headers)).status_code == 200
    return [row.rewritten for row in (await settled(books, len(bodies)))[-len(bodies) :]]


async def test_a_conversation_that_goes_on_keeps_its_prefix(door: Door, books: Books) -> None:
    bodies = turn("Go"), turn("Go", "Yes", "More"), turn("Go", "Yes", "More", "OK", "Stop")
    assert await rewritten(door, books, *bodies) == [None] * 3


async def test_a_mark_that_moves_changes_nothing(door: Door, books: Books) -> None:
    marked = turn("Go")
    marked["messages"][0]["content"] = [{"type": "text", "text": "Go", **MARK}]
    assert await rewritten(door, books, marked, turn("Go", "Yes", "More")) == [None, None]


@pytest.mark.parametrize(
    ("cause", "second"),
    [
        ("model", turn("Go", "Yes", "More", model="claude-opus-4-8")),
        ("tools", turn("Go", "Yes", "More", tools=[*TOOLS, {**TOOLS[0], "name": "Write"}])),
        ("system", turn("Go", "Yes", "More", system=[{"type": "text", "text": "You are a poet."}])),
        ("messages", turn("Go", "No", "More")),
    ],
)
async def test_a_rewritten_prefix_is_told_with_its_cause(
    cause: str, second: dict[str, Any], door: Door, books: Books
) -> None:
    first = turn("Go", "Yes", "Or")
    with capture_logs() as logs:
        assert await rewritten(door, books, first, second) == [None, cause]
    (line,) = (line for line in logs if line["log_level"] == "warning")
    assert (line["event"], line["cause"]) == ("prefix_rewritten", cause)


async def test_each_answer_says_how_soon_it_came_and_how_much_of_its_input_was_cached(door: Door, books: Books) -> None:
    with capture_logs() as logs:
        await rewritten(door, books, turn("Go"), turn("Go", "Yes", "More"))
    told = [line for line in logs if line["event"] == "model_answered"]
    assert [line["cached_share"] > 0.5 for line in told] == [False, True]
    assert all(line["first_token_ms"] > 0 and line["cost_usd"] > 0 for line in told)


async def test_each_request_is_on_the_page_of_metrics(door: Door, books: Books) -> None:
    before = samples(page(Moment()).decode())
    await rewritten(door, books, turn("Go"), turn("Go", "Yes", "More"))
    grown = {name: value - before.get(name, 0.0) for name, value in samples(page(Moment()).decode()).items()}
    tokens = [row.tokens for row in await settled(books, 2)]
    assert grown["autocode_gateway_requests_total status=200"] == 2
    assert grown["autocode_gateway_tokens_total kind=cache_read"] == sum(each.cache_read for each in tokens) > 0
    assert grown["autocode_gateway_tokens_total kind=output"] == sum(each.output for each in tokens) > 0
    assert grown["autocode_gateway_dollars_total"] > 0
    assert 0 < grown["autocode_gateway_first_token_seconds_sum"] < 60


async def test_a_sub_agents_conversation_is_another_one(door: Door, books: Books) -> None:
    await rewritten(door, books, turn("Go"))
    other = turn("Go", system=[{"type": "text", "text": "You are a helper."}], tools=[])
    assert await rewritten(door, books, other, x_claude_code_agent_id="agent-1") == [None]
    assert await rewritten(door, books, turn("Title?", system=[], tools=[])) == [None]
    assert await rewritten(door, books, turn("Go", "Yes", "More")) == [None]


def order_of(body: dict[str, Any]) -> Order:
    async def nobody(_request: Request, _connection: Connection) -> None:
        pass

    request = Request("POST", "/gateway/v1/messages", [], json.dumps(body).encode(), "127.0.0.1")
    return Order(Messages(), OpenTurn(ACCOUNT, "session-1"), request, Connection(nobody, set()), "/v1/messages")


@pytest.mark.parametrize(
    ("ttl", "waited_s", "cache_read", "cause"),
    [
        (None, 290, 0, None),
        (None, 310, 0, "expiry"),
        (None, 310, 5_000, None),
        ("1h", 3_500, 0, None),
        ("1h", 3_700, 0, "expiry"),
    ],
)
def test_a_cache_that_was_left_alone_for_too_long_has_expired(
    ttl: str | None, waited_s: float, cache_read: int, cause: str | None
) -> None:
    mark = {"cache_control": {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})}
    prefixes, body = Prefixes(), turn("Go", system=[{"type": "text", "text": "You are …", **mark}])
    assert prefixes.learn(order_of(body), at=1_000, cache_read=0) is None
    assert prefixes.learn(order_of(body), at=1_000 + waited_s, cache_read=cache_read) == cause


def test_what_is_kept_to_compare_with_is_limited() -> None:
    prefixes = Prefixes(most_bytes=10_000)
    first, *later = (turn(f"{number}", "x" * 3_000, system=[]) for number in range(4))
    for body in (first, *later):
        prefixes.learn(order_of(body), at=0, cache_read=0)
    other_model = {"model": "claude-opus-4-8"}
    assert prefixes.learn(order_of(later[-1] | other_model), at=0, cache_read=0) == "model"
    assert prefixes.learn(order_of(first | other_model), at=0, cache_read=0) is None
