"""The yardstick of a page: the same page as a file, with the same style sheets and scripts.

`python -m tests.bench.still FD FILE` serves it on a listening socket that it inherits, at every address.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route

from app.web.assets import Assets


@contextmanager
def serving(page: bytes, file: Path) -> Iterator[str]:
    """The page, kept in the file, in a process of its own; its URL. Nothing in it is live."""
    file.write_bytes(page.replace(b" data-live=", b" data-still="))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        argv = [sys.executable, "-m", "tests.bench.still", str(descriptor), str(file)]
        with subprocess.Popen(argv, pass_fds=[descriptor]) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.kill()


def main(descriptor: str, file: str) -> None:
    """See the module."""

    async def page(_: Request) -> FileResponse:
        return FileResponse(file, media_type="text/html")

    compressed = Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5)
    routes = [Mount(Assets.path, Assets()), Route("/{path:path}", page)]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes, middleware=[compressed]), log_config=None))
    server.run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
