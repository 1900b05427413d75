"""The service without a network: its doors in front of a runner, called in memory."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import httpx
from fastapi import FastAPI

from app.config import Settings, load_settings
from app.main import create_app
from app.services.runner import Runner
from app.services.runner.mock_client import MockRunner
from app.services.store.base import Store
from app.services.store.mock_client import MockStore

SECRET = "a-secret-of-the-webhook"
ACCESS_CODE = "a-code-of-the-organisation"
LIMIT_S = 20.0

Json = dict[str, Any]
Message = MutableMapping[str, Any]


def settings_of(**given: Any) -> Settings:
    """Open doors, whatever the machine's environment says; `given` wins."""
    facts: Json = {"node_env": "development", "webhook_secret": None, "admin_access_code": None}
    return load_settings(_env_file=None, **{**facts, "webhook_rate_limit": "100000/second", **given})


class Service(httpx.AsyncClient):
    """A client of the service, and what is behind its doors."""

    def __init__(self, app: FastAPI, runner: Runner, store: Store) -> None:
        super().__init__(transport=httpx.ASGITransport(app), base_url="http://service")
        self.app = app
        self.runner = runner
        self.store = store

    async def deliver(self, body: Any, **headers: str) -> httpx.Response:
        """Deliver a webhook; what is not bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.post("/webhook/jira", content=raw, headers={"content-type": "application/json", **named})


@asynccontextmanager
async def serving(store: Store | None = None, runner: Runner | None = None, **settings: Any) -> AsyncIterator[Service]:
    """The service as long as the block lasts; without a runner over the store, with one that works on nothing."""
    store = store or MockStore()
    runner = runner or MockRunner(store=store)
    app = create_app(settings_of(**settings), runner)
    with _logs_as_before():
        async with app.router.lifespan_context(app), Service(app, runner, store) as service:
            yield service


@contextmanager
def _logs_as_before() -> Iterator[None]:
    """A service takes all logs for itself; pytest wants them back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


class Stream:
    """A connection to a live stream that can be dropped, which httpx cannot do in memory."""

    def __init__(self, app: FastAPI, path: str, headers: dict[str, str]) -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"accept", b"text/event-stream"))
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": raw,
            "client": ("127.0.0.1", 1), "server": ("service", 80), "state": {},
        }  # fmt: skip
        self._app = app
        self._gone = asyncio.Event()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._asked = False

    async def events(self) -> AsyncIterator[dict[str, str]]:
        """What comes, field by field, until the stream ends."""
        text = ""
        while True:
            async with asyncio.timeout(LIMIT_S):
                message = await self._sent.get()
            if message["type"] == "http.response.start":
                assert message["status"] == 200
                continue
            text += message.get("body", b"").decode().replace("\r\n", "\n")
            *whole, text = text.split("\n\n")
            for block in whole:
                yield dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if not message.get("more_body"):
                return

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._app(self._scope, self._receive, self._sent.put))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        async with asyncio.timeout(LIMIT_S):
            await self._task

    async def _receive(self) -> Json:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}
