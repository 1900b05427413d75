"""Jira's door lets in who knows the secret, and nobody too often."""

import inspect
import json

import pytest
from structlog.testing import capture_logs

from app.api import identity, proofs, security
from tests.builders import jira_body, signature
from tests.routes.service import SECRET, serving, small_body, taken

# Who may send


@pytest.mark.parametrize("token", [None, "", "wrong", "schlüssel", SECRET[:-1], f"{SECRET} ", SECRET.upper()])
async def test_without_the_secret_nothing_is_taken(token: str | None) -> None:
    async with serving(webhook_secret=SECRET) as service:
        headers = {} if token is None else {b"x-webhook-token": token.encode()}
        answer = await service.post("/webhook/jira", content=json.dumps(jira_body()), headers=headers)
        assert answer.status_code == 401
        assert "Send WEBHOOK_SECRET in it." in answer.json()["detail"]
        assert SECRET not in answer.text
        assert await taken(service) == []


async def test_with_the_token_a_ticket_is_taken() -> None:
    async with serving(webhook_secret=SECRET) as service:
        assert (await service.deliver(jira_body(), x_webhook_token=SECRET)).json()["status"] == "accepted"


async def test_a_secret_may_have_any_characters() -> None:
    async with serving(webhook_secret="ein Gehöimnis 🌙") as service:
        headers = [(b"x-webhook-token", "ein Gehöimnis 🌙".encode())]
        answer = await service.post("/webhook/jira", content=json.dumps(small_body()), headers=headers)
        assert answer.json()["status"] == "accepted"


async def test_with_jiras_signature_a_ticket_is_taken() -> None:
    body = json.dumps(jira_body()).encode()
    async with serving(webhook_secret=SECRET) as service:
        answer = await service.deliver(body, x_hub_signature=signature(body, SECRET), x_webhook_token="wrong")
        assert answer.json()["status"] == "accepted"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "sha256=",
        "sha256=ü",
        f"sha1={'0' * 40}",
        signature(b"another body", SECRET),
        signature(json.dumps(small_body()).encode(), "another secret"),
        signature(json.dumps(small_body()).encode(), SECRET).removeprefix("sha256="),
    ],
)
async def test_with_a_wrong_signature_nothing_is_taken(wrong: str) -> None:
    async with serving(webhook_secret=SECRET) as service:
        headers = {
            b"x-webhook-token": SECRET.encode(),
            b"x-hub-signature": wrong.encode(),
        }  # a right token does not help
        answer = await service.post("/webhook/jira", content=json.dumps(small_body()), headers=headers)
        assert answer.status_code == 401
        assert "X-Hub-Signature does not match the body" in answer.json()["detail"]


async def test_who_may_not_send_learns_nothing_about_the_body() -> None:
    async with serving(webhook_secret=SECRET) as service:
        assert (await service.deliver(b"{")).status_code == 401


def test_secrets_are_compared_in_constant_time_and_in_one_place() -> None:
    assert inspect.getsource(proofs).count("hmac.compare_digest(") == 2
    for module in (proofs, security, identity):
        assert " == " not in inspect.getsource(module)


# How often


async def test_the_eleventh_request_of_a_minute_is_asked_to_come_back() -> None:
    async with serving(webhook_rate_limit="10/minute") as service:
        answers = [await service.deliver(jira_body(key=f"PROJ-{number}")) for number in range(11)]
        assert [answer.status_code for answer in answers] == [202] * 10 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
        assert answers[-1].json()["detail"].startswith("Too many requests: 10 per 1 minute.")
        assert len(await taken(service)) == 10


async def test_refused_requests_count_too() -> None:
    async with serving(webhook_rate_limit="2/minute", webhook_secret=SECRET) as service:
        answers = [await service.deliver(b"{") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]


async def test_what_starts_nothing_takes_no_place_from_what_does() -> None:
    async with serving(webhook_rate_limit="2/minute") as service:
        labels = jira_body("system.issue_updated", changed=["labels"])
        for _ in range(20):
            assert (await service.deliver(labels)).json()["status"] == "ignored"
        answers = [await service.deliver(jira_body(key=f"PROJ-{number}")) for number in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]


async def test_strangers_take_no_place_from_the_tracker() -> None:
    body = json.dumps(jira_body()).encode()
    async with serving(webhook_rate_limit="2/minute", webhook_secret=SECRET) as service:
        for _ in range(20):
            assert (await service.deliver(body, x_hub_signature="sha256=0")).status_code in {401, 429}
        answer = await service.deliver(body, x_hub_signature=signature(body, SECRET))
        assert answer.json()["status"] == "accepted"


async def test_the_log_names_each_ticket_that_was_asked_to_come_back_and_no_strangers() -> None:
    async with serving(webhook_rate_limit="1/minute", webhook_secret=SECRET) as service:
        with capture_logs() as logs:
            for number in range(3):
                await service.deliver(jira_body(key=f"PROJ-{number}"), x_webhook_token=SECRET)
                await service.deliver(jira_body(key=f"PROJ-{number}"), x_hub_signature="sha256=0")
    told = [line["ticket"] for line in logs if line["event"] == "webhook refused for its rate"]
    assert told == ["PROJ-1", "PROJ-2"]


async def test_other_doors_are_not_limited_by_the_webhook() -> None:
    async with serving(webhook_rate_limit="1/minute") as service:
        assert [(await service.get("/health")).status_code for _ in range(3)] == [200, 200, 200]
