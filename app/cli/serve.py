"""`auto-code` or `auto-code serve`: the HTTP service and its worker, in one process."""

import typer
import uvicorn

from app import logger
from app.config import get_settings
from app.errors import ConfigurationError
from app.main import create_app

_GRACE_S = 20
"""Seconds that open connections get after SIGTERM before they are cut."""


def serve() -> None:
    """Serve webhooks and the API, and work on tickets."""
    try:
        settings = get_settings()
        settings.require_production_ready()
    except ConfigurationError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(2) from error
    logger.configure(settings.log_level)
    # 0.0.0.0: in a container the tunnel comes from another one; no port of it is published.
    host = "0.0.0.0" if settings.production else "127.0.0.1"  # noqa: S104
    uvicorn.run(
        create_app(settings),
        host=host,
        port=settings.claude_code_api_port,
        log_config=None,
        timeout_graceful_shutdown=_GRACE_S,
    )
