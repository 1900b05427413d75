"""`auto-code check`: tries each setting, credential and tool for real, and says how to mend what fails."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence

from rich.console import Console

from app import logger
from app.cli.findings import Finding, Mark, findings_of, tool_trials, trials
from app.cli.foreground import LOG_LEVEL
from app.cli.terminal import Lines, make_console, one_line
from app.config import load_settings
from app.errors import ConfigurationError

_ALL_WELL, _SOMETHING_FAILED = 0, 1
_MARKS = {Mark.OK: ("✓", "green"), Mark.FAILED: ("✗", "red"), Mark.ABSENT: ("–", "dim")}
_NAME_WIDTH = 12


def check(*, ask_model: bool, as_json: bool) -> int:
    """Say what was found; 0 unless something that is needed, or that is set, does not work."""
    logger.configure(LOG_LEVEL, stream=sys.stderr)
    findings = asyncio.run(_check(make_console(), ask_model=ask_model, quiet=as_json))
    well = all(finding.mark is not Mark.FAILED for finding in findings)
    if as_json:
        told = [{"name": each.name, "status": each.mark, "found": each.found} for each in findings]
        sys.stdout.write(json.dumps({"ok": well, "checks": told}, indent=2, ensure_ascii=False) + "\n")
    return _ALL_WELL if well else _SOMETHING_FAILED


async def _check(console: Console, *, ask_model: bool, quiet: bool) -> Sequence[Finding]:
    findings = []
    async for finding in _findings(ask_model=ask_model):
        findings.append(finding)
        if not quiet:
            _show(Lines(console), finding)
    return findings


async def _findings(*, ask_model: bool) -> AsyncIterator[Finding]:
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield Finding("settings", Mark.FAILED, error.message)
        planned = tool_trials(offline=False)
    else:
        yield Finding("settings", Mark.OK, "every variable is understood")
        planned = trials(settings, ask_model=ask_model)
    async for finding in findings_of(planned):
        yield finding


def _show(lines: Lines, finding: Finding) -> None:
    mark, style = _MARKS[finding.mark]
    name = f" {finding.name:<{_NAME_WIDTH}}"
    lines.line((mark, style), (name, "bold"), (one_line(finding.found), "dim" if finding.mark is Mark.ABSENT else ""))
