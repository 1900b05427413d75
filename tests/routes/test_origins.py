"""What another site makes a person's browser send is refused; programs, which no site can direct, are not."""

import pytest

from app.api.sessions import COOKIE
from tests.routes.service import ACCESS_CODE, SECRET, Service, serving
from tests.routes.test_runs_api import RUNS, taken
from tests.routes.test_signing_in import signed_in

ACTIONS = [
    "/code-runs", "/demo", "/tickets", "/logout", "/login", "/me/model", "/code-runs/PROJ-1/messages",
    "/code-runs/PROJ-1/messages/1/withdraw", "/code-runs/PROJ-1/messages/1/now", "/code-runs/PROJ-1/stop",
    "/code-runs/PROJ-1/retry", "/code-runs/PROJ-1/open-pr", "/code-runs/PROJ-1/plan/1/approve",
    "/code-runs/PROJ-1/plan/1/changes", "/code-runs/PROJ-1/questions/1/answer",
]  # fmt: skip

FOREIGN = [
    {},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://service"},
    {"origin": "null"},
    {"origin": "http://evil.example"},
    {"origin": "http://service.evil.example"},
    {"origin": "http://service:8080"},
    {"origin": "http://["},
    {"referer": "http://evil.example/http://service/"},
]
OWN = [
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://service"},
    {"referer": "http://service/code-runs"},
]


@pytest.mark.parametrize("path", ACTIONS)
async def test_no_action_is_taken_for_another_site(path: str) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await signed_in(service)
        answer = await service.post(path, headers={"sec-fetch-site": "cross-site", "accept": "text/html"})
        assert answer.status_code == 403
        assert "was not sent by a page of service" in answer.text


async def stopped(service: Service, path: str, headers: dict[str, str]) -> int:
    """The status of the answer to a stop of a new run, which must have had an effect just when it says so."""
    run_id = await taken(service)
    status = (await service.post(path.format(run=run_id), headers=headers)).status_code
    assert (await service.store.run(run_id)).status == ("idle" if status < 400 else "queued")
    return status


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/code-runs/PROJ-1/stop", RUNS + "/{run}/stop"])
async def test_a_cookie_alone_moves_nothing(path: str, headers: dict[str, str]) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await signed_in(service)
        assert await stopped(service, path, headers) == 403


@pytest.mark.parametrize("headers", OWN)
@pytest.mark.parametrize("path", ["/code-runs/PROJ-1/stop", RUNS + "/{run}/stop"])
async def test_a_page_of_the_service_moves_things(path: str, headers: dict[str, str]) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await signed_in(service)
        assert await stopped(service, path, headers) in {200, 303}


@pytest.mark.parametrize("headers", FOREIGN[1:])
@pytest.mark.parametrize("path", ["/code-runs/PROJ-1/stop", RUNS + "/{run}/stop"])
async def test_other_sites_do_not_reach_a_developers_open_service(path: str, headers: dict[str, str]) -> None:
    async with serving() as service:
        assert await stopped(service, path, headers) == 403


async def test_programs_need_no_origin() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        known = {"authorization": f"Bearer {ACCESS_CODE}"}
        assert await stopped(service, "/code-runs/PROJ-1/stop", known) == 303
        assert await stopped(service, RUNS + "/{run}/stop", known) == 200
    async with serving() as service:
        assert await stopped(service, RUNS + "/{run}/stop", {}) == 200
    async with serving(webhook_secret=SECRET) as service:
        foreign = {"x-webhook-token": SECRET, "origin": "https://jira.example", "sec-fetch-site": "cross-site"}
        assert (await service.deliver({}, **foreign)).status_code != 403


async def test_a_cookie_beside_a_wrong_token_does_not_help() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await signed_in(service)
        assert COOKIE in service.cookies
        wrong = {"authorization": "Bearer wrong"}
        assert await stopped(service, "/code-runs/PROJ-1/stop", wrong) == 401
        assert await stopped(service, RUNS + "/{run}/stop", wrong) == 401


async def test_pages_can_be_linked_to_from_everywhere() -> None:
    async with serving() as service:
        headers = {"sec-fetch-site": "cross-site", "referer": "https://jira.example/", "accept": "text/html"}
        assert (await service.get("/tickets/new", headers=headers)).status_code == 200
