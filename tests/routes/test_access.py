"""Behind Cloudflare Access, its signed token names the person, and nothing else does."""

import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from app.api.access import KEYS_PATH, AccessTokens
from app.api.identity import make_reception
from app.errors import ConfigurationError, TemporarilyFailed, Unauthorized
from tests.routes.access_team import AUDIENCE, Team, private_key, team_at_work
from tests.routes.service import ACCESS_CODE, Json, Service, serving, settings_of
from tests.routes.test_runs_api import RUNS, taken

PAGE = "/tickets/new"


@pytest.fixture
async def team() -> AsyncIterator[Team]:
    """A team with one key."""
    async with team_at_work() as made:
        yield made


@pytest.fixture
async def service(team: Team) -> AsyncIterator[Service]:
    """A service behind the team's Access, with a code for programs."""
    facts: Json = {"cf_access_team_domain": team.issuer, "cf_access_aud": AUDIENCE, "admin_access_code": ACCESS_CODE}
    async with serving(**facts) as made:
        yield made


def by(token: str) -> dict[str, str]:
    return {"cf-access-jwt-assertion": token, "accept": "text/html"}


async def test_the_token_names_the_person(service: Service, team: Team) -> None:
    page = await service.get(PAGE, headers=by(team.token()))
    assert page.status_code == 200
    assert "ada@example.com" in page.text
    assert "/logout" not in page.text  # signing out is a matter of Access


async def test_what_a_person_does_is_written_down_under_that_name(service: Service, team: Team) -> None:
    run_id = await taken(service)
    known = by(team.token()) | {"sec-fetch-site": "same-origin"}
    assert (await service.post(f"{RUNS}/{run_id}/stop", headers=known)).status_code == 200
    assert (await service.store.run(run_id)).outcome == "Stopped by ada@example.com. The work so far is kept."


async def test_a_service_token_is_named_too(service: Service, team: Team) -> None:
    page = await service.get(PAGE, headers=by(team.token(email=None, common_name="nightly.access")))
    assert "nightly.access" in page.text


NOW = int(time.time())
WORTHLESS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 3600},
    "not yet": {"nbf": NOW + 3600},
    "without an end": {"exp": None},
    "without a beginning": {"iat": None},
    "of tomorrow": {"iat": NOW + 86_400},
    "of another application": {"aud": ["another"]},
    "of no application": {"aud": None},
    "of another team": {"iss": "https://evil.cloudflareaccess.com"},
    "of no team": {"iss": None},
    "signed by somebody else": {"signed_by": "stranger"},
    "with an unknown key": {"kid": "stranger"},
    "of nobody": {"email": None},
}


@pytest.mark.parametrize("claims", WORTHLESS.values(), ids=WORTHLESS)
async def test_a_token_that_proves_nothing_lets_nobody_in(service: Service, team: Team, claims: dict[str, Any]) -> None:
    for path in (PAGE, RUNS, "/events"):
        assert (await service.get(path, headers=by(team.token(**claims)))).status_code == 401


async def test_other_ways_of_signing_prove_nothing(service: Service, team: Team) -> None:
    claims = {"aud": AUDIENCE, "iss": team.issuer, "email": "eve@example.com", "exp": NOW + 3600}
    public = private_key("first").public_key()
    numbers = str(public.public_numbers().n).encode()
    for token in (
        jwt.encode(claims, key="", algorithm="none", headers={"kid": "first"}),
        jwt.encode(claims, key=numbers, algorithm="HS256", headers={"kid": "first"}),
        jwt.encode(claims, key=private_key("first"), algorithm="RS512", headers={"kid": "first"}),
        jwt.encode(claims, key=private_key("first"), algorithm="RS256"),
        "not.a.token",
        "",
    ):
        assert (await service.get(PAGE, headers=by(token))).status_code == 401, token


async def test_the_plain_address_beside_the_token_is_not_believed(service: Service) -> None:
    headers = {"cf-access-authenticated-user-email": "eve@example.com", "accept": "text/html"}
    answer = await service.get(PAGE, headers=headers)
    assert answer.status_code == 401
    assert "Cloudflare Access did not say who you are" in answer.text


async def test_nobody_signs_in_by_the_code_there(service: Service, team: Team) -> None:
    form, known = {"code": ACCESS_CODE, "name": "Eve"}, team.token()
    assert (await service.submit("/login", form)).status_code == 401
    answer = await service.submit("/login", form, cf_access_jwt_assertion=known)
    assert answer.headers["location"] == "/code-runs"
    assert "auto-code" not in service.cookies


async def test_while_the_keys_cannot_be_read_people_are_asked_to_come_back(service: Service, team: Team) -> None:
    team.away = True
    answer = await service.get(PAGE, headers=by(team.token()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "The keys of Cloudflare Access cannot be read" in answer.text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tokens_of(team: Team, clock: Clock) -> AccessTokens:
    return AccessTokens(issuer=team.issuer, audience=AUDIENCE, keys_url=f"{team.issuer}{KEYS_PATH}", clock=clock)


async def test_the_keys_are_read_once_and_then_kept(team: Team) -> None:
    clock = Clock()
    tokens = tokens_of(team, clock)
    for _ in range(3):
        assert (await tokens.visitor(team.token())).name == "ada@example.com"
    assert team.asked == 1
    await tokens.close()


async def test_a_new_key_is_asked_for_at_most_once_a_minute(team: Team) -> None:
    clock = Clock()
    tokens = tokens_of(team, clock)
    await tokens.visitor(team.token())
    team.keys = ["second"]
    for second in (10, 30, 59):
        clock.now = second
        with pytest.raises(Unauthorized):
            await tokens.visitor(team.token(kid="second"))
    assert team.asked == 1
    clock.now = 61
    assert (await tokens.visitor(team.token(kid="second"))).name == "ada@example.com"
    with pytest.raises(Unauthorized):
        await tokens.visitor(team.token(kid="first"))
    assert team.asked == 2
    await tokens.close()


async def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour(team: Team) -> None:
    clock = Clock()
    tokens = tokens_of(team, clock)
    await tokens.visitor(team.token())
    team.keys = ["second"]
    clock.now = 3601
    with pytest.raises(Unauthorized):
        await tokens.visitor(team.token())
    await tokens.close()


async def test_known_keys_go_on_while_the_team_is_away(team: Team) -> None:
    clock = Clock()
    tokens = tokens_of(team, clock)
    await tokens.visitor(team.token())
    team.away = True
    clock.now = 7200
    assert (await tokens.visitor(team.token())).name == "ada@example.com"
    await tokens.close()


async def test_after_a_failed_first_try_the_next_one_is_soon(team: Team) -> None:
    clock = Clock()
    tokens = tokens_of(team, clock)
    team.away = True
    for _ in range(3):
        with pytest.raises(TemporarilyFailed):
            await tokens.visitor(team.token())
    assert team.asked == 1
    team.away, clock.now = False, 6
    assert (await tokens.visitor(team.token())).name == "ada@example.com"
    await tokens.close()


@pytest.mark.parametrize("half", [{"cf_access_team_domain": "team.cloudflareaccess.com"}, {"cf_access_aud": "x"}])
def test_half_of_the_settings_is_a_mistake_that_is_named(half: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="CF_ACCESS_TEAM_DOMAIN and CF_ACCESS_AUD belong together"):
        make_reception(settings_of(**half))
