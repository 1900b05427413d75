"""`auto-code run`: one ticket worked on now, in the foreground, with the operator's settings."""

import asyncio
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app import logger
from app.cli.foreground import LOG_LEVEL, interruptions, started, work_on
from app.cli.progress import Progress
from app.cli.result import show_ended
from app.cli.terminal import Lines, make_console
from app.config import Settings, load_settings
from app.domain.naming import LONGEST_KEY, branch_of, is_ticket_key
from app.domain.redaction import Redactor
from app.errors import ConfigurationError, InvalidInput
from app.models import Run, RunStatus, Ticket
from app.services.runner import Runner, make_runner

_DONE, _FAILED, _INTERRUPTED = 0, 1, 130
_LOCK_WAIT_S = 2.0
"""A person waits less patiently for another process to end than a service does."""


def ticket_of(key: str, *, title: str, description: str | None, description_file: Path | None) -> Ticket:
    """The ticket that the command line describes. Raises InvalidInput naming the argument at fault."""
    if not is_ticket_key(key):
        raise InvalidInput("KEY", f"{key[:LONGEST_KEY]!r} is no ticket key; it must be like PROJ-1")
    if not title.strip():
        raise InvalidInput("--title", "must not be empty")
    if description is not None and description_file is not None:
        raise InvalidInput("--description", "give this or --description-file, not both")
    text = description or ""
    if description_file is not None:
        text = _read(description_file)
    return Ticket(key=key, summary=_storable(title).strip(), description=_storable(text).strip())


def run(ticket: Ticket, *, repo: str | None, options: Mapping[str, bool]) -> int:
    """Work on the ticket: 0 for a pull request or nothing to do, 1 for a failed run, 130 when it was interrupted.

    `options` take the place of the settings' for the pipeline. Raises ConfigurationError.
    """
    settings = load_settings(**_chosen(repo, options))
    settings.require_production_ready()
    if settings.claude_credential is None and not settings.offline:
        raise ConfigurationError(f"Claude has no credential: set {settings.claude_credential_wanted}.")
    logger.configure(LOG_LEVEL, stream=sys.stderr, redact=Redactor(settings.secrets).redact)
    return asyncio.run(_run(ticket, settings))


async def _run(ticket: Ticket, settings: Settings) -> int:
    lines = Lines(make_console())
    worktree = settings.workspace_dir.absolute() / "worktrees" / branch_of(ticket.key)
    runner = make_runner(settings, lock_wait_s=_LOCK_WAIT_S)
    lines.line((f"{ticket.key}: ", "bold"), (" ".join(ticket.summary.split()), "bold"))
    with interruptions() as interrupted:
        async with started(runner):
            _require_repository(runner, settings)
            progress = Progress(lines.console, worktree=worktree)
            ended = await work_on(ticket, runner=runner, progress=progress, interrupted=interrupted)
    show_ended(lines, ended)
    if interrupted.is_set() or ended.status is RunStatus.FAILED:
        _show_how_to_go_on(lines, worktree)
    return _INTERRUPTED if interrupted.is_set() else _status(ended)


def _require_repository(runner: Runner, settings: Settings) -> None:
    if not runner.repositories():
        where = settings.repo_dir.absolute()
        raise ConfigurationError(
            f"REPO_DIR {where} is no git repository with a remote called origin. Name one with --repo, or set REPO_URL."
        )


def _chosen(repo: str | None, options: Mapping[str, bool]) -> dict[str, Any]:
    """Settings that the command line names."""
    named = {"dry_run" if name == "dry_run" else f"pipeline_{name}": value for name, value in options.items()}
    if repo is None:
        return named
    directory = Path(repo).expanduser()
    if (directory / ".git").exists():  # a person's own repository, whose origin is worked with
        return {**named, "repo_url": None, "repo_dir": directory}
    return {**named, "repo_url": repo}


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InvalidInput("--description-file", f"{file} cannot be read: {error.strerror}") from error
    return content.decode(errors="replace")


def _storable(text: str) -> str:
    """Without what no database takes: bytes of the command line that were no text, and null characters."""
    return text.encode(errors="replace").decode().replace("\0", "")


def _status(ended: Run) -> int:
    return _FAILED if ended.status is RunStatus.FAILED else _DONE


def _show_how_to_go_on(lines: Lines, worktree: Path) -> None:
    kept = f"The work so far is kept in {worktree}. " if worktree.is_dir() else ""
    lines.line(f"{kept}To go on, run the same command again:")
    lines.line((shlex.join(["auto-code", *sys.argv[1:]]), "bold"), indent=1)
