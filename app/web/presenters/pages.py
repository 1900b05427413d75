"""Whole pages: a conversation, and what is said when there is none to show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.models import Conversation, Decision, PipelineOptions, RepositoryChanges, Run
from app.web.presenters.cards import PlanCard, decided, question_card
from app.web.presenters.changes import changes_fragment
from app.web.presenters.composer import Composer, message_composer
from app.web.presenters.conversation import Status, parts, status_of
from app.web.presenters.fragments import Fragment
from app.web.presenters.thread import Thread
from app.web.presenters.wording import MODES, between, count, model_name, money, web_link

TABS = ("talk", "changes", "plan", "details")


@dataclass(frozen=True)
class Older:
    """Where the items before the page's first one are; `href` without scripts, `items` with."""

    href: str
    items: str


@dataclass(frozen=True, kw_only=True)
class TurnRow:
    """A run in the list of turns."""

    number: int | None
    status: Status
    words: str
    at: datetime
    took: str
    cost: str
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Details:
    """What else is known of a conversation. `ticket` and `tracker` are where its ticket is, here and there."""

    ticket: str
    tracker: str | None
    facts: tuple[tuple[str, str], ...]
    turns: tuple[TurnRow, ...]


@dataclass(frozen=True, kw_only=True)
class ConversationPage:
    """The page. `since` is the number of the event that its thread begins with."""

    key: str
    title: str
    tab: str
    ticket: str
    parts: Mapping[str, Fragment]
    items: tuple[Fragment, ...]
    older: Older | None
    changes: Fragment
    plans: Fragment
    details: Fragment
    composer: Composer
    errors: tuple[str, ...]


@dataclass(frozen=True)
class ErrorPage:
    """Why a page cannot be shown, and what to do about it."""

    status: int
    title: str
    message: str


def conversation_page(
    conversation: Conversation,
    *,
    thread: Thread,
    models: Mapping[str, str],
    changes: Sequence[RepositoryChanges],
    message_id: str,
    model: str | None = None,
    before: int | None = None,
    decisions: Sequence[Decision] = (),
    runs: Sequence[Run] = (),
    options: PipelineOptions | None = None,
    tab: str | None = None,
    errors: Sequence[str] = (),
) -> ConversationPage:
    """A conversation's page. `before` is the first event of the thread, where others come before it; `runs` are newest
    first. After `errors` the box has the text of the conversation's request, which is what was typed. `model` is chosen
    in it where the last turn had none, or one that can no longer be chosen.

    Takes its time for the changes: call it in a thread.
    """
    key = conversation.ticket.key
    request = conversation.request if errors else conversation.request.model_copy(update={"text": ""})
    if request.model not in models:
        request = request.model_copy(update={"model": model})
    pieces = parts(conversation, models=models, changes=changes, options=options)
    return ConversationPage(
        key=key,
        title=conversation.ticket.summary or key,
        tab=tab if tab in TABS else "talk",
        ticket=f"/tickets/{key}",
        parts={piece.id: piece for piece in (*pieces, thread.todo)},
        items=thread.items,
        older=older(key, before),
        changes=changes_fragment(key, changes, conversation.run.mode),
        plans=plans_fragment(key, decisions),
        details=details_fragment(conversation, runs, models),
        composer=message_composer(key, models=models, request=request, message_id=message_id),
        errors=tuple(errors),
    )


def plans_fragment(key: str, decisions: Sequence[Decision]) -> Fragment:
    """All plans and what became of them, the newest first; the decisions are oldest first."""
    plans = [plan for each in decisions if (plan := _plan(key, each)) is not None]
    return Fragment(id="plans", template="parts/plans.html", view=tuple(reversed(plans)))


def details_fragment(conversation: Conversation, runs: Sequence[Run], models: Mapping[str, str]) -> Fragment:
    """What else is known, with a row for each of the runs, which are newest first."""
    return Fragment(id="details", template="parts/details.html", view=_details(conversation, runs, models))


def older_items(thread: Thread) -> tuple[Fragment, ...]:
    """The items of a thread that goes before the one on the page, to be put there; nothing in it is under way."""
    thread.settle()
    return tuple(replace(item, at_start=True) for item in thread.items)


def older(key: str, before: int | None) -> Older | None:
    """The way to the items before an event; None where there are none."""
    base = f"/code-runs/{key}"
    return Older(f"{base}?before={before}", f"{base}/items?before={before}") if before else None


_ERRORS = {
    403: "You may not do that",
    404: "There is nothing here",
    409: "Somebody was faster",
    422: "That cannot be done so",
    500: "Something broke",
    503: "Not available just now",
}


def error_page(status: int, message: str) -> ErrorPage:
    """The page for an answer with that status."""
    return ErrorPage(status, _ERRORS.get(status, "That did not work"), message)


def _plan(key: str, decision: Decision) -> PlanCard | None:
    card = question_card(key, decision.question, decision.asked_at)
    if not isinstance(card, PlanCard):
        return None
    if decision.answer is None or decision.answered_at is None:
        return card
    return replace(card, decided=decided(decision.question, decision.answer, decision.answered_at))


def _details(conversation: Conversation, runs: Sequence[Run], models: Mapping[str, str]) -> Details:
    tokens = conversation.run.tokens
    known = [
        ("Ticket", conversation.ticket.key),
        ("Turns", str(len(runs)) if runs else ""),
        ("Cost", money(conversation.cost_usd) if conversation.cost_usd else ""),
        ("Tokens of the last turn", _tokens(tokens.input + tokens.cache_read + tokens.cache_write, tokens.output)),
        *((f"Base of {each.name}", each.base) for each in conversation.run.repositories),
    ]
    turns = tuple(_turn(len(runs) - index, run, models) for index, run in enumerate(runs))
    return Details(
        ticket=f"/tickets/{conversation.ticket.key}",
        tracker=web_link(conversation.ticket.url),
        facts=tuple((name, value) for name, value in known if value),
        turns=turns,
    )


def _tokens(read: int, written: int) -> str:
    return f"{read:,} read, {count(written, 'token')} written" if read or written else ""


def _turn(number: int, run: Run, models: Mapping[str, str]) -> TurnRow:
    words = (MODES[run.mode], model_name(run.model, models), run.by or "")
    return TurnRow(
        number=number,
        status=status_of(run.status),
        words=" · ".join(filter(None, words)),
        at=run.created_at,
        took=between(run.started_at, run.ended_at) if run.started_at and run.ended_at else "",
        cost=money(run.cost_usd) if run.cost_usd else "",
        outcome=run.error or run.outcome or "",
    )
