"""`auto-code doctor`: finds what a crash left, and mends it with `--mend`. Beside a running service, or without one."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app import logger
from app.cli.foreground import LOG_LEVEL
from app.cli.terminal import Lines, make_console, one_line
from app.config import Settings, load_settings
from app.database import Database
from app.domain.redaction import Redactor
from app.errors import ConfigurationError
from app.sandbox import Sandbox
from app.services.claude_code import make_claude_code
from app.services.engine import make_engine
from app.services.gateway import Forgetful, make_gateway
from app.services.github import make_repositories
from app.services.runner.doctor import Doctor, Examination
from app.services.runner.estate import Estate
from app.services.runner.premises import Premises
from app.services.store import make_store

_WELL, _NEEDS_A_PERSON = 0, 1


def doctor(*, mend: bool, as_json: bool) -> int:
    """Say what was found; 0 when nothing of it is left to do. Raises ConfigurationError where nothing was ever done."""
    settings = load_settings()
    logger.configure(LOG_LEVEL, stream=sys.stderr, redact=Redactor(settings.secrets).redact)
    examination = asyncio.run(_examined(settings, mend=mend))
    if as_json:
        told = {"ok": examination.well, **examination.model_dump(mode="json")}
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        _show(Lines(make_console()), examination)
    return _WELL if examination.well else _NEEDS_A_PERSON


async def _examined(settings: Settings, *, mend: bool) -> Examination:
    require_state(settings)
    premises = Premises(workspace=settings.workspace_dir)
    beside = not premises.take_alone()
    try:
        async with _estate(settings) as estate:
            return await Doctor(estate).examine(mend=mend, beside=beside)
    finally:
        premises.leave()


def require_state(settings: Settings) -> None:
    """Raise ConfigurationError where no service has ever worked, instead of making a database there."""
    workspace = settings.workspace_dir.absolute()
    if not (workspace / ("auto-code.db" if settings.database_url is None else "")).exists():
        raise ConfigurationError(f"Nothing was ever done in WORKSPACE_DIR {workspace}. Set it as the service has it.")


@asynccontextmanager
async def _estate(settings: Settings) -> AsyncIterator[Estate]:
    database, sandbox = Database.of(settings), Sandbox.of(settings)
    store, repositories = make_store(database, secrets=settings.secrets), make_repositories(settings)
    gateway = make_gateway(settings, ledger=Forgetful())
    try:
        await store.start()
        await repositories.start()
        yield Estate.of(
            settings,
            store=store,
            engine=make_engine(settings, database),
            repositories=repositories,
            claude_code=make_claude_code(settings, gateway=gateway, sandbox=sandbox),
            sandbox=sandbox,
        )
    finally:
        await store.stop()


def _show(lines: Lines, examination: Examination) -> None:
    for finding in examination.findings:
        mark = ("✓", "green") if finding.mended else ("✗", "red")
        lines.line(mark, f" {one_line(finding.what)}", (" Mended." if finding.mended else "", "green"))
        if finding.remedy:
            lines.line(one_line(finding.remedy), indent=1)
    for skipped in examination.skipped:
        lines.line(("–", "dim"), (f" {skipped}", "dim"))
    if not examination.findings:
        lines.line(("✓", "green"), " Nothing is left over.")
