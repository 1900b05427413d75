"""A service to look at: the real app and a real database, on a loopback port of this process, with nobody at work.

What its pages show is seeded, and what happens is written into `store`, as a worker would. For journeys in which work
is done there is the office.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.database import Database, sqlite_url
from app.main import create_app
from app.models import PipelineOptions
from app.sample import TICKET
from app.services.github.mock_client import MockGitHub, MockRepositories
from app.services.runner.mock_client import MockRunner
from app.services.store.base import Store
from app.services.store.client import DatabaseStore
from app.services.store.mock_client import MockStore
from app.services.tracker.base import Tracker
from app.services.tracker.null_client import NoTracker
from tests.journeys.stories import REPOSITORIES
from tests.routes.service import logs_as_before, settings_of

_STAGES = {"pipeline_review": True, "pipeline_lint": True, "pipeline_tests": True}


@dataclass(frozen=True)
class Showroom:
    """`url` has no slash at the end; the database is in `workspace`."""

    url: str
    port: int
    workspace: Path
    store: Store


@asynccontextmanager
async def showroom(workspace: Path, *, tracker: Tracker | None = None, **settings: Any) -> AsyncIterator[Showroom]:
    """The service as long as the block lasts, with the stories' repositories."""
    workspace.mkdir(parents=True, exist_ok=True)
    store = DatabaseStore(database=Database(url=sqlite_url(workspace / "auto-code.db")))
    known = MockRepositories(*_repositories(workspace))
    options = PipelineOptions(review=True, lint=True, tests=True)
    runner = MockRunner(store=store, tracker=tracker or NoTracker(), repositories=known, options=options)
    async with _serving(create_app(settings_of(workspace_dir=workspace, **_STAGES, **settings), runner)) as port:
        yield Showroom(f"http://127.0.0.1:{port}", port, workspace, store)


@asynccontextmanager
async def bare_showroom() -> AsyncIterator[str]:
    """The address of a service with nothing configured, which offers its sample."""
    runner = MockRunner(store=MockStore(), tracker=NoTracker(), repositories=MockRepositories())
    app = create_app(settings_of(), runner)
    app.state.demo_ticket = TICKET
    async with _serving(app) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def _serving(app: FastAPI) -> AsyncIterator[int]:
    """Serve the app on a free port, as long as the block lasts."""
    server = _QuietServer(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    with logs_as_before(), socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                assert not task.done(), "The service did not start; see what it logged."
                await asyncio.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


class _QuietServer(uvicorn.Server):
    """uvicorn without its handlers of signals, which are pytest's here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _repositories(directory: Path) -> Sequence[MockGitHub]:
    return [MockGitHub(directory, {"README.md": ""}, name=each.name, base=each.base) for each in REPOSITORIES]
