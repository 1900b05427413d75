"""The organisation's code and a name let a person in; what the cookie says is believed only as it was given."""

import asyncio

import pytest

from app.api.sessions import COOKIE, Sessions
from app.routes.people import local_path
from tests.routes.service import ACCESS_CODE, Json, Service, serving
from tests.routes.test_runs_api import RUNS, taken

PAGE = "/tickets/new"
READY: Json = {
    "node_env": "production",
    "repo_url": "https://github.com/acme/widgets",
    "gh_token": "token",
    "anthropic_api_key": "key",
    "webhook_secret": "sixteen letters!",
    "offline": False,
}
"""What production wants before it starts; nothing of it lets people in."""


async def signed_in(service: Service, name: str = "Ada Lovelace", **headers: str) -> None:
    answer = await service.submit("/login", {"code": ACCESS_CODE, "name": name}, **headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/code-runs")


async def test_whoever_is_not_signed_in_is_led_to_the_form_and_back() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        turned_away = await service.look("/tickets/new?x=a%26b")
        assert turned_away.status_code == 303
        form = await service.look(turned_away.headers["location"])
        assert form.status_code == 200
        assert 'name="next" value="/tickets/new?x=a%26b"' in form.text
        fields = {"code": ACCESS_CODE, "name": "  Ada   Lovelace ", "next": "/tickets/new?x=a%26b"}
        answer = await service.submit("/login", fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/tickets/new?x=a%26b")
        page = await service.look(PAGE)
        assert page.status_code == 200
        assert "Ada Lovelace" in page.text


async def test_who_signs_out_is_a_stranger_again() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await signed_in(service)
        answer = await service.submit("/logout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert (await service.look(PAGE)).status_code == 303


@pytest.mark.parametrize("code", ["", "wrong", ACCESS_CODE + "x", "ü"])
async def test_a_wrong_code_lets_nobody_in_and_keeps_the_name(code: str) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        answer = await service.submit("/login", {"code": code, "name": "Ada"})
        assert answer.status_code == 401
        assert "That is not the code." in answer.text
        assert 'value="Ada"' in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "Ada\0", "Ada\u202e"])
async def test_a_person_needs_a_name_that_others_can_read(name: str) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        answer = await service.submit("/login", {"code": ACCESS_CODE, "name": name})
        assert answer.status_code == 422
        assert "Say your name" in answer.text


async def test_the_eleventh_try_of_a_minute_is_refused_even_with_the_right_code() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        tries = [await service.submit("/login", {"code": "guess", "name": "Eve"}) for _ in range(10)]
        assert {answer.status_code for answer in tries} == {401}
        answer = await service.submit("/login", {"code": ACCESS_CODE, "name": "Eve"})
        assert answer.status_code == 429
        assert answer.headers["content-type"].startswith("text/html")
        assert int(answer.headers["retry-after"]) > 0


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        answer = await service.submit("/login", {"code": ACCESS_CODE, "name": "Ada"})
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={30 * 24 * 3600}"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert ACCESS_CODE not in cookie


async def test_in_production_the_cookie_stays_on_https() -> None:
    async with serving(admin_access_code=ACCESS_CODE, **READY) as service:
        answer = await service.submit("/login", {"code": ACCESS_CODE, "name": "Ada"})
        assert "Secure" in answer.headers["set-cookie"].split("; ")


async def test_a_cookie_that_was_changed_is_worth_nothing() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await signed_in(service)
        given = service.cookies[COOKIE]
        forged = Sessions(code="another code", secure=False)._serializer.dumps("Ada Lovelace")
        # The last character but one, because the last one's lowest bits stand for nothing.
        changed = given[:-2] + ("A" if given[-2] != "A" else "B") + given[-1]
        for cookie in (changed, "x" + given, str(forged), "", "a.b.c", "ü"):
            service.cookies.clear()
            headers = [(b"cookie", f"{COOKIE}={cookie}".encode()), (b"accept", b"text/html")]
            assert (await service.get(PAGE, headers=headers)).status_code == 303, cookie


async def test_another_code_signs_everybody_out() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await signed_in(service)
        cookie = service.cookies[COOKIE]
    async with serving(admin_access_code="the next code") as service:
        service.cookies.set(COOKIE, cookie)
        assert (await service.look(PAGE)).status_code == 303


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "http:evil.example", "///evil.example", "/a\nb", "evil.example", "", "http://[", "/%0d\r\nSet-Cookie: a=b",
    ],
)  # fmt: skip
def test_after_signing_in_nobody_is_sent_to_another_site(elsewhere: str) -> None:
    assert local_path(elsewhere) == "/code-runs"


