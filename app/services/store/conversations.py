"""Conversations as people see them, read inside a transaction. Synchronous."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.domain.naming import work_id
from app.errors import NotFound
from app.models import (
    Conversation,
    ConversationFilter,
    Decision,
    Job,
    PipelineOptions,
    PullRequest,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    Run,
    RunStatus,
    Ticket,
)
from app.services.store import messages, questions, rows
from app.services.store.payloads import without_null
from app.services.store.tables import changes, conversations, runs

_WILD = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


def read(connection: sa.Connection, ticket: str) -> Conversation:
    """One of them. Raises NotFound."""
    query = sa.select(conversations).where(conversations.c.ticket == ticket)
    if not (found := _assembled(connection, connection.execute(query).mappings().all())):
        raise NotFound(f"There is no conversation about {ticket}.")
    return found[0]


def listed(connection: sa.Connection, wanted: ConversationFilter) -> tuple[Conversation, ...]:
    """Those that changed last come first."""
    newest = sa.select(sa.func.max(runs.c.number)).group_by(runs.c.ticket)
    query = sa.select(conversations).join(runs, runs.c.ticket == conversations.c.ticket)
    query = query.where(runs.c.number.in_(newest)).order_by(conversations.c.updated_at.desc()).limit(wanted.limit)
    query = query.where(*_holding(wanted.words))
    for column, value in (("status", wanted.status), ("mode", wanted.mode)):
        if value is not None:
            query = query.where(runs.c[column] == value)
    if wanted.by is not None:
        query = query.where(runs.c.request["by"].as_string() == wanted.by)
    return tuple(_assembled(connection, connection.execute(query).mappings().all()))


def ticket(connection: sa.Connection, key: str) -> Ticket:
    """What is known of a ticket. Raises NotFound."""
    row = connection.execute(sa.select(conversations).where(conversations.c.ticket == key)).mappings().first()
    if row is None:
        raise NotFound(f"There is no ticket {key}.")
    return rows.ticket_of(row)


def find_tickets(connection: sa.Connection, words: str, limit: int) -> tuple[Ticket, ...]:
    """Known tickets with all of these words."""
    query = sa.select(conversations).where(*_holding(words)).order_by(conversations.c.updated_at.desc()).limit(limit)
    return tuple(map(rows.ticket_of, connection.execute(query).mappings()))


def job(connection: sa.Connection, run_id: str) -> Job:
    """What a worker needs to know of a run. Raises NotFound."""
    row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    mine = sa.select(conversations).where(conversations.c.ticket == row["ticket"])
    conversation = connection.execute(mine).mappings().one()
    of_ticket = connection.execute(
        sa.select(runs.c.pull_requests, runs.c.request).where(runs.c.ticket == row["ticket"]).order_by(runs.c.number)
    ).all()
    request = Request.model_validate(row["request"])
    if not request.repositories:
        request = request.model_copy(update={"repositories": _last_chosen(each.request for each in of_ticket)})
    return Job(
        run_id=run_id,
        ticket=rows.ticket_of(conversation),
        request=request,
        trigger=row["trigger"],
        options=PipelineOptions.model_validate(row["options"]),
        session_id=conversation["session_id"],
        status=row["status"],
        leg=row["leg"],
        decision=questions.decision(connection, row["ticket"], row["answering"]),
        published=tuple(dict.fromkeys(each["repository"] for run in of_ticket for each in run.pull_requests)),
    )


def works(connection: sa.Connection, statuses: Sequence[RunStatus]) -> tuple[tuple[str, str], ...]:
    """Run and work of the runs in these statuses, oldest first."""
    query = sa.select(runs.c.id, runs.c.leg).where(runs.c.status.in_(sorted(statuses))).order_by(runs.c.number)
    return tuple((row.id, work_id(row.id, row.leg)) for row in connection.execute(query))


def keep_changes(connection: sa.Connection, ticket: str, change: RepositoryChanges) -> None:
    """Keep the change of one repository in place of the one that was known."""
    mine = sa.and_(changes.c.ticket == ticket, changes.c.repository == change.repository)
    values = {"change": without_null(change.model_dump(mode="json")), "at": rows.now()}
    if connection.execute(sa.update(changes).where(mine).values(**values)).rowcount == 0:
        connection.execute(sa.insert(changes).values(ticket=ticket, repository=change.repository, **values))


def changes_of(connection: sa.Connection, ticket: str) -> tuple[RepositoryChanges, ...]:
    """The changes of a conversation, by repository."""
    query = sa.select(changes.c.change).where(changes.c.ticket == ticket).order_by(changes.c.repository)
    return tuple(map(RepositoryChanges.model_validate, connection.execute(query).scalars()))


def _holding(words: str) -> list[sa.ColumnElement[bool]]:
    """That key or summary hold each of the words."""
    likes = [f"%{word.translate(_WILD)}%" for word in words.split()]
    columns = conversations.c.ticket, conversations.c.summary
    return [sa.or_(*(column.ilike(like, escape="\\") for column in columns)) for like in likes]


def _assembled(connection: sa.Connection, found: Sequence[sa.RowMapping]) -> list[Conversation]:
    keys = [row["ticket"] for row in found]
    query = sa.select(runs).where(runs.c.ticket.in_(keys)).order_by(runs.c.number)
    by_ticket: defaultdict[str, list[Run]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        by_ticket[row["ticket"]].append(rows.run_of(row))
    return [_conversation(connection, row, by_ticket[row["ticket"]]) for row in found if by_ticket[row["ticket"]]]


def _conversation(connection: sa.Connection, row: sa.RowMapping, of_ticket: Sequence[Run]) -> Conversation:
    newest = of_ticket[-1]
    return Conversation(
        ticket=rows.ticket_of(row),
        run=newest,
        request=_last_asked(of_ticket),
        waits_for=_waiting(connection, newest),
        queue=messages.queue(connection, row["ticket"]),
        pull_requests=_newest_by_url(each for run in of_ticket for each in run.pull_requests),
        cost_usd=round(sum(run.cost_usd for run in of_ticket), 6),
        updated_at=row["updated_at"],
        last_seq=row["last_seq"],
    )


def _last_asked(of_ticket: Sequence[Run]) -> Request:
    newest = of_ticket[-1]
    chosen = next((run.repositories for run in reversed(of_ticket) if run.repositories), ())
    return Request(mode=newest.mode, model=newest.model, auto_pr=newest.auto_pr, repositories=chosen)


def _waiting(connection: sa.Connection, run: Run) -> Decision | None:
    if run.status is not RunStatus.NEEDS_INPUT:
        return None
    return questions.decision(connection, run.ticket, questions.open_of(connection, run.id))


def _newest_by_url(opened: Iterable[PullRequest]) -> tuple[PullRequest, ...]:
    return tuple({each.url: each for each in opened}.values())


def _last_chosen(requests: Iterable[Mapping[str, Any]]) -> tuple[RepositoryChoice, ...]:
    asked = [Request.model_validate(each).repositories for each in requests]
    return next((chosen for chosen in reversed(asked) if chosen), ())
