"""How pages say numbers, times and states."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from app.models import RunMode, RunStatus, StageName

MODES = {
    RunMode.IMPLEMENT: "Implement",
    RunMode.ASK: "Ask",
    RunMode.PLAN: "Plan",
    RunMode.EDITS: "Edits",
    RunMode.PUBLISH: "Open draft PR",
}
MODE_ICONS = {
    RunMode.IMPLEMENT: "bolt",
    RunMode.ASK: "bubble",
    RunMode.PLAN: "list",
    RunMode.EDITS: "pencil",
    RunMode.PUBLISH: "pr",
}
STATUSES = {
    RunStatus.QUEUED: "Queued",
    RunStatus.RUNNING: "Running",
    RunStatus.NEEDS_INPUT: "Needs input",
    RunStatus.FAILED: "Failed",
    RunStatus.PR_OPENED: "PR opened",
    RunStatus.IDLE: "Idle",
}
GLYPHS = {
    RunStatus.QUEUED: "queued",
    RunStatus.RUNNING: "running",
    RunStatus.NEEDS_INPUT: "needs",
    RunStatus.FAILED: "failed",
    RunStatus.PR_OPENED: "pr",
    RunStatus.IDLE: "idle",
}
STAGES = {
    StageName.WORKSPACE: "Workspace",
    StageName.ANSWER: "Answer",
    StageName.PLAN: "Plan",
    StageName.IMPLEMENT: "Implement",
    StageName.REVIEW: "Review",
    StageName.SETUP: "Setup",
    StageName.LINT: "Lint",
    StageName.TESTS: "Tests",
    StageName.PUBLISH: "PR",
}

_MINUTE = 60
_HOUR = 3600


def duration(seconds: float) -> str:
    """`0.4 s`, `3 s`, `14 s`, `2m 31s`, `3h 05m`."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter below
        return f"{max(seconds, 0):.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02d}m"


def between(start: datetime, end: datetime) -> str:
    """The time from one to the other, in whole seconds."""
    return duration(round((end - start).total_seconds()))


def clock(moment: datetime, *, seen_at: datetime | None = None) -> str:
    """A time to the second; with its day, unless it is seen on that day."""
    told = moment.astimezone(UTC)
    same_day = seen_at is not None and seen_at.astimezone(UTC).date() == told.date()
    return f"{told:%H:%M:%S} UTC" if same_day else f"{told:%d %b %H:%M:%S} UTC"


def money(usd: float) -> str:
    """`$1.42`; what is less than a cent is said so."""
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:,.2f}"  # noqa: PLR2004 - half a cent


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `3 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """Bytes as `12 kB` or `3.4 MB`."""
    if number < 1_000:  # noqa: PLR2004
        return f"{number} B"
    if number < 1_000_000:  # noqa: PLR2004
        return f"{number / 1_000:.0f} kB"
    return f"{number / 1_000_000:.1f} MB"


def initials(name: str) -> str:
    """At most two letters that stand for a person."""
    words = name.replace("@", " ").replace(".", " ").split()
    letters = [word[0] for word in words if word[0].isalnum()]
    return "".join(letters[:1] + letters[1:2]).upper() or "?"


def model_name(model: str | None, models: Mapping[str, str]) -> str:
    """What people call a model; empty for the default one, of which nothing is known."""
    return models.get(model, model) if model else ""


def first_line(text: str, limit: int = 200) -> str:
    """The first line with words in it, cut at `limit` characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def short_name(repository: str) -> str:
    """`name` of `owner/name`."""
    return repository.rpartition("/")[2]


def web_link(url: str | None) -> str | None:
    """The address where it leads to the web; None for all else, such as `javascript:`."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None