@pytest.mark.parametrize("here", ["/code-runs/PROJ-1?tab=plan", "/tickets/new#x", "/"])
def test_after_signing_in_people_go_on_where_they_were(here: str) -> None:
    assert local_path(here) == here


async def test_without_anything_set_up_development_is_open_and_says_you() -> None:
    async with serving() as service:
        assert "You" in (await service.look(PAGE)).text
        assert (await service.look("/login")).headers["location"] == "/code-runs"
        assert (await service.submit("/login", {"code": "", "name": "Eve"})).headers["location"] == "/code-runs"


@pytest.mark.parametrize("path", ["/code-runs", "/code-runs/PROJ-1", PAGE, "/events", "/ui/tickets"])
async def test_production_refuses_people_until_something_says_who_they_are(path: str) -> None:
    async with serving(**READY) as service:
        answer = await service.look(path)
        assert answer.status_code == 403
        assert "Set ADMIN_ACCESS_CODE, or CF_ACCESS_TEAM_DOMAIN and CF_ACCESS_AUD" in answer.text
        assert "auto-code" in answer.text
        assert (await service.press("/code-runs/PROJ-1/stop")).status_code == 403


async def test_a_stream_and_a_script_hear_that_nobody_is_signed_in() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await taken(service)
        for path in ("/events", "/code-runs/PROJ-1/events"):
            answer = await service.get(path, headers={"accept": "text/event-stream"})
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")
        answer = await service.press("/code-runs/PROJ-1/stop")
        assert answer.status_code == 401
        assert "Reload the page to sign in" in answer.json()["detail"]
        assert (await service.submit("/code-runs/PROJ-1/stop")).headers["location"] == "/login"


async def test_programs_read_pages_with_the_code_as_a_bearer_token() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        run_id = await taken(service)
        known = {"authorization": f"Bearer {ACCESS_CODE}"}
        assert (await service.get(PAGE, headers=known)).status_code == 200
        assert (await service.get(PAGE, headers={"authorization": "Bearer wrong"})).status_code == 401
        assert (await service.post("/code-runs/PROJ-1/stop", headers=known)).status_code == 303
        assert (await service.store.run(run_id)).outcome == "Stopped by the API. The work so far is kept."


async def test_a_person_who_is_signed_in_may_use_the_api_and_is_named() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        run_id = await taken(service)
        await signed_in(service, "Ada")
        assert (await service.get(RUNS)).status_code == 200
        answer = await service.post(f"{RUNS}/{run_id}/stop", headers={"sec-fetch-site": "same-origin"})
        assert answer.json()["outcome"] == "Stopped by Ada. The work so far is kept."


async def test_many_who_sign_in_at_once_keep_their_own_names() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        names = [f"Person {number}" for number in range(5)]
        forms = [service.submit("/login", {"code": ACCESS_CODE, "name": name}) for name in names]
        cookies = [answer.headers["set-cookie"].partition(";")[0] for answer in await asyncio.gather(*forms)]
        service.cookies.clear()
        for name, cookie in zip(names, cookies, strict=True):
            page = await service.get(PAGE, headers={"cookie": cookie, "accept": "text/html"})
            assert name in page.text
