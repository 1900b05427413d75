"""The yardsticks of the webhook: a FastAPI route that checks the same body and keeps nothing, or one row.

`python -m tests.bench.bare FD [FILE]` serves it on a listening socket that it inherits, as the service is served.
"""

import asyncio
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from app.api.proofs import Secret
from app.api.security import check_webhook
from app.config import Settings, load_settings
from app.domain.jira_payload import JiraPayload
from tests.flows.service import WEBHOOK_SECRET


class _Rows:
    """One row a body in a SQLite file, on disk (as the service's own transactions are) before `keep` returns."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE bodies (body BLOB)"
        )
        self._writer = ThreadPoolExecutor(1)

    async def keep(self, body: bytes) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, self._insert, body)

    def _insert(self, body: bytes) -> None:
        with self._connection:
            self._connection.execute("INSERT INTO bodies VALUES (?)", (body,))


def create_app(settings: Settings, file: Path | None = None) -> FastAPI:
    """An app with that one route. With a file it keeps what it takes there."""
    app = FastAPI()
    secret = Secret(settings.webhook_secret.get_secret_value()) if settings.webhook_secret else None
    rows = _Rows(file) if file else None

    @app.post("/webhook/jira", status_code=202, response_model=None)
    async def jira(request: Request) -> Response:
        body = await request.body()
        check_webhook(request, secret, body)
        ticket = JiraPayload.model_validate_json(body).ticket()
        if rows:
            await rows.keep(body)
        return JSONResponse({"status": "accepted", "ticket": ticket.key}, status_code=202)

    return app


@contextmanager
def serving(file: Path | None = None) -> Iterator[str]:
    """The route in a process of its own, for as long as the `with` lasts; its URL. Early requests wait for its
    start."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        argv = [sys.executable, "-m", "tests.bench.bare", str(descriptor), *([str(file)] if file else [])]
        with subprocess.Popen(argv, pass_fds=[descriptor]) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.kill()


def main(descriptor: str, file: str | None = None) -> None:
    """See the module."""
    bare = create_app(load_settings(webhook_secret=WEBHOOK_SECRET), Path(file) if file else None)
    server = uvicorn.Server(uvicorn.Config(bare, log_config=None))
    server.run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
