"""Who is who: the person behind a request, by Cloudflare Access, by the organisation's code, or by being alone.

Whoever is let in has a name, which is written beside everything that they do. In production there is no way in before
one of the two is set up.
"""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from app.api.access import HEADER, AccessTokens
from app.api.origin import has_bearer
from app.api.sessions import Sessions
from app.config import Settings
from app.errors import ConfigurationError, Forbidden, Unauthorized
from app.http import HttpClient

THE_API = "the API"
"""The name of programs."""

_ALONE = "You"

_CLOSED = (
    "The pages are closed, because nothing says who may read them. Set ADMIN_ACCESS_CODE, or CF_ACCESS_TEAM_DOMAIN and "
    "CF_ACCESS_AUD, and start the service again."
)


class SignInNeeded(Unauthorized):
    """Nobody is signed in, and somebody could be by the code."""


@dataclass(frozen=True)
class Person:
    """A person's name. Those who came `by_code` can sign out."""

    name: str
    by_code: bool = False


class Reception:
    """Knows people. Access wins over the code; without both, development is open to whoever is there."""

    def __init__(self, *, access: AccessTokens | None, code: str | None, production: bool) -> None:
        self._access = access
        self._code = code
        self._production = production
        self.sessions = Sessions(code=code, secure=production) if code and not access else None
        """The cookies of those who sign in by the code; None where nobody can."""

    async def close(self) -> None:
        """Let go of connections."""
        if self._access is not None:
            await self._access.close()

    async def person(self, connection: HTTPConnection) -> Person:
        """Who it is. Raises Unauthorized (SignInNeeded where that helps), or Forbidden where nobody may come in."""
        if self._code is not None and has_bearer(connection):
            return self._program(connection)
        if (person := await self.known(connection)) is not None:
            return person
        if self._access is not None:
            raise Unauthorized("Cloudflare Access did not say who you are. Open the page at its address there.")
        if self.sessions is not None:
            raise SignInNeeded("You are not signed in. Reload the page to sign in; what you typed is kept.")
        if self._production:
            raise Forbidden(_CLOSED)
        return Person(_ALONE)

    async def known(self, connection: HTTPConnection) -> Person | None:
        """Whom Access or a cookie names, if anybody. Raises Unauthorized for a token that proves nothing."""
        if self._access is not None:
            token = connection.headers.get(HEADER)
            return Person(await self._access.person(token)) if token is not None else None
        name = self.sessions.name(connection) if self.sessions is not None else None
        return Person(name, by_code=True) if name is not None else None

    @property
    def open(self) -> bool:
        """Whether everybody may come in, which is so in development with nothing set up."""
        return self._access is None and self._code is None and not self._production

    def is_code(self, given: bytes) -> bool:
        """Whether it is the organisation's code; takes the same time for every wrong one."""
        return self._code is not None and hmac.compare_digest(given, self._code.encode())

    def _program(self, connection: HTTPConnection) -> Person:
        given = connection.headers["authorization"][len("bearer ") :].strip()
        if self.is_code(given.encode("latin-1")):  # as the server decoded it, so that a code may have any characters
            return Person(THE_API)
        raise Unauthorized("Send ADMIN_ACCESS_CODE as a bearer token.")


def make_reception(settings: Settings) -> Reception:
    """The reception that the settings want."""
    code = settings.admin_access_code.get_secret_value() if settings.admin_access_code else None
    return Reception(access=_access(settings), code=code, production=settings.production)


def _access(settings: Settings) -> AccessTokens | None:
    team, audience = settings.cf_access_team_domain, settings.cf_access_aud
    if bool(team) != bool(audience):
        raise ConfigurationError("CF_ACCESS_TEAM_DOMAIN and CF_ACCESS_AUD belong together. Set both, or none of them.")
    if not team or not audience:
        return None
    issuer = (team if "://" in team else f"https://{team}").rstrip("/")
    return AccessTokens(issuer=issuer, audience=audience, http=HttpClient(base_url=issuer))


def reception(request: Request) -> Reception:
    """The app's."""
    known: Reception = request.app.state.reception
    return known


ReceptionDep = Annotated[Reception, Depends(reception)]


async def person(request: Request, reception: ReceptionDep) -> Person:
    """Who sent the request: see `Reception.person`."""
    return await reception.person(request)


PersonDep = Annotated[Person, Depends(person)]
