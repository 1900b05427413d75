"""Behind Cloudflare Access nothing answers without its token but what proves itself; and a developer's open service
answers under local names only.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route

from tests.builders import jira_body, signature
from tests.routes.access_team import AUDIENCE, Team, team_at_work
from tests.routes.service import ACCESS_CODE, SECRET, Json, Service, serving
from tests.routes.test_runs_api import RUNS, taken

BODY = json.dumps(jira_body(key="PROJ-1")).encode()
ADDRESSES = [
    "/", "/code-runs", "/login", "/openapi.json", "/docs", "/redoc", "/static", "/static/x/css/base.css", "/nothing",
    "/health/", "/health/x", "//health", "/HEALTH", "/code-runs/../health", "/health%2f..%2fcode-runs",
    "/webhook/jira", "/webhook/jira/", "/api/v1/runs", "/events", "/.well-known/x", "/static/../health",
]  # fmt: skip


@pytest.fixture
async def team() -> AsyncIterator[Team]:
    """A team with one key."""
    async with team_at_work() as made:
        yield made


@pytest.fixture
async def service(team: Team) -> AsyncIterator[Service]:
    """A service behind the team's Access, with a secret for Jira and a code."""
    facts: Json = {"cf_access_team_domain": team.issuer, "cf_access_aud": AUDIENCE}
    async with serving(admin_access_code=ACCESS_CODE, webhook_secret=SECRET, **facts) as made:
        yield made


def vouched(team: Team, **claims: Any) -> dict[str, str]:
    return {"cf-access-jwt-assertion": team.token(**claims)}


def program(team: Team) -> dict[str, str]:
    return vouched(team, email=None, common_name="nightly.access")


def every_route(routes: Any) -> Iterator[tuple[str, str]]:
    """Method and path of each, with something in the place of what is variable."""
    for route in routes:
        original = getattr(route, "original_router", None)
        if original is not None:
            yield from every_route(original.routes)
        elif isinstance(route, Mount):
            yield "GET", f"{route.path}/x"
        elif isinstance(route, Route):
            for method in route.methods or ():
                yield method, re.sub("{[^}]*}", "x", route.path)


async def test_every_route_of_the_app_wants_the_token(service: Service, team: Team) -> None:
    routes = set(every_route(service.app.routes))
    assert len(routes) > 30
    open_to_all = {("GET", path) for path in ("/health", "/ready", "/live")}
    assert {*open_to_all, ("POST", "/webhook/jira"), ("GET", "/openapi.json")} <= routes
    for method, path in routes - open_to_all:
        for headers in ({}, {"authorization": f"Bearer {ACCESS_CODE}"}, {"x-webhook-token": SECRET}):
            answer = await service.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path)
    assert {(await service.get(path)).status_code for _, path in open_to_all} == {200}


