"""A team at Cloudflare Access: its keys, on a small server on loopback, and the tokens that it signs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "the-application"


@cache
def private_key(kid: str) -> rsa.RSAPrivateKey:
    """The key of that name, which takes a moment to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Team:
    """`keys` are the names of those that it publishes; `asked` counts how often; `away` makes it answer 503."""

    def __init__(self) -> None:
        self.keys = ["first"]
        self.asked = 0
        self.away = False
        self.issuer = ""

    def token(self, *, kid: str = "first", signed_by: str | None = None, **claims: Any) -> str:
        """A token of now for a person; claims that are None are left out."""
        now = int(time.time())
        usual = {"aud": [AUDIENCE], "iss": self.issuer, "email": "ada@example.com", "iat": now, "exp": now + 300}
        given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(given, private_key(signed_by or kid), algorithm="RS256", headers={"kid": kid})

    def published(self) -> bytes:
        """The set of keys."""
        algorithm = jwt.algorithms.RSAAlgorithm
        keys = [algorithm.to_jwk(private_key(kid).public_key(), as_dict=True) | {"kid": kid} for kid in self.keys]
        return json.dumps({"keys": keys}).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /cdn-cgi/access/certs ")
        self.asked += 1
        body = b"{}" if self.away else self.published()
        status = b"503 Away" if self.away else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def team_at_work() -> AsyncIterator[Team]:
    """A team whose server answers as long as the block lasts."""
    team = Team()
    server = await asyncio.start_server(team.answer, "127.0.0.1", 0)
    async with server:
        team.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield team
