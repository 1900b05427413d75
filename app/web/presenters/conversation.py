"""The pieces of a conversation's page that follow from how things stand, not from what was said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.run_state import ACTIVE, is_unfinished
from app.models import Conversation, Message, PipelineOptions, RepositoryChanges, RunMode, RunStatus
from app.web.presenters.fragments import Fragment
from app.web.presenters.stages import strip
from app.web.presenters.wording import (
    GLYPHS,
    MODE_ICONS,
    MODES,
    STATUSES,
    between,
    count,
    first_line,
    model_name,
    money,
    short_name,
    web_link,
)


@dataclass(frozen=True)
class Status:
    """The state's shape and word."""

    glyph: str
    words: str
    running: bool = False


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What can be done now, with the `run` that it is about.

    `unpublished` are repositories whose change no pull request has; `opened` says that all of them have one to update.
    """

    base: str
    run: str
    stop: bool
    retry: bool
    unpublished: tuple[str, ...]
    opened: bool
    pull_requests: tuple[tuple[str, str, str], ...]
    """Label, full name and address of each."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The line below the title. The time is either running `since`, or over and `took`."""

    repositories: tuple[tuple[str, str], ...]
    count: str
    icon: str
    mode: str
    model: str
    since: datetime | None
    took: str
    cost: str


@dataclass(frozen=True, kw_only=True)
class Queued:
    """A message that waits."""

    by: str
    words: str
    mode: str
    at: datetime
    withdraw: str
    now: str


@dataclass(frozen=True, kw_only=True)
class Dock:
    """What a message would do now, and where Stop goes while there is something to stop."""

    hint: str
    run: str
    stop: str | None


def parts(
    conversation: Conversation,
    *,
    models: Mapping[str, str],
    changes: Sequence[RepositoryChanges],
    options: PipelineOptions | None = None,
) -> tuple[Fragment, ...]:
    """The pieces that any event may change, each by its id. `options` are the stages that runs here have."""
    base = f"/code-runs/{conversation.ticket.key}"
    files = sum(len(each.files) for each in changes)
    views: tuple[tuple[str, str, object], ...] = (
        ("status", "status", status_of(conversation.run.status)),
        ("actions", "actions", _actions(conversation, changes, base)),
        ("facts", "facts", _facts(conversation, models, changes)),
        ("stages", "stages", strip(conversation, options or PipelineOptions())),
        ("queue", "queue", tuple(_queued(each, base) for each in conversation.queue)),
        ("dock", "dock", _dock(conversation, base)),
        ("files-wide", "files_count", files),
        ("files-narrow", "files_count", files),
    )
    return tuple(Fragment(id=id_, template=f"parts/{name}.html", view=view) for id_, name, view in views)


def status_of(status: RunStatus) -> Status:
    """How a state is shown."""
    return Status(GLYPHS[status], STATUSES[status], running=status is RunStatus.RUNNING)


def _actions(conversation: Conversation, changes: Sequence[RepositoryChanges], base: str) -> Actions:
    run = conversation.run
    opened = {each.repository for each in conversation.pull_requests}
    lacking = [each for each in changes if each.files and (each.unpublished or each.repository not in opened)]
    left = tuple(each.repository for each in lacking)
    links = tuple(
        (f"#{each.number}", f"{each.repository} #{each.number}", url)
        for each in conversation.pull_requests
        if (url := web_link(each.url))
    )
    active = run.status in ACTIVE
    return Actions(
        base=base,
        run=run.id,
        stop=active,
        retry=is_unfinished(run),
        unpublished=() if active else left,
        opened=opened.issuperset(left),
        pull_requests=links,
    )


def _facts(conversation: Conversation, models: Mapping[str, str], changes: Sequence[RepositoryChanges]) -> Facts:
    run, request = conversation.run, conversation.request
    # A ticket of the tracker chooses none: they are those that it came to change.
    chosen = [(each.name, each.base) for each in run.repositories or request.repositories]
    repositories = chosen or [(each.repository, each.base) for each in changes]
    draft = ", draft PR on" if request.auto_pr and request.mode is RunMode.EDITS else ""
    # While it waits for people nobody works.
    over = conversation.waits_for.asked_at if conversation.waits_for else run.ended_at
    return Facts(
        repositories=tuple((short_name(name), base) for name, base in repositories),
        count=count(len(repositories), "repo"),
        icon=MODE_ICONS[run.mode],
        mode=MODES[run.mode] + draft,
        model=model_name(run.model or request.model, models),
        since=None if over else run.started_at,
        took=between(run.started_at, over) if run.started_at and over else "",
        cost=money(conversation.cost_usd) if conversation.cost_usd else "",
    )


def _queued(message: Message, base: str) -> Queued:
    action = f"{base}/messages/{message.id}"
    return Queued(
        by=message.request.by or "Somebody",
        words=first_line(message.request.text),
        mode=MODES[message.request.mode],
        at=message.at,
        withdraw=f"{action}/withdraw",
        now=f"{action}/now",
    )


def _dock(conversation: Conversation, base: str) -> Dock:
    status, waits = conversation.run.status, conversation.waits_for
    if waits is not None and status is RunStatus.NEEDS_INPUT:
        is_plan = waits.question.plan is not None
        hint = "A message asks for changes of the plan" if is_plan else "A message answers the question"
    elif status in ACTIVE:
        hint = "Waits for the end of this turn"
    else:
        hint = "Starts the next turn"
    return Dock(hint=hint, run=conversation.run.id, stop=f"{base}/stop" if status in ACTIVE else None)