async def test_a_route_that_comes_later_wants_it_too(service: Service, team: Team) -> None:
    app: FastAPI = service.app
    app.add_api_route("/later", lambda: "secret", methods=["GET"])
    assert (await service.get("/later")).status_code == 401
    assert (await service.get("/later", headers=vouched(team))).json() == "secret"


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"])
async def test_no_way_of_writing_an_address_goes_around_it(service: Service, method: str, path: str) -> None:
    answer = await service.request(method, path)
    assert answer.status_code == 401 or answer.request.url.path == "/health"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_person_hears_it_on_a_page(service: Service) -> None:
    answer = await service.look("/code-runs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "Cloudflare Access did not say who you are" in answer.text


async def test_a_web_socket_is_refused_before_it_opens(service: Service) -> None:
    sent: list[Any] = []

    async def receive() -> Json:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await service.app({"type": "websocket", "path": "/code-runs", "headers": [], "app": service.app}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_of_two_tokens_none_is_believed(service: Service, team: Team) -> None:
    token = team.token()
    headers = [("cf-access-jwt-assertion", token), ("cf-access-jwt-assertion", token)]
    assert (await service.get("/code-runs", headers=headers)).status_code == 401


# Webhooks


async def test_a_signed_webhook_proves_itself(service: Service) -> None:
    answer = await service.deliver(BODY, x_hub_signature=signature(BODY, SECRET))
    assert answer.json()["status"] == "accepted"
    for wrong in ("", "sha256=", signature(BODY, "another secret")):
        assert (await service.deliver(BODY, x_hub_signature=wrong, x_webhook_token=SECRET)).status_code == 401


async def test_a_fixed_token_is_no_signature(service: Service, team: Team) -> None:
    assert (await service.deliver(BODY, x_webhook_token=SECRET)).status_code == 401
    assert (await service.deliver(BODY, **program(team))).status_code == 401
    taken = await service.deliver(BODY, x_webhook_token=SECRET, **program(team))
    assert taken.json()["status"] == "accepted"


async def test_without_a_secret_a_signature_proves_nothing(team: Team) -> None:
    async with serving(cf_access_team_domain=team.issuer, cf_access_aud=AUDIENCE) as service:
        assert (await service.deliver(BODY, x_hub_signature=signature(BODY, ""))).status_code == 401


# Programs


async def test_a_service_token_is_enough_for_the_api_and_the_code_alone_is_not(service: Service, team: Team) -> None:
    run_id = await taken(service)
    code = {"authorization": f"Bearer {ACCESS_CODE}"}
    assert (await service.get(RUNS, headers=code)).status_code == 401
    assert (await service.get(RUNS, headers=program(team) | code)).status_code == 200
    assert (await service.get(RUNS, headers=program(team) | {"authorization": "Bearer no"})).status_code == 401
    assert (await service.post(f"{RUNS}/{run_id}/stop", headers=program(team))).status_code == 200
    assert (await service.store.run(run_id)).outcome == "Stopped by nightly.access. The work so far is kept."


async def test_a_persons_browser_still_does_nothing_there_for_another_site(service: Service, team: Team) -> None:
    run_id = await taken(service)
    for headers in ({}, {"sec-fetch-site": "cross-site"}):
        answer = await service.post(f"{RUNS}/{run_id}/stop", headers=vouched(team) | headers)
        assert answer.status_code == 403


async def test_the_keys_may_be_somewhere_else(team: Team) -> None:
    facts: Json = {"cf_access_team_domain": "team.example", "cf_access_aud": AUDIENCE}
    async with serving(cf_access_certs_url=f"{team.issuer}/cdn-cgi/access/certs", **facts) as service:
        ours, theirs = vouched(team, iss="https://team.example"), vouched(team)
        assert (await service.get("/code-runs", headers=ours)).status_code == 200
        assert (await service.get("/code-runs", headers=theirs)).status_code == 401


# A developer's service

FOREIGN = [
    "evil.example",
    "evil.example:3001",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "1.2.3",
    "a.b:",
    ".",
]
LOCAL = [
    "localhost",
    "LOCALHOST:3001",
    "127.0.0.1:3001",
    "[::1]:3001",
    "[::1]",
    "service",
    "x.localhost:80",
    "10.0.0.7",
]


@pytest.mark.parametrize("host", FOREIGN)
async def test_a_name_that_a_stranger_points_here_opens_nothing(host: str) -> None:
    async with serving() as service:
        for path in ("/code-runs", RUNS, "/openapi.json", "/static/x"):
            answer = await service.get(path, headers={"host": host})
            assert (answer.status_code, "http://localhost" in answer.text) == (403, True)
        own = {"host": host, "origin": f"http://{host}"}
        assert (await service.post("/webhook/jira", content=BODY, headers=own)).status_code == 403
        assert (await service.get("/health", headers={"host": host})).status_code == 200


async def test_nor_does_it_start_runs_where_only_the_webhook_is_open() -> None:
    own = {"host": "evil.example", "origin": "http://evil.example", "sec-fetch-site": "same-origin"}
    async with serving(admin_access_code=ACCESS_CODE) as service:
        assert (await service.post("/webhook/jira", content=BODY, headers=own)).status_code == 403
        assert (await service.get("/login", headers=own)).status_code == 200


@pytest.mark.parametrize("host", LOCAL)
async def test_under_its_own_names_it_is_open(host: str) -> None:
    async with serving() as service:
        assert (await service.get(RUNS, headers={"host": host})).status_code == 200


async def test_what_has_secrets_may_have_any_name() -> None:
    far = {"host": "auto-code.example"}
    async with serving(admin_access_code=ACCESS_CODE, webhook_secret=SECRET) as service:
        known = {"authorization": f"Bearer {ACCESS_CODE}"}
        assert (await service.get(RUNS, headers=far | known)).status_code == 200
        assert (await service.deliver(BODY, x_webhook_token=SECRET, **far)).json()["status"] == "accepted"


async def test_another_site_sends_no_ticket_to_an_open_service() -> None:
    async with serving() as service:
        for foreign in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            assert (await service.deliver(BODY, **foreign)).status_code == 403
        assert (await service.deliver(BODY)).json()["status"] == "accepted"
