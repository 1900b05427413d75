"""What a pull request says: the ticket, the author's own words, and what each gate found."""

import re
from collections.abc import Sequence

from app.domain.posting import Redact, safe_line, safe_markdown
from app.models import Run, StageStatus, Ticket
from app.results import GateReport

_MOST_SUMMARY_CHARS = 30_000  # with all the rest below the 65,536 that GitHub takes
_MOST_FOUND = 10
_MOST_FOUND_CHARS = 2_000
_MOST_LINE_CHARS = 120
_MARKS = {
    StageStatus.PASSED: "✅ passed",
    StageStatus.WARNED: "⚠️ unclear",
    StageStatus.FAILED: "❌ fails",
    StageStatus.SKIPPED: "➖ nothing to run",
    StageStatus.RUNNING: "… running",
}
_ADDRESS = re.compile(r"https?://[^\s()<>\[\]\"'`]+")
_MOST_PATHS = 10


def needs_draft(gates: Sequence[GateReport]) -> bool:
    """Whether a pull request with these gates must be a draft: one of them is not what it should be."""
    return any(gate.status in {StageStatus.FAILED, StageStatus.WARNED} for gate in gates)


def pull_request_body(
    ticket: Ticket,
    run: Run,
    *,
    summary: str,
    gates: Sequence[GateReport],
    related: Sequence[str] = (),
    protected: Sequence[str] = (),
    redact: Redact,
) -> str:
    """Markdown for the pull request. Text of the ticket's, the repository's and the model's making acts on nothing.

    `related` are the pull requests of the same change in other repositories; `protected` are paths of the change that
    need a person.
    """
    parts = [f"{_link(ticket)}: {safe_line(ticket.summary, redact=redact)}"]
    if related:
        parts.append("Part of one change, together with " + ", ".join(related))
    if needs_draft(gates):
        parts.append("> **Draft**, because not every gate passed. See below.")
    if protected:
        parts.append(_warning(protected, redact))
    if said := safe_markdown(summary, redact=redact, most=_MOST_SUMMARY_CHARS):
        parts.append(f"## What changed\n\n{said}")
    parts.append(_table(gates, run, redact))
    long = [gate for gate in gates if "\n" in gate.found.strip() or len(gate.found) > _MOST_LINE_CHARS]
    parts += [_found(gate, redact) for gate in long[:_MOST_FOUND]]
    parts.append(f"<sub>auto-code · run `{run.id}`</sub>")
    return "\n\n".join(parts)


def duration(seconds: float) -> str:
    """Seconds as people read them: `42s`, `14m 08s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def _link(ticket: Ticket) -> str:
    is_address = ticket.url is not None and _ADDRESS.fullmatch(ticket.url)
    return f"[{ticket.key}]({ticket.url})" if is_address else f"**{ticket.key}**"


def _warning(protected: Sequence[str], redact: Redact) -> str:
    lines = [f"> - `{safe_line(path, redact=redact).replace('`', chr(39))}`" for path in protected[:_MOST_PATHS]]
    if (more := len(protected) - _MOST_PATHS) > 0:
        lines.append(f"> - and {more} more")
    said = (
        "> **Protected paths**: this change touches files that run with more rights than it should have, or decide who "
        "looks at it. Look at them yourself before anything is run or merged:"
    )
    return "\n".join(["> [!WARNING]", said, *lines])


def _table(gates: Sequence[GateReport], run: Run, redact: Redact) -> str:
    rows = ["## Gates", "", "| gate | result | found | fixed | time | turns | cost |", "|---|---|---|---|---|---|---|"]
    rows += [
        f"| {gate.gate} | {_MARKS[gate.status]} | {_cell(gate.found, redact)} "
        f"| {f'{gate.rounds}×' if gate.rounds else '–'} | {duration(gate.duration_s)} | {gate.turns or '–'} "
        f"| {_dollars(gate.cost_usd)} |"
        for gate in gates
    ]
    tokens = run.tokens
    total = tokens.input + tokens.cache_read + tokens.cache_write
    cached = f", {round(100 * tokens.cache_read / total)} % of input from cache" if tokens.cache_read else ""
    rows += ["", f"Whole run so far: {_dollars(run.cost_usd)}, {tokens.output:,} output tokens{cached}."]
    return "\n".join(rows if gates else ["## Cost", "", rows[-1]])


def _cell(found: str, redact: Redact) -> str:
    """The first line of what was found, as a cell of a table."""
    first = found.strip().partition("\n")[0]
    return safe_line(first, redact=redact, most=_MOST_LINE_CHARS + 1).replace("|", "\\|")


def _found(gate: GateReport, redact: Redact) -> str:
    text = safe_markdown(gate.found, redact=redact, most=_MOST_FOUND_CHARS)
    return f"<details><summary>{gate.gate}: what it found</summary>\n\n{text}\n\n</details>"


def _dollars(cost_usd: float) -> str:
    return f"${cost_usd:.2f}" if cost_usd else "–"
