"""Conversations as people see them, read inside a transaction. Synchronous."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.domain.naming import work_id
from app.domain.run_state import ACTIVE
from app.errors import NotFound
from app.models import (
    Conversation,
    ConversationFilter,
    Job,
    PipelineOptions,
    PullRequest,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    Run,
    RunMode,
    RunStatus,
    Ticket,
)
from app.services.store import messages, questions, rows
from app.services.store.tables import changes, conversations, runs

_RARE = ACTIVE | {RunStatus.FAILED}
"""Statuses that few runs have, however many there were."""

_WILD = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


def read(connection: sa.Connection, ticket: str) -> Conversation:
    """One of them. Raises NotFound."""
    query = _with_newest_run().where(conversations.c.ticket == ticket)
    if not (found := _assembled(connection, query)):
        raise NotFound(f"There is no conversation about {ticket}.")
    return found[0]


def listed(connection: sa.Connection, wanted: ConversationFilter) -> tuple[Conversation, ...]:
    """Those that changed last come first."""
    query = _with_newest_run().order_by(conversations.c.updated_at.desc()).limit(wanted.limit)
    query = query.where(*_holding(wanted.words))
    if wanted.status in _RARE:
        # Else all conversations are looked at from the newest on, until enough have it.
        query = query.where(conversations.c.ticket.in_(sa.select(runs.c.ticket).where(runs.c.status == wanted.status)))
    for column, value in (("status", wanted.status), ("mode", wanted.mode)):
        if value is not None:
            query = query.where(runs.c[column] == value)
    if wanted.by is not None:
        query = query.where(runs.c.request["by"].as_string() == wanted.by)
    return _assembled(connection, query)


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
    opened = _pull_requests(connection, [row["ticket"]]).get(row["ticket"], ())
    request = Request.model_validate(row["request"])
    if not request.repositories:
        chosen = _chosen(connection, [row["ticket"]]).get(row["ticket"], ())
        request = request.model_copy(update={"repositories": chosen})
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
        published=tuple(dict.fromkeys(each.repository for each in opened)),
    )


def works(connection: sa.Connection, statuses: Sequence[RunStatus]) -> tuple[tuple[str, str], ...]:
    """Run and work of the runs in these statuses, oldest first."""
    query = sa.select(runs.c.id, runs.c.leg).where(runs.c.status.in_(sorted(statuses))).order_by(runs.c.number)
    return tuple((row.id, work_id(row.id, row.leg)) for row in connection.execute(query))


def keep_changes(connection: sa.Connection, ticket: str, change: RepositoryChanges) -> bool:
    """Keep the change of one repository in place of the one that was known; whether it is another one."""
    mine = sa.and_(changes.c.ticket == ticket, changes.c.repository == change.repository)
    known = connection.execute(sa.select(changes.c.change).where(mine)).scalar()
    values = {"change": change.model_dump(mode="json"), "at": rows.now()}
    if known == values["change"]:
        return False
    if known is None:
        connection.execute(sa.insert(changes).values(ticket=ticket, repository=change.repository, **values))
    else:
        connection.execute(sa.update(changes).where(mine).values(**values))
    return True


def size_of(change: RepositoryChanges) -> dict[str, object]:
    """How large a change is, as an event tells it."""
    added, removed = sum(file.added or 0 for file in change.files), sum(file.removed or 0 for file in change.files)
    return {"repository": change.repository, "files": len(change.files), "added": added, "removed": removed}


def changes_of(connection: sa.Connection, ticket: str) -> tuple[RepositoryChanges, ...]:
    """The changes of a conversation, by repository."""
    query = sa.select(changes.c.change).where(changes.c.ticket == ticket).order_by(changes.c.repository)
    return tuple(map(RepositoryChanges.model_validate, connection.execute(query).scalars()))


def _holding(words: str) -> list[sa.ColumnElement[bool]]:
    """That key or summary hold each of the words."""
    likes = [f"%{word.translate(_WILD)}%" for word in words.split()]
    columns = conversations.c.ticket, conversations.c.summary
    return [sa.or_(*(column.ilike(like, escape="\\") for column in columns)) for like in likes]


def _with_newest_run() -> sa.Select[tuple[Any, ...]]:
    """Conversations with the number of their newest run; those without a run are only tickets."""
    others = runs.alias()
    newest = sa.select(sa.func.max(others.c.number)).where(others.c.ticket == conversations.c.ticket)
    joined = sa.join(conversations, runs, runs.c.number == newest.scalar_subquery())
    return sa.select(conversations, runs.c.number).select_from(joined)


def _assembled(connection: sa.Connection, query: sa.Select[tuple[Any, ...]]) -> tuple[Conversation, ...]:
    if not (found := connection.execute(query).mappings().all()):
        return ()
    keys = [row["ticket"] for row in found]
    newest = _newest(connection, [row["number"] for row in found])
    chosen, opened = _chosen(connection, keys), _pull_requests(connection, keys)
    waiting, queues = questions.waiting(connection, keys), messages.queues(connection, keys)
    costs = _costs(connection, keys)
    return tuple(
        Conversation(
            ticket=rows.ticket_of(row),
            run=newest[key],
            request=_asked(newest[key], chosen.get(key, ())),
            waits_for=waiting.get(key),
            queue=tuple(queues.get(key, ())),
            pull_requests=opened.get(key, ()),
            cost_usd=costs[key],
            updated_at=row["updated_at"],
            last_seq=row["last_seq"],
        )
        for key, row in zip(keys, found, strict=True)
    )


def _asked(run: Run, chosen: tuple[RepositoryChoice, ...]) -> Request:
    return Request(mode=run.mode, model=run.model, auto_pr=run.auto_pr, repositories=chosen)


def _newest(connection: sa.Connection, numbers: Sequence[int]) -> dict[str, Run]:
    found = connection.execute(sa.select(runs).where(runs.c.number.in_(numbers))).mappings()
    return {row["ticket"]: rows.run_of(row) for row in found}


def _costs(connection: sa.Connection, tickets: Sequence[str]) -> dict[str, float]:
    query = sa.select(runs.c.ticket, sa.func.sum(runs.c.cost_usd)).where(runs.c.ticket.in_(tickets))
    return {key: round(cost, 6) for key, cost in connection.execute(query.group_by(runs.c.ticket))}


def _pull_requests(connection: sa.Connection, tickets: Sequence[str]) -> dict[str, tuple[PullRequest, ...]]:
    """The pull requests of all runs, by ticket, oldest first; each as it was seen last."""
    opened = sa.cast(runs.c.pull_requests, sa.Text) != "[]"
    query = sa.select(runs.c.ticket, runs.c.pull_requests).where(runs.c.ticket.in_(tickets), opened)
    by_url: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for key, found in connection.execute(query.order_by(runs.c.number)):
        by_url[key] |= {each["url"]: each for each in found}
    return {key: tuple(map(PullRequest.model_validate, each.values())) for key, each in by_url.items()}


def _chosen(connection: sa.Connection, tickets: Sequence[str]) -> dict[str, tuple[RepositoryChoice, ...]]:
    """The repositories of the last run that chose any, by ticket. What to publish is not chosen for what comes next."""
    some = runs.c.request["repositories"].as_string() != "[]"
    last = sa.select(sa.func.max(runs.c.number)).where(runs.c.ticket.in_(tickets), some)
    last = last.where(runs.c.mode != RunMode.PUBLISH).group_by(runs.c.ticket)
    query = sa.select(runs.c.ticket, runs.c.request).where(runs.c.number.in_(last))
    return {key: Request.model_validate(asked).repositories for key, asked in connection.execute(query)}
