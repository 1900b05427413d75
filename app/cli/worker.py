"""`auto-code worker`: a worker alone, beside any number of others and of services on one Postgres."""

import asyncio

from app.cli.foreground import started
from app.cli.life import begin, drained, signals
from app.config import Settings
from app.database import get_database
from app.errors import ConfigurationError
from app.services.runner import Runner, get_runner
from app.services.runner.gauges import metrics_in_file


def worker() -> None:
    """Work on tickets until a signal comes. Raises ConfigurationError."""
    settings = begin()
    if get_database().embedded:
        raise ConfigurationError(
            "A worker shares its database with other processes, which a SQLite file does not allow. Set DATABASE_URL "
            "to a Postgres database that they all use, or run `auto-code serve` alone."
        )
    if settings.claude_credential is None and not settings.offline:
        raise ConfigurationError(f"Claude has no credential: set {settings.claude_credential_wanted}.")
    asyncio.run(_work(get_runner(), settings))


async def _work(runner: Runner, settings: Settings) -> None:
    with signals() as told:
        async with started(runner), metrics_in_file(runner, workspace=settings.workspace_dir):
            await drained(runner, told, within_s=settings.drain_seconds)
