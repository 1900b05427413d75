"""cloudflared and Cloudflare's edge with Access before it, played by one program with cloudflared's own arguments.

The edge takes a service token, drops whatever assertion a client brings along, signs its own, and forwards. Its team
publishes its keys where Access does.
"""

import argparse
import asyncio
import http.client
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from app.api.access import HEADER
from tests.routes.access_team import Team

EDGE_PORT, TEAM_PORT = 8080, 8081
TEAM = "https://acme.cloudflareaccess.com"
ORIGIN = "http://auto-code:3001"
SERVICE_TOKEN = {"CF-Access-Client-Id": "tracker.access", "CF-Access-Client-Secret": "the-secret-of-the-token"}

_OWN = {"host", HEADER.lower(), *map(str.lower, SERVICE_TOKEN)}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def edge(team: Team) -> Starlette:
    """What the world sees."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=ORIGIN, timeout=httpx.Timeout(60, read=None), trust_env=False) as client:
            app.state.client = client
            yield

    async def forward(request: Request) -> Response:
        if any(request.headers.get(name) != value for name, value in SERVICE_TOKEN.items()):
            return PlainTextResponse("Forbidden by Access", 403)
        token = team.token(email=None, common_name=SERVICE_TOKEN["CF-Access-Client-Id"], sub="")
        headers = [(name, value) for name, value in request.headers.items() if name not in _OWN]
        url = f"{request.url.path}?{request.url.query}".rstrip("?")
        client: httpx.AsyncClient = request.app.state.client
        asked = client.build_request(
            request.method, url, headers=[*headers, (HEADER, token)], content=await request.body()
        )
        try:
            answer = await client.send(asked, stream=True)
        except httpx.TransportError:
            return PlainTextResponse("Bad gateway", 502)
        passed = {name: value for name, value in answer.headers.items() if name != "transfer-encoding"}
        return StreamingResponse(_body(answer), answer.status_code, passed)

    return Starlette(lifespan=lifespan, routes=[Route("/{path:path}", forward, methods=_METHODS)])


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


async def run(metrics: str) -> None:
    """Serve the edge, the team's keys and the metrics."""
    team = Team()
    team.issuer = TEAM
    ready = Starlette(routes=[Route("/ready", lambda _: PlainTextResponse("ready"))])
    host, _, port = metrics.partition(":")
    async with await asyncio.start_server(team.answer, "0.0.0.0", TEAM_PORT), asyncio.TaskGroup() as servers:
        for app, at, number in ((edge(team), "0.0.0.0", EDGE_PORT), (ready, host, int(port))):
            config = uvicorn.Config(app, host=at, port=number, log_level="warning")
            servers.create_task(uvicorn.Server(config).serve())


def main() -> int:
    """The program `cloudflared`, as far as the stack asks for it."""
    parser = argparse.ArgumentParser(prog="cloudflared")
    parser.add_argument("tunnel", choices=["tunnel"])
    parser.add_argument("--no-autoupdate", action="store_true")
    parser.add_argument("--metrics", required=True)
    parser.add_argument("command", choices=["run", "ready"])
    given = parser.parse_args()
    if given.command == "ready":
        connection = http.client.HTTPConnection(given.metrics, timeout=2)
        connection.request("GET", "/ready")
        return int(connection.getresponse().status != 200)
    if not Path(os.environ["TUNNEL_TOKEN_FILE"]).read_text().strip():
        return 1
    asyncio.run(run(given.metrics))
    return 0


if __name__ == "__main__":
    sys.exit(main())
