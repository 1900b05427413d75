"""`auto-code` or `auto-code serve`: the HTTP service and its worker, in one process.

uvicorn would close its doors at the first signal. They stay open here until the worker has drained: what is delivered
meanwhile is stored, and health says that the process is about to end.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from fastapi import FastAPI

from app.cli.life import Told, begin, drained, signals
from app.config import Settings
from app.errors import ConfigurationError
from app.main import create_app
from app.services.runner import Runner

_GRACE_S = 5
"""Seconds that open connections get, when all is drained, before they are cut."""

_GRACE_BESIDE_S = 2
_LOOPBACK = "127.0.0.1"


def serve() -> None:
    """Serve webhooks and the API, and work on tickets, until a signal comes. Raises ConfigurationError."""
    settings = begin()
    # 0.0.0.0: in a container the tunnel comes from another one; no port of it is published.
    host = "0.0.0.0" if settings.production else _LOOPBACK  # noqa: S104
    app = create_app(settings)
    # What is loaded by now stays: to look through it again and again would take milliseconds out of answers.
    gc.collect()
    gc.freeze()
    serve_app(app, host=host, port=settings.claude_code_api_port, drain_s=settings.drain_seconds)


def serve_app(app: FastAPI, *, host: str, port: int, drain_s: float) -> None:
    """Serve it until a signal comes and its runner has drained; `drain_s` is about how long that takes."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        timeout_graceful_shutdown=_GRACE_S,
        proxy_headers=False,  # whoever calls from this machine could name any address
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(app, _DeafServer(config), drain_s))


async def _serve(app: FastAPI, server: uvicorn.Server, drain_s: float) -> None:
    with signals() as told:
        ending = asyncio.create_task(_end(app, server, told, drain_s))
        try:
            await server.serve()
        finally:
            ending.cancel()


async def _end(app: FastAPI, server: uvicorn.Server, told: Told, drain_s: float) -> None:
    await told.end.wait()
    if server.started:
        await drained(app.state.runner, told, within_s=drain_s)
    server.handle_exit(signal.SIGTERM, None)  # open streams end by this, and not by `should_exit` alone


@contextlib.asynccontextmanager
async def serving(settings: Settings, runner: Runner) -> AsyncIterator[None]:
    """The service and its runner at work on loopback, beside other work of this process, which keeps its signals.

    Raises ConfigurationError when the port is taken.
    """
    config = uvicorn.Config(create_app(settings, runner), log_config=None, timeout_graceful_shutdown=_GRACE_BESIDE_S)
    server = _DeafServer(config)
    with _listening(settings.claude_code_api_port) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if task.done():
                    await task
                    raise ConfigurationError("The service did not start; its log on standard error says why.")
                await asyncio.sleep(0.01)
            yield
        finally:
            server.should_exit = True
            await task


class _DeafServer(uvicorn.Server):
    """uvicorn without its handlers of signals, which others have."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((_LOOPBACK, port))
    except OSError as error:
        message = f"Port {port} cannot be used: {error.strerror}. Set CLAUDE_CODE_API_PORT to a free one."
        raise ConfigurationError(message) from error
