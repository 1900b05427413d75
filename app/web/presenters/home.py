"""The first page: send a ticket, and see what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.models import Conversation, ConversationFilter, RunMode, RunStatus
from app.results import TicketHit
from app.web.presenters.composer import Choice, Composer
from app.web.presenters.conversation import Status, status_of
from app.web.presenters.fragments import Fragment
from app.web.presenters.shell import Entry, entry
from app.web.presenters.wording import MODES, STATUSES, first_line

_MOST_WAITING = 6
_OFFERED = (RunMode.IMPLEMENT, RunMode.ASK, RunMode.PLAN, RunMode.EDITS)


@dataclass(frozen=True)
class SetupFact:
    """Something that the service needs: whether it is there, what it is, and what to do about it."""

    done: bool
    title: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A conversation that waits for a person, and what for."""

    key: str
    title: str
    href: str
    status: Status
    said: str
    quoted: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a list was asked for, as the form that asked."""

    words: str
    by: str
    statuses: tuple[Choice, ...]
    modes: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True)
class Home:
    """The page. `found` is None unless the list was searched; `ready` are tickets that nobody has sent yet.

    `suggested` has by their keys the names of the repositories that each starts with, between spaces.
    """

    composer: Composer
    waiting: Fragment
    setup: tuple[SetupFact, ...]
    filters: Filters
    found: tuple[Entry, ...] | None
    ready: tuple[TicketHit, ...]
    suggested: Mapping[str, str]
    demo: bool
    errors: tuple[str, ...]
    first: bool


def home_page(
    *,
    composer: Composer,
    conversations: Sequence[Conversation],
    setup: Sequence[SetupFact] = (),
    found: Sequence[Conversation] | None = None,
    wanted: ConversationFilter | None = None,
    ready: Sequence[TicketHit] = (),
    suggested: Mapping[str, str] | None = None,
    demo: bool = False,
    errors: Sequence[str] = (),
) -> Home:
    """The page; `demo` offers the demo run, and `found` are the conversations that `wanted` asked for."""
    return Home(
        composer=composer,
        waiting=waiting(conversations),
        setup=tuple(setup),
        filters=_filters(wanted or ConversationFilter()),
        found=None if found is None else tuple(entry(each) for each in found),
        ready=tuple(ready),
        suggested=suggested or {},
        demo=demo,
        errors=tuple(errors),
        first=not conversations,
    )


def waiting(conversations: Sequence[Conversation]) -> Fragment:
    """What waits for a person, in the order that is given."""
    views = tuple(
        _waiting(each) for each in conversations if each.run.status in {RunStatus.NEEDS_INPUT, RunStatus.FAILED}
    )
    return Fragment(id="waiting", template="parts/waiting.html", view=views[:_MOST_WAITING])


def _waiting(conversation: Conversation) -> Waiting:
    said, quoted = _said(conversation)
    key = conversation.ticket.key
    return Waiting(
        key=key,
        title=conversation.ticket.summary or key,
        href=f"/code-runs/{key}",
        status=status_of(conversation.run.status),
        said=said,
        quoted=quoted,
        at=conversation.updated_at,
    )


def _said(conversation: Conversation) -> tuple[str, str]:
    if conversation.run.status is RunStatus.FAILED:
        return "failed:", first_line(conversation.run.error or "the error is in the conversation")
    question = conversation.waits_for.question if conversation.waits_for else None
    if question is not None and question.plan is not None:
        return "has a plan to review:", first_line(question.plan.lstrip("# "))
    asked = question.asked[0].question if question and question.asked else ""
    return "asks:", f"“{first_line(asked)}”"


def _filters(wanted: ConversationFilter) -> Filters:
    return Filters(
        words=wanted.words,
        by=wanted.by or "",
        statuses=tuple(Choice(each, STATUSES[each], each is wanted.status) for each in RunStatus),
        modes=tuple(Choice(each, MODES[each], each is wanted.mode) for each in _OFFERED),
    )
