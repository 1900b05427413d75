"""What is around every page: who is here, and the list of conversations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.model_limits import OPEN, Standing
from app.models import Conversation, RunStatus, StageStatus
from app.web.presenters.composer import Choice
from app.web.presenters.conversation import Status, status_of
from app.web.presenters.fragments import Fragment
from app.web.presenters.wording import MODES, STAGES, clock, money


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A conversation in a list. `tone` is say, bad, good or empty; `needs` when a person must do something."""

    key: str
    title: str
    href: str
    status: Status
    words: str
    tone: str
    at: datetime
    current: bool
    needs: bool


@dataclass(frozen=True)
class Group:
    """Entries below a heading."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The frame of a page. `live` is the address of its stream and `after` the last event that the page has seen.

    `models` are those that the person may prefer.
    """

    person: str | None
    runs: Fragment
    current: str | None = None
    live: str | None = None
    after: int = 0
    by_code: bool = False
    words: str = ""
    models: tuple[Choice, ...] = ()
    warning: str = ""


_NEEDS = frozenset({RunStatus.NEEDS_INPUT, RunStatus.FAILED})
_ACTIVE = frozenset({RunStatus.RUNNING, RunStatus.QUEUED})


def shell(
    *,
    person: str | None,
    conversations: Sequence[Conversation],
    current: str | None = None,
    live: str | None = "/events",
    after: int = 0,
    by_code: bool = False,
    words: str = "",
    models: Mapping[str, str] | None = None,
    model: str | None = None,
    standing: Standing = OPEN,
    notice: str = "",
) -> Shell:
    """The frame around a page. `by_code` people can sign out; `words` are what the list was searched for.

    `models` are offered as the person's own choice, which is `model` so far. `standing` is the model account's;
    `notice` is what is amiss with the workers.
    """
    return Shell(
        person=person,
        runs=side_list(conversations, current),
        current=current,
        live=live,
        after=after,
        by_code=by_code,
        words=words,
        warning=" ".join(filter(None, [_warning(standing), notice])),
        models=tuple(Choice(id_, name, id_ == model) for id_, name in (models or {}).items()),
    )


def _warning(standing: Standing) -> str:
    """What keeps every run waiting, for everybody to see; empty where nothing does."""
    if standing.state == "open":
        return ""
    if standing.state == "closed":
        return f"Nothing starts: {standing.reason}"
    until = f" until {clock(standing.until)}" if standing.until is not None else ""
    return f"All runs are parked{until}, then they go on by themselves. {standing.reason}"


def side_list(conversations: Sequence[Conversation], current: str | None = None) -> Fragment:
    """The sidebar's list: what needs a person, what is under way, and the rest, each as it is given."""
    entries = [(each.run.status, entry(each, current)) for each in conversations]
    groups = (
        Group("Needs you", tuple(each for status, each in entries if status in _NEEDS)),
        Group("Active", tuple(each for status, each in entries if status in _ACTIVE)),
        Group("Recent", tuple(each for status, each in entries if status not in _NEEDS | _ACTIVE)),
    )
    return Fragment(id="runs", template="parts/runs.html", view=tuple(group for group in groups if group.entries))


def entry(conversation: Conversation, current: str | None = None) -> Entry:
    """A conversation's line in a list."""
    words, tone = _state(conversation)
    key = conversation.ticket.key
    return Entry(
        key=key,
        title=conversation.ticket.summary or key,
        href=f"/code-runs/{key}",
        status=status_of(conversation.run.status),
        words=words,
        tone=tone,
        at=conversation.updated_at,
        current=key == current,
        needs=conversation.run.status in _NEEDS,
    )


def _state(conversation: Conversation) -> tuple[str, str]:
    run, waits = conversation.run, conversation.waits_for
    stage = run.stages[-1] if run.stages else None
    cost = money(conversation.cost_usd) if conversation.cost_usd else ""
    if run.status is RunStatus.NEEDS_INPUT:
        return ("Plan to review" if waits and waits.question.plan is not None else "Question"), "say"
    if run.status is RunStatus.FAILED:
        at_stage = stage is not None and stage.status is StageStatus.FAILED
        return (f"Failed at {STAGES[stage.name].lower()}" if stage and at_stage else "Failed"), "bad"
    if run.status is RunStatus.RUNNING:
        return " · ".join(filter(None, [STAGES[stage.name] if stage else "Starting", cost])), ""
    if run.status is RunStatus.PR_OPENED and conversation.pull_requests:
        return "PR " + " and ".join(f"#{each.number}" for each in conversation.pull_requests), "good"
    if run.status is RunStatus.QUEUED:
        return "Queued", ""
    return MODES[run.mode], ""
