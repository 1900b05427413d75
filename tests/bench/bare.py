"""The yardstick of the webhook: a FastAPI route that checks the same body and keeps nothing.

`python -m tests.bench.bare FD` serves it on a listening socket that it inherits, as the service is served.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from app.api.security import check_webhook
from app.config import Settings, load_settings
from app.domain.jira_payload import JiraPayload
from tests.flows.service import WEBHOOK_SECRET


def create_app(settings: Settings) -> FastAPI:
    """An app with that one route."""
    app = FastAPI()

    @app.post("/webhook/jira", status_code=202, response_model=None)
    async def jira(request: Request) -> Response:
        body = await request.body()
        check_webhook(settings, token=None, signature=request.headers.get("x-hub-signature"), body=body)
        ticket = JiraPayload.model_validate_json(body).ticket()
        return JSONResponse({"status": "accepted", "ticket": ticket.key}, status_code=202)

    return app


@contextmanager
def serving() -> Iterator[str]:
    """The route in a process of its own, for as long as the `with` lasts; its URL. Early requests wait for its start."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        argv = [sys.executable, "-m", "tests.bench.bare", str(descriptor)]
        with subprocess.Popen(argv, pass_fds=[descriptor]) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.kill()


def main(descriptor: int) -> None:
    """See the module."""
    bare = create_app(load_settings(webhook_secret=WEBHOOK_SECRET))
    server = uvicorn.Server(uvicorn.Config(bare, log_config=None))
    server.run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
