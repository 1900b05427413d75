"""`auto-code` or `auto-code serve`: the HTTP service and its worker, in one process."""

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from app import logger
from app.config import Settings, get_settings
from app.domain.redaction import Redactor
from app.errors import ConfigurationError
from app.main import create_app
from app.services.runner import Runner

_GRACE_S = 20
"""Seconds that open connections get after SIGTERM before they are cut."""

_GRACE_BESIDE_S = 2
_LOOPBACK = "127.0.0.1"


def serve() -> None:
    """Serve webhooks and the API, and work on tickets, until a signal comes. Raises ConfigurationError."""
    settings = get_settings()
    settings.require_production_ready()
    for name in settings.secrets:  # the Agent SDK hands this process's whole environment on
        os.environ.pop(name, None)
    logger.configure(settings.log_level, redact=Redactor(settings.secrets).redact)
    # 0.0.0.0: in a container the tunnel comes from another one; no port of it is published.
    host = "0.0.0.0" if settings.production else _LOOPBACK  # noqa: S104
    app = create_app(settings)
    # What is loaded by now stays: to look through it again and again would take milliseconds out of answers.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host=host,
        port=settings.claude_code_api_port,
        log_config=None,
        timeout_graceful_shutdown=_GRACE_S,
        proxy_headers=False,  # whoever calls from this machine could name any address
    )


@contextlib.asynccontextmanager
async def serving(settings: Settings, runner: Runner) -> AsyncIterator[None]:
    """The service and its runner at work on loopback, beside other work of this process, which keeps its signals.

    Raises ConfigurationError when the port is taken.
    """
    config = uvicorn.Config(create_app(settings, runner), log_config=None, timeout_graceful_shutdown=_GRACE_BESIDE_S)
    server = _QuietServer(config)
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


class _QuietServer(uvicorn.Server):
    """uvicorn without its handlers of signals, which would take the service away under the work beside it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((_LOOPBACK, port))
    except OSError as error:
        message = f"Port {port} cannot be used: {error.strerror}. Set CLAUDE_CODE_API_PORT to a free one."
        raise ConfigurationError(message) from error
