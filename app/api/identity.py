"""Who is who: the person behind a request, by Cloudflare Access, by the organisation's code, or by being alone.

Whoever is let in has a name, which is written beside everything that they do. In production there is no way in before
one of the two is set up.
"""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from app.api.access import HEADER, KEYS_PATH, AccessTokens
from app.api.origin import has_bearer
from app.api.proofs import Secret
from app.api.sessions import Sessions
from app.config import Settings
from app.errors import ConfigurationError, Forbidden, Unauthorized

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
    """A person's name. Those who came `by_code` can sign out; a `program` came by a service token of Access."""

    name: str
    by_code: bool = False
    program: bool = False


class Reception:
    """Knows people. Access wins over the code; without both, development is open to whoever is there."""

    def __init__(self, *, access: AccessTokens | None, code: str | None, production: bool) -> None:
        self._access = access
        self._code = Secret(code) if code else None
        self.production = production
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
        if self.sessions is not None:
            raise SignInNeeded("You are not signed in. Reload the page to sign in; what you typed is kept.")
        if self.production:
            raise Forbidden(_CLOSED)
        return Person(_ALONE)

    async def known(self, connection: HTTPConnection) -> Person | None:
        """Whom Access or a cookie names, if anybody. Behind Access somebody is always named: see `vouched`."""
        if self._access is not None:
            return await self.vouched(connection)
        name = self.sessions.name(connection) if self.sessions is not None else None
        return Person(name, by_code=True) if name is not None else None

    async def vouched(self, connection: HTTPConnection) -> Person:
        """Whom the one token of Access names. Raises Unauthorized, or TemporarilyFailed while it cannot be checked."""
        tokens = connection.headers.getlist(HEADER)
        if self._access is None or len(tokens) != 1:
            raise Unauthorized("Cloudflare Access did not say who you are. Open the page at its address there.")
        visitor = await self._access.visitor(tokens[0])
        return Person(visitor.name, program=visitor.program)

    @property
    def behind_access(self) -> bool:
        """Cloudflare Access stands before the service."""
        return self._access is not None

    @property
    def open(self) -> bool:
        """Whether everybody may come in, which is so in development with nothing set up."""
        return self._access is None and self._code is None and not self.production

    def is_code(self, connection: HTTPConnection, given: bytes) -> bool:
        """Whether it is the organisation's code. Raises TooManyFailures."""
        return self._code is not None and self._code.proved(connection, given)

    def _program(self, connection: HTTPConnection) -> Person:
        given = connection.headers["authorization"][len("bearer ") :].strip()
        # As the server decoded it, so that a code may have any characters.
        if self.is_code(connection, given.encode("latin-1")):
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
    keys_url = settings.cf_access_certs_url or f"{issuer}{KEYS_PATH}"
    if urlsplit(keys_url).scheme not in {"http", "https"} or not urlsplit(keys_url).netloc:
        raise ConfigurationError("CF_ACCESS_CERTS_URL must be an address such as https://team.example/keys.")
    return AccessTokens(issuer=issuer, audience=audience, keys_url=keys_url)


def reception(request: Request) -> Reception:
    """The app's."""
    known: Reception = request.app.state.reception
    return known


ReceptionDep = Annotated[Reception, Depends(reception)]


async def person(request: Request, reception: ReceptionDep) -> Person:
    """Who sent the request: see `Reception.person`."""
    return await reception.person(request)


PersonDep = Annotated[Person, Depends(person)]
