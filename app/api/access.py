"""Cloudflare Access: the token that it puts on each request says who sends it.

Only the signed token is believed. Its plain neighbour, the header with the e-mail address, can be sent by anybody who
reaches the service past Access.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import jwt

from app.errors import TemporarilyFailed, Unauthorized, WorkFailed
from app.http import HttpClient

HEADER = "Cf-Access-Jwt-Assertion"

KEYS_PATH = "/cdn-cgi/access/certs"

_REFETCH_S = 60.0
_RETRY_S = 5.0
_FRESH_S = 3600.0
_LEEWAY_S = 30
_KEYS_LIMIT_S = 5.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Visitor:
    """Whom a token names. A program came by a service token, which no browser sends."""

    name: str
    program: bool


class AccessTokens:
    """Checks tokens of the team at `issuer` (`https://team.cloudflareaccess.com`) for the application `audience`.

    The team's keys, which are at `keys_url`, are kept for an hour. One that is not known is asked for, at most once a
    minute. `clock` gives seconds.
    """

    def __init__(
        self, *, issuer: str, audience: str, keys_url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        address = urlsplit(keys_url)
        self._issuer = issuer
        self._audience = audience
        self._keys_path = address.path
        self._http = HttpClient(
            base_url=f"{address.scheme}://{address.netloc}", limit_s=_KEYS_LIMIT_S, most_bytes=_MOST_BYTES
        )
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._may_fetch_at = -math.inf
        self._fetching = asyncio.Lock()

    async def visitor(self, token: str) -> Visitor:
        """Whom the token names: a person by the e-mail address, or a service token.

        Raises Unauthorized for a token that proves nothing, TemporarilyFailed while the keys cannot be asked for.
        """
        try:
            claims = jwt.decode(
                token,
                await self._key(str(jwt.get_unverified_header(token).get("kid", ""))),
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized(f"The token of Cloudflare Access is not valid ({error}). Reload the page.") from error
        email, program = claims.get("email"), claims.get("common_name")
        if name := str(email or program or ""):
            return Visitor(name, program=not email)
        raise Unauthorized("The token of Cloudflare Access names nobody. Sign in at Access with an e-mail address.")

    async def close(self) -> None:
        """Let go of the connection."""
        await self._http.close()

    async def _key(self, kid: str) -> jwt.PyJWK:
        if self._should_fetch(kid):
            async with self._fetching:
                if self._should_fetch(kid):
                    await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise TemporarilyFailed(f"The keys of {self._issuer} cannot be read. Try again in a moment.")
        raise Unauthorized(f"The token of Cloudflare Access has a key that {self._issuer} does not know.")

    def _should_fetch(self, kid: str) -> bool:
        now = self._clock()
        return now >= self._may_fetch_at and (kid not in self._keys or now - self._fetched_at >= _FRESH_S)

    async def _fetch(self) -> None:
        now = self._clock()
        self._may_fetch_at = now + (_REFETCH_S if self._keys else _RETRY_S)
        try:
            self._keys = await self._read()
        except TemporarilyFailed:
            if not self._keys:
                raise
            return  # those that are known go on
        self._fetched_at = now
        self._may_fetch_at = now + _REFETCH_S

    async def _read(self) -> dict[str, jwt.PyJWK]:
        try:
            reply = await self._http.ask("GET", self._keys_path)
            found = jwt.PyJWKSet.from_dict(json.loads(reply.body))
        except (WorkFailed, ValueError, AttributeError, jwt.PyJWTError) as error:
            raise TemporarilyFailed(
                f"The keys of Cloudflare Access cannot be read ({error}). Check CF_ACCESS_TEAM_DOMAIN, or try again."
            ) from error
        return {str(key.key_id): key for key in found.keys}
