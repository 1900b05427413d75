"""What a pull request says: the ticket, the author's own words, and what each gate found."""

import re
from collections.abc import Sequence

from app.models import Run, StageStatus, Ticket
from app.results import GateReport

_MOST_CHARS = 60_000  # GitHub takes 65,536
_MOST_FOUND_CHARS = 2_000
_MOST_LINE_CHARS = 120
_MARKS = {
    StageStatus.PASSED: "✅ passed",
    StageStatus.WARNED: "⚠️ unclear",
    StageStatus.FAILED: "❌ fails",
    StageStatus.SKIPPED: "➖ nothing to run",
    StageStatus.RUNNING: "… running",
}
_GAP = "\N{ZERO WIDTH SPACE}"
_MENTION = re.compile(r"(?<![A-Za-z0-9.])@(?=\w)")
_CLOSES = re.compile(
    r"\b((?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\s*:?\s+)(?=\S*#\d|GH-\d|https?://\S+/(?:issues|pull)/\d)",
    re.IGNORECASE,
)
_LOADS = re.compile(r"<(?=/?(?:img|picture|source|video|audio|iframe|object|embed|svg)\b|!--)", re.IGNORECASE)


def needs_draft(gates: Sequence[GateReport]) -> bool:
    """Whether a pull request with these gates must be a draft: one of them is not what it should be."""
    return any(gate.status in {StageStatus.FAILED, StageStatus.WARNED} for gate in gates)


def pull_request_body(
    ticket: Ticket, run: Run, *, summary: str, gates: Sequence[GateReport], related: Sequence[str] = ()
) -> str:
    """Markdown for the pull request. Text of the ticket's and the model's making is neutralised.

    `related` are the pull requests of the same change in other repositories.
    """
    link = f"[{ticket.key}]({ticket.url})" if ticket.url else f"**{ticket.key}**"
    parts = [f"{link}: {neutral(ticket.summary)}"]
    if related:
        parts.append("Part of one change, together with " + ", ".join(related))
    if needs_draft(gates):
        parts.append("> **Draft**, because not every gate passed. See below.")
    if summary.strip():
        parts.append(f"## What changed\n\n{neutral(summary.strip())}")
    parts.append(_table(gates, run))
    parts += [_found(gate) for gate in gates if "\n" in gate.found.strip() or len(gate.found) > _MOST_LINE_CHARS]
    parts.append(f"<sub>auto-code · run `{run.id}`</sub>")
    body = "\n\n".join(parts)
    return body if len(body) <= _MOST_CHARS else f"{body[:_MOST_CHARS]}\n\n… (cut)"


def neutral(text: str) -> str:
    """The same words without what acts at the forge: mentions, closing keywords, images, comments."""
    text = text.replace("![", f"!{_GAP}[").replace("&#", "&amp;#")
    text = _LOADS.sub(f"<{_GAP}", text)
    text = _MENTION.sub(f"@{_GAP}", text)
    return _CLOSES.sub(rf"\g<1>{_GAP}", text)


def duration(seconds: float) -> str:
    """Seconds as people read them: `42s`, `14m 08s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def _table(gates: Sequence[GateReport], run: Run) -> str:
    rows = ["## Gates", "", "| gate | result | found | fixed | time | turns | cost |", "|---|---|---|---|---|---|---|"]
    rows += [
        f"| {gate.gate} | {_MARKS[gate.status]} | {_line(gate.found)} | {f'{gate.rounds}×' if gate.rounds else '–'} "
        f"| {duration(gate.duration_s)} | {gate.turns or '–'} | {_dollars(gate.cost_usd)} |"
        for gate in gates
    ]
    tokens = run.tokens
    total = tokens.input + tokens.cache_read + tokens.cache_write
    cached = f", {round(100 * tokens.cache_read / total)} % of input from cache" if tokens.cache_read else ""
    rows += ["", f"Whole run so far: {_dollars(run.cost_usd)}, {tokens.output:,} output tokens{cached}."]
    return "\n".join(rows if gates else ["## Cost", "", rows[-1]])


def _line(found: str) -> str:
    """The first line of what was found, as a cell of a table."""
    first = found.strip().partition("\n")[0]
    return neutral(first if len(first) <= _MOST_LINE_CHARS else f"{first[:_MOST_LINE_CHARS]}…").replace("|", "\\|")


def _found(gate: GateReport) -> str:
    text = neutral(gate.found.strip())[:_MOST_FOUND_CHARS]
    title = f"{gate.gate}: what it found"
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _dollars(cost_usd: float) -> str:
    return f"${cost_usd:.2f}" if cost_usd else "–"
