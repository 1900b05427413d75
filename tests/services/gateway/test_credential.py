"""A credential that the API refuses: nothing more is asked with it, one message says why, a good one lets all go on."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.config import load_settings
from app.domain.model_limits import OPEN
from app.errors import Parked, WorkFailed
from app.services.gateway import make_gateway
from app.services.gateway.client import GatewayClient
from tests.fakes.messages_api import API_KEY, MessagesApi
from tests.services.gateway.conftest import ACCOUNT, Books, Make, ask, error_of, opened, until

REFUSED = "Claude's API refused the credential. Check ANTHROPIC_API_KEY, then retry the run."


async def test_after_a_refusal_nothing_is_asked_and_one_message_says_why(make: Make, api: MessagesApi) -> None:
    gateway = await make(credential=("ANTHROPIC_API_KEY", "sk-ant-wrong"))
    doors = [await opened(gateway) for _ in range(3)]
    with capture_logs() as logs:
        answers = [await ask(door) for door in doors for _ in range(2)]
    assert [(line["event"], line["log_level"], line["message"]) for line in logs] == [
        ("credential_refused", "error", REFUSED)
    ]
    assert {error_of(answer) for answer in answers} == {(401, "authentication_error")}
    assert {answer.headers["x-should-retry"] for answer in answers} == {"false"}
    assert len(api.requests) == 1
    assert [(type(door.refusal()), str(door.refusal())) for door in doors] == [(WorkFailed, REFUSED)] * 3
    assert (gateway.standing.state, gateway.standing.reason) == ("closed", REFUSED)
    with pytest.raises(Parked, match="refused the credential"):
        await gateway.admitted()


async def test_a_good_credential_lets_all_go_on(make: Make, api: MessagesApi) -> None:
    gateway = await make(question_s=0.05)
    door = await opened(gateway)
    api.fault(401, times=2)
    await ask(door)
    assert gateway.standing.state == "closed"
    await until(lambda: gateway.standing == OPEN)
    assert [request.path for request in api.requests] == ["/v1/messages", "/v1/models", "/v1/models"]
    assert gateway.standing == OPEN
    await gateway.admitted()
    assert (await ask(door)).status_code == 200


async def test_what_a_good_credential_may_not_do_is_no_fault_of_the_credential(make: Make, api: MessagesApi) -> None:
    door = await opened(gateway := await make())
    api.fault(403, when=lambda request: request.path == "/v1/messages")
    refused = await ask(door)
    assert error_of(refused) == (403, "permission_error")
    assert "x-should-retry" not in refused.headers
    assert (gateway.standing, door.refusal()) == (OPEN, None)


async def test_a_credential_that_may_do_nothing_is_refused(make: Make, api: MessagesApi) -> None:
    door = await opened(gateway := await make())
    api.fault(403, times=None)
    assert error_of(await ask(door)) == (403, "permission_error")
    assert gateway.standing.state == "closed"
    assert str(door.refusal()) == REFUSED


async def test_a_new_secret_in_its_file_counts_without_a_restart(
    api: MessagesApi, books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "anthropic_api_key"
    file.write_text("sk-ant-old\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(file))
    gateway = make_gateway(load_settings(anthropic_base_url=api.url, workspace_dir=tmp_path), ledger=books)
    assert isinstance(gateway, GatewayClient)
    gateway._breaker._every_s = 0.05
    await gateway.start()
    door = await gateway.open("s")
    door.begin(ACCOUNT)
    assert (await ask(door)).status_code == 401
    file.write_text(f"{API_KEY}\n")
    await until(lambda: gateway.standing == OPEN)
    assert (await ask(door)).status_code == 200
    file.unlink()
    assert (await ask(door)).status_code == 401
    await gateway.stop()
