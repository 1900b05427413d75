"""Who passes a door, and who does not."""

import asyncio
from pathlib import Path

import httpx
import pytest

from app.services.gateway import Door
from app.services.gateway.client import GatewayClient
from app.services.gateway.listener import Request
from tests.fakes.messages_api import MessagesApi
from tests.services.gateway.conftest import ACCOUNT, VERSION, ask, asked, caller, error_of, opened


async def test_the_token_passes_as_a_key_and_as_a_bearer(door: Door) -> None:
    assert (await ask(door)).status_code == 200
    bearer = await ask(door, x_api_key="", authorization=f"Bearer {door.token}")
    assert bearer.status_code == 200


@pytest.mark.parametrize("token", ["", "auto-code-guessed", "sk-ant-loopback"])
async def test_another_token_is_refused(token: str, door: Door, api: MessagesApi) -> None:
    assert error_of(await ask(door, x_api_key=token)) == (401, "authentication_error")
    assert api.requests == []


async def test_the_token_of_another_door_is_refused(gateway: GatewayClient, door: Door, api: MessagesApi) -> None:
    other = await opened(gateway)
    assert other.port != door.port
    assert error_of(await ask(door, x_api_key=other.token)) == (401, "authentication_error")
    assert api.requests == []


async def test_another_sessions_requests_are_refused(gateway: GatewayClient, api: MessagesApi) -> None:
    door = await opened(gateway, session_id="session-1")
    assert (await ask(door, x_claude_code_session_id="session-1")).status_code == 200
    assert error_of(await ask(door, x_claude_code_session_id="session-2")) == (403, "permission_error")
    assert len(api.requests) == 1


async def test_the_token_is_worth_nothing_before_and_after_its_turn(gateway: GatewayClient, api: MessagesApi) -> None:
    door = await gateway.open("session-1")
    assert error_of(await ask(door)) == (403, "permission_error")
    door.begin(ACCOUNT)
    assert (await ask(door)).status_code == 200
    door.end()
    refused = await ask(door)
    assert error_of(refused) == (403, "permission_error")
    assert refused.json()["error"]["message"].startswith("This token's run has ended")
    assert len(api.requests) == 1
    door.begin(ACCOUNT)
    assert (await ask(door)).status_code == 200


async def test_what_is_on_its_way_when_the_turn_ends_is_cut_off(door: Door, api: MessagesApi) -> None:
    with api.gate() as gate:
        asking = asyncio.create_task(ask(door))
        await asyncio.to_thread(gate.wait)
        door.end()
        with pytest.raises(httpx.RemoteProtocolError):
            await asking


async def test_a_closed_door_has_no_port(door: Door) -> None:
    await door.close()
    await door.close()
    with pytest.raises(httpx.ConnectError):
        await ask(door)


async def test_a_stopped_gateway_has_no_doors(gateway: GatewayClient, door: Door) -> None:
    await gateway.stop()
    with pytest.raises(httpx.ConnectError):
        await ask(door)


@pytest.mark.parametrize("host", ["evil.example:80", "169.254.169.254", "127.0.0.1.evil.example", "[::2]:1"])
async def test_a_name_that_only_resolves_to_this_machine_is_refused(host: str, door: Door, api: MessagesApi) -> None:
    assert error_of(await ask(door, host=host)) == (403, "permission_error")
    assert api.requests == []


@pytest.mark.parametrize(("peer", "is_local"), [("127.0.0.1", True), ("10.0.0.7", False), ("", False)])
def test_what_comes_from_another_machine_is_not_local(peer: str, is_local: bool) -> None:
    headers = [(b"host", b"127.0.0.1:4000")]
    assert Request("POST", "/gateway/v1/messages", headers, b"", peer).is_local is is_local


async def test_a_door_listens_on_loopback_only(door: Door) -> None:
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [local for _, local, _, state, *_ in sockets if state == "0A" and local.endswith(f":{door.port:04X}")]
    assert listening == [f"0100007F:{door.port:04X}"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gateway/v1/complete"),
        ("POST", "/v1/messages"),
        ("GET", "/gateway/v1/messages"),
        ("DELETE", "/gateway/v1/models/x"),
        ("GET", "/gateway/v1/models/../files"),
        ("GET", "/gateway/v1/models/%2e%2e/files"),
        ("POST", "/gateway/v1/messages/batches"),
        ("GET", "/gateway/"),
    ],
)
async def test_only_what_asks_the_model_passes(method: str, path: str, door: Door, api: MessagesApi) -> None:
    async with caller() as client:
        url = httpx.URL(f"http://127.0.0.1:{door.port}", raw_path=path.encode())
        refused = await client.request(method, url, headers={"x-api-key": door.token})
    assert error_of(refused) == (404, "not_found_error")
    assert api.requests == []


async def test_counting_and_the_list_of_models_pass_and_cost_nothing(door: Door, api: MessagesApi) -> None:
    headers = VERSION | {"x-api-key": door.token}
    async with caller(headers=headers) as client:
        counted = await client.post(f"{door.url}/v1/messages/count_tokens", json=asked())
        models = await client.get(f"{door.url}/v1/models?limit=1")
    assert counted.json()["input_tokens"] > 0
    assert models.json()["data"][0]["id"] == "claude-sonnet-4-6"
    assert [request.path for request in api.requests] == ["/v1/messages/count_tokens", "/v1/models"]


async def test_what_is_no_request_is_not_answered(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
