"""The service without a network: its doors in front of a runner, called in memory."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from fastapi import FastAPI

from app.config import Settings, load_settings
from app.domain.eligibility import Starters
from app.main import create_app
from app.models import RunFilter
from app.services.github.mock_client import MockGitHub, MockRepositories
from app.services.runner import Runner
from app.services.runner.mock_client import MockRunner
from app.services.store.base import Store
from app.services.store.mock_client import MockStore
from app.services.tracker.base import Tracker
from app.services.tracker.null_client import NoTracker

SECRET = "a-secret-of-the-webhook"
ACCESS_CODE = "a-code-of-the-organisation"
LIMIT_S = 20.0

WIDGETS, GADGETS = "acme/widgets", "acme/gadgets"
"""The repositories of the service, the default first."""

Json = dict[str, Any]
Fields = Mapping[str, str | Sequence[str]]
Message = MutableMapping[str, Any]


def settings_of(**given: Any) -> Settings:
    """Open doors, whatever the machine's environment says; `given` wins."""
    facts: Json = {
        "node_env": "development",
        "webhook_secret": None,
        "admin_access_code": None,
        "cf_access_team_domain": None,
        "cf_access_aud": None,
    }
    return load_settings(_env_file=None, **{**facts, "webhook_rate_limit": "100000/second", **given})


class Service(httpx.AsyncClient):
    """A client of the service, and what is behind its doors."""

    def __init__(self, app: FastAPI, runner: Runner, store: Store) -> None:
        super().__init__(transport=httpx.ASGITransport(app), base_url="http://service")
        self.app = app
        self.runner = runner
        self.store = store

    async def look(self, path: str, /, **query: str) -> httpx.Response:
        """Open an address, as a person does; a redirect is not followed."""
        return await self.get(path, params=query or None, headers={"accept": "text/html"})

    async def submit(self, path: str, fields: Fields | None = None, **headers: str) -> httpx.Response:
        """Send a form of a page without scripts."""
        own = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        return await self.post(path, data=dict(fields or {}), headers=own | _named(headers))

    async def press(self, path: str, fields: Fields | None = None, **headers: str) -> httpx.Response:
        """Send a form of a page by htmx."""
        return await self.submit(path, fields, hx_request="true", **headers)

    async def deliver(self, body: Any, **headers: str) -> httpx.Response:
        """Deliver a webhook; what is not bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        own = {"content-type": "application/json"}
        return await self.post("/webhook/jira", content=raw, headers=own | _named(headers))


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@asynccontextmanager
async def serving(
    store: Store | None = None,
    runner: Runner | None = None,
    *,
    tracker: Tracker | None = None,
    repositories: Sequence[str] = (WIDGETS, GADGETS),
    **settings: Any,
) -> AsyncIterator[Service]:
    """The service as long as the block lasts; without a runner over the store, with one that works on nothing."""
    store = store or MockStore()
    known = MockRepositories(*(MockGitHub(Path("/nowhere"), {}, name=name) for name in repositories))
    given = settings_of(**settings)
    starters = Starters.of(given.trigger_allowed_users)
    runner = runner or MockRunner(store=store, tracker=tracker or NoTracker(), repositories=known, starters=starters)
    app = create_app(given, runner)
    with logs_as_before():
        async with app.router.lifespan_context(app), Service(app, runner, store) as service:
            yield service


@contextmanager
def logs_as_before() -> Iterator[None]:
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
        path, _, query = path.partition("?")
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": raw,
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
                yield _event(block)
            if not message.get("more_body"):
                return

    async def until(self, when: Callable[[dict[str, str]], bool]) -> list[dict[str, str]]:
        """What comes up to the first event that is so, and that one."""
        seen: list[dict[str, str]] = []
        async for event in self.events():
            seen.append(event)
            if when(event):
                return seen
        raise AssertionError(f"It ended before that: {seen[-3:]}")

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


def _event(block: str) -> dict[str, str]:
    """Its fields; lines of data are lines again."""
    event: dict[str, str] = {}
    for line in block.split("\n"):
        name, colon, value = line.partition(": ")
        if colon:
            event[name] = f"{event[name]}\n{value}" if name in event else value
    return event


async def taken(service: Service) -> list[str]:
    """Keys of the tickets that were taken, newest first."""
    return [run.ticket for run in (await service.store.runs(RunFilter())).runs]


def small_body(key: Any = "PROJ-1", **fields: Any) -> dict[str, Any]:
    """The least that the door for Jira takes."""
    return {"issue": {"key": key, "fields": {"summary": "Add dark mode", **fields}}}
