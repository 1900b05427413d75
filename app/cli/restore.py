"""`auto-code restore`: what was saved when worktrees were removed, and the way back for it."""

import asyncio
import sys
from collections.abc import Sequence

from app import logger
from app.cli.doctor import require_state
from app.cli.foreground import LOG_LEVEL
from app.cli.terminal import Lines, make_console, one_line
from app.config import Settings, load_settings
from app.database import Database
from app.domain.naming import branch_of, is_ticket_key, key_of_branch
from app.domain.redaction import Redactor
from app.domain.run_state import ACTIVE
from app.errors import Conflict, InvalidInput, NotFound
from app.models import Conversation
from app.results import Saved, Workspace
from app.services.github import Repositories, make_repositories
from app.services.store import Store, make_store


def restore(key: str | None, *, only_list: bool) -> None:
    """List what is saved, of a ticket or of all; or bring back the newest of a ticket, in each of its repositories.

    Raises InvalidInput for what is no key, NotFound where nothing is saved, Conflict while a run of the ticket is
    active.
    """
    if key is not None and not is_ticket_key(key := key.strip().upper()):
        raise InvalidInput("KEY", "must be a ticket's key, like PROJ-1")
    settings = load_settings()
    require_state(settings)
    logger.configure(LOG_LEVEL, stream=sys.stderr, redact=Redactor(settings.secrets).redact)
    asyncio.run(_restore(settings, key, only_list=only_list))


async def _restore(settings: Settings, key: str | None, *, only_list: bool) -> None:
    lines, repositories = Lines(make_console()), make_repositories(settings)
    await repositories.start()
    saved = await _saved(repositories, key)
    if key is None or only_list:
        for each in saved:
            _show(lines, each)
        if not saved:
            lines.line("Nothing is saved.")
        return
    store = make_store(Database.of(settings), secrets=settings.secrets)
    try:
        await store.start()
        for newest in _newest(key, saved):
            workspace = await _brought_back(key, newest, repositories, store)
            lines.line((f"{key}: ", "bold"), f"back in {workspace.directory}: {newest.what} of {newest.repository}.")
    finally:
        await store.stop()
    lines.line("The conversation's next run goes on from there.")


async def _saved(repositories: Repositories, key: str | None) -> Sequence[Saved]:
    """Of the ticket, or of all, newest first."""
    found = [each for name in repositories.names for each in await repositories.of(name).saved()]
    wanted = [each for each in found if key is None or each.branch == branch_of(key)]
    return sorted(wanted, key=lambda each: each.at, reverse=True)


def _newest(key: str, saved: Sequence[Saved]) -> Sequence[Saved]:
    """One of each repository. Raises NotFound where there is none."""
    if not saved:
        raise NotFound(f"Nothing is saved of {key}. `auto-code restore` lists what is.")
    return list({each.repository: each for each in reversed(saved)}.values())


async def _brought_back(key: str, saved: Saved, repositories: Repositories, store: Store) -> Workspace:
    conversation, github = await _idle(key, store), repositories.of(saved.repository)
    chosen = {each.name: each.base for each in conversation.request.repositories}
    last = await store.checkpoint(key, saved.repository) if store.shared else None
    workspace = await github.restore(saved.branch, base=chosen.get(saved.repository), name=saved.name, saved=last)
    # Where other machines may go on with it, they take the newest of these.
    if store.shared and (checkpoint := await github.checkpoint(workspace)) is not None:
        await store.keep_checkpoint(conversation.run.id, checkpoint)
    return workspace


async def _idle(key: str, store: Store) -> Conversation:
    conversation = await store.conversation(key)
    if conversation.run.status in ACTIVE:
        raise Conflict(f"{key} has an active run ({conversation.run.status}). Stop it, or wait for its end.")
    return conversation


def _show(lines: Lines, saved: Saved) -> None:
    key = key_of_branch(saved.branch) or saved.branch
    when = f"{saved.at.astimezone():%Y-%m-%d %H:%M}"
    size = f"{saved.size / 1000:,.0f} kB"
    lines.line((f"{key:<14}", "bold"), f" {saved.repository}  {when}  {one_line(saved.what)}, {size}")
    lines.line((str(saved.place), "dim"), indent=1)
