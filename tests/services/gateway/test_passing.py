"""What passes is not changed, and comes as it comes."""

import asyncio
import json

import httpx
import pytest

from app.services.gateway import Door
from tests.fakes.http import Answer
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import ModelRequest, Reply, always
from tests.services.gateway.conftest import VERSION, Books, Make, ask, asked, caller, events_of, opened, settled, until


async def test_a_request_reaches_the_api_as_it_was_sent(door: Door, api: MessagesApi) -> None:
    body = (
        b'{"model": "claude-sonnet-4-6",  "max_tokens":5, "messages":[{"role":"user","content":"gr\\u00fc\xc3\x9f"}]}'
    )
    headers = VERSION | {"x-api-key": door.token, "anthropic-beta": "a,b", "x-app": "cli", "connection": "keep-alive"}
    async with caller() as client:
        answer = await client.post(f"{door.url}/v1/messages?beta=true&x=%2F", content=body, headers=headers)
    assert answer.status_code == 200
    (request,) = api.requests
    assert (request.body, request.query, request.credential) == (body, {"beta": "true", "x": "/"}, "right")
    passed = {name: request.headers[name] for name in ("anthropic-beta", "x-app", "anthropic-version", "user-agent")}
    agent = f"python-httpx/{httpx.__version__}"
    assert passed == {"anthropic-beta": "a,b", "x-app": "cli", "user-agent": agent, **VERSION}
    assert request.headers["accept-encoding"] == "identity"  # else nobody could read what was spent
    assert door.token not in repr(request.headers)


async def test_an_answer_comes_back_as_the_api_gave_it(door: Door, api: MessagesApi) -> None:
    api.script = always(Reply("A text of more than one piece"))
    headers = VERSION | {"x-api-key": "sk-ant-loopback"}
    async with caller() as client:
        direct = await client.post(f"{api.url}/v1/messages?beta=true", json=asked("hello"), headers=headers)
    # The stand-in's cache knows the request by now, and says so in what it counts.
    through = await ask(door, asked("hello"))
    assert (through.status_code, through.content) == (direct.status_code, direct.content)
    assert through.headers["content-type"] == direct.headers["content-type"]


async def test_a_whole_answer_passes_too(door: Door) -> None:
    answer = await ask(door, asked(stream=False))
    assert answer.json()["content"] == [{"type": "text", "text": "OK"}]


async def test_the_apis_own_errors_pass(door: Door) -> None:
    refused = await ask(door, asked("hello", max_tokens=0))
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert "x-should-retry" not in refused.headers
    assert door.refusal() is None


async def test_the_first_bytes_come_while_the_model_still_answers(door: Door, api: MessagesApi) -> None:
    api.script = always(Reply("A text of more than one piece"))
    api.fault("hang_mid_stream")
    headers = VERSION | {"x-api-key": door.token}
    async with (
        caller() as client,
        client.stream("POST", f"{door.url}/v1/messages", json=asked(), headers=headers) as answer,
    ):
        pieces = answer.aiter_raw()
        first = await anext(pieces)
        assert b"message_start" in first
        await asyncio.to_thread(api.wait_for, lambda request: request.hanging)
        api.release()
        rest = b"".join([piece async for piece in pieces])
    assert rest.endswith(b'{"type": "message_stop"}\n\n')


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(
    stream: bool, door: Door, api: MessagesApi
) -> None:
    api.script = always(Reply("A text of more than one piece"))
    api.fault("cut_mid_stream")
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(door, asked(stream=stream))
    assert (await ask(door)).status_code == 200


async def test_a_client_that_hangs_up_ends_its_request(door: Door, api: MessagesApi) -> None:
    api.fault("hang_before_headers")
    asking = asyncio.create_task(ask(door))
    await asyncio.to_thread(api.wait_for, lambda request: request.hanging)
    (request,) = api.requests
    asking.cancel()
    # The stand-in drops the request when its connection is closed.
    await until(lambda: not api._connections)
    assert not request.finished


async def test_one_connection_serves_request_after_request(door: Door) -> None:
    headers = VERSION | {"x-api-key": door.token}
    async with caller(limits=httpx.Limits(max_connections=1)) as client:
        answers = [await client.post(f"{door.url}/v1/messages", json=asked(), headers=headers) for _ in range(5)]
    assert [events_of(answer)[-1] for answer in answers] == ["message_stop"] * 5


async def test_a_large_request_passes(door: Door, api: MessagesApi) -> None:
    body = asked("x" * 5_000_000)
    assert (await ask(door, body)).status_code == 200
    assert api.requests[0].json == body


async def test_an_oauth_token_is_sent_as_the_api_wants_it(make: Make, api: MessagesApi) -> None:
    door = await opened(await make(credential=("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-loopback")))
    assert (await ask(door, anthropic_beta="claude-code-20250219")).status_code == 200
    assert (await ask(door, anthropic_beta="oauth-2025-04-20,a")).status_code == 200
    assert (await ask(door)).status_code == 200
    sent = [request.headers for request in api.requests]
    betas = ["claude-code-20250219,oauth-2025-04-20", "oauth-2025-04-20,a", "oauth-2025-04-20"]
    assert [headers["anthropic-beta"] for headers in sent] == betas
    assert all(headers["authorization"] == "Bearer ***" and "x-api-key" not in headers for headers in sent)


async def test_an_address_with_a_path_keeps_it(make: Make) -> None:
    class Behind(MessagesApi):
        async def answer(self, request: ModelRequest) -> Answer:
            request.path = request.path.removeprefix("/anthropic")
            return await super().answer(request)

    with Behind() as api:
        door = await opened(await make(base_url=f"{api.url}/anthropic/"))
        assert (await ask(door)).status_code == 200


async def test_what_is_written_down_of_a_request_is_what_the_api_counted(
    door: Door, api: MessagesApi, books: Books
) -> None:
    marked = [{"type": "text", "text": "x" * 4_000, "cache_control": {"type": "ephemeral"}}]
    for stream in (True, False):
        await ask(door, asked(stream=stream, system=marked))
    written, read = await settled(books, 2)
    assert (written.status, written.model, written.run_id) == (200, "claude-sonnet-4-6", "run-1")
    assert written.tokens.cache_write == read.tokens.cache_read > 900
    assert (written.cached_share, read.cached_share is not None and read.cached_share > 0.9) == (0, True)
    assert written.cost_usd == pytest.approx(_dollars(written.tokens.model_dump()), abs=1e-6)
    assert read.cost_usd == pytest.approx(_dollars(read.tokens.model_dump()), abs=1e-6)
    assert all(row.first_token_ms is not None and row.first_token_ms > 0 for row in (written, read))


def _dollars(tokens: dict[str, int]) -> float:
    prices = {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75}
    return sum(tokens[name] * price for name, price in prices.items()) / 1_000_000


async def test_no_text_and_no_credential_is_written_down(door: Door, books: Books) -> None:
    await ask(door, asked("a secret plan"))
    (row,) = await settled(books, 1)
    kept = json.dumps(row.model_dump(mode="json"))
    assert not any(secret in kept for secret in ("secret plan", door.token, "sk-ant-loopback"))
