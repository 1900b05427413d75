"""Whoever fails too often to prove a secret is not looked at for a while; whoever knows it is not counted."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from app.api.identity import make_reception
from app.api.proofs import ALTOGETHER, PER_ADDRESS, Secret, TooManyFailures
from tests.builders import jira_body, signature
from tests.routes.access_team import AUDIENCE
from tests.routes.service import ACCESS_CODE, SECRET, Service, serving, settings_of
from tests.routes.test_runs_api import RUNS

Try = Callable[[Service, str], Awaitable[httpx.Response]]


async def token(service: Service, given: str) -> httpx.Response:
    return await service.deliver(jira_body(), x_webhook_token=given)


async def bearer(service: Service, given: str) -> httpx.Response:
    return await service.get(RUNS, headers={"authorization": f"Bearer {given}"})


async def bearer_of_a_page(service: Service, given: str) -> httpx.Response:
    return await service.get("/code-runs", headers={"authorization": f"Bearer {given}"})


async def code(service: Service, given: str) -> httpx.Response:
    return await service.submit("/login", {"code": given, "name": "Ada"})


WAYS: list[tuple[Try, str]] = [
    (token, SECRET),
    (bearer, ACCESS_CODE),
    (bearer_of_a_page, ACCESS_CODE),
    (code, ACCESS_CODE),
]


@pytest.mark.parametrize(("attempt", "right"), WAYS)
async def test_after_ten_failures_of_a_minute_an_address_must_wait(attempt: Try, right: str) -> None:
    async with serving(webhook_secret=SECRET, admin_access_code=ACCESS_CODE) as service:
        assert [(await attempt(service, "guess")).status_code for _ in range(10)] == [401] * 10
        for given in ("guess", right):  # an answer to the right one would let the guessing go on
            answer = await attempt(service, given)
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 61
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("attempt", "right"), WAYS)
async def test_successes_are_not_counted(attempt: Try, right: str) -> None:
    async with serving(webhook_secret=SECRET, admin_access_code=ACCESS_CODE) as service:
        answers = [await attempt(service, right) for _ in range(30)]
        assert {answer.status_code for answer in answers} <= {200, 202, 303}


async def test_a_signature_is_no_guess_and_right_ones_are_always_taken() -> None:
    async with serving(webhook_secret=SECRET) as service:
        body = b'{"webhookEvent": "comment_created"}'
        wrong = [await service.deliver(body, x_hub_signature="sha256=00") for _ in range(12)]
        assert [answer.status_code for answer in wrong] == [401] * 10 + [429] * 2
        assert (await service.deliver(body, x_hub_signature=signature(body, SECRET))).status_code == 202


async def test_who_is_signed_in_is_not_troubled_by_others_guesses() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await code(service, ACCESS_CODE)
        for _ in range(12):
            await bearer(service, "guess")
        assert (await service.get(RUNS)).status_code == 200


def connection(peer: str, edge: str | None = None, **settings: Any) -> HTTPConnection:
    app = FastAPI()
    app.state.reception = make_reception(settings_of(**settings))
    headers = [] if edge is None else [(b"cf-connecting-ip", edge.encode())]
    return HTTPConnection({"type": "http", "app": app, "client": (peer, 1), "headers": headers})


def failures_until_refused(secret: Secret, *connections: HTTPConnection) -> int:
    """How many wrong tries are looked at, one from each in turn."""
    for number in range(1_000):
        try:
            secret.proved(connections[number % len(connections)], b"guess")
        except TooManyFailures:
            return number
    raise AssertionError("There is no bound.")


def test_many_addresses_have_one_bound_together_which_those_who_knew_it_do_not_feel() -> None:
    secret, jira = Secret(SECRET), connection("203.0.113.1")
    assert secret.proved(jira, SECRET.encode())
    strangers = [connection(f"198.51.100.{number}") for number in range(50)]
    assert failures_until_refused(secret, *strangers) == ALTOGETHER.amount
    with pytest.raises(TooManyFailures):
        secret.proved(connection("192.0.2.1"), SECRET.encode())
    assert secret.proved(jira, SECRET.encode())


def test_an_address_that_anybody_could_claim_gives_no_more_tries() -> None:
    claims = [connection("127.0.0.1", f"198.51.100.{number}") for number in range(50)]
    assert failures_until_refused(Secret(SECRET), *claims) == PER_ADDRESS.amount


ACCESS = {"cf_access_team_domain": "team.example", "cf_access_aud": AUDIENCE}


def test_behind_access_the_edge_says_who_it_was_and_not_without_a_bound() -> None:
    one = connection("127.0.0.1", "198.51.100.7", **ACCESS)
    other = connection("127.0.0.1", "198.51.100.8", **ACCESS)
    secret = Secret(SECRET)
    assert failures_until_refused(secret, one) == PER_ADDRESS.amount
    assert secret.proved(other, SECRET.encode())
    many = [connection("127.0.0.1", f"198.51.100.{number}", **ACCESS) for number in range(50)]
    assert failures_until_refused(Secret(SECRET), *many) == ALTOGETHER.amount


@pytest.mark.parametrize("edges", [["2001:db8::1", "2001:db8::2:3:4:5"], ["nonsense", ""]])
def test_one_networks_addresses_count_as_one(edges: list[str]) -> None:
    both = [connection("127.0.0.1", edge, **ACCESS) for edge in edges]
    assert failures_until_refused(Secret(SECRET), *both) == PER_ADDRESS.amount


@pytest.mark.parametrize("given", [b"", b"x" * 100_000, "schlüssel 🌙".encode(), b"\xff\x00", SECRET.encode() + b"\0"])
def test_whatever_is_given_is_compared_and_wrong(given: bytes) -> None:
    assert not Secret(SECRET).proved(connection("192.0.2.1"), given)
