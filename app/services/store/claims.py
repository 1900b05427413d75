"""Taking a ticket, inside the transaction that also queues its work. Synchronous, as transactions are."""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.naming import bucket_of
from app.domain.run_state import ACTIVE
from app.models import EventKind, PipelineOptions, Receipt, Request, RunStatus, Ticket, Trigger, Work
from app.services.store import rows
from app.services.store.base import Claim, Enqueue
from app.services.store.tables import conversations, deliveries, runs

OF_PEOPLE = 0
"""The priority of what a person waits for: before all tickets, of which the most urgent have 1."""

_HELD = sa.select(conversations).where(conversations.c.ticket == sa.bindparam("key")).with_for_update(key_share=True)
_INSERT_CONVERSATION = sa.insert(conversations)
_INSERT_RUN = sa.insert(runs)
_ACTIVE_RUN = sa.select(runs.c.id).where(runs.c.ticket == sa.bindparam("key"), runs.c.status.in_(sorted(ACTIVE)))


class Kept(NamedTuple):
    """What is known of a ticket once its text was kept. `changed`: people read another text than before; `older`: the
    one that came is older than the one that was known, and was not kept. `text_at` is the tracker's time of the text.
    """

    new: bool
    changed: bool
    older: bool
    text_at: datetime | None
    priority: int


def take(connection: sa.Connection, claim: Claim, enqueue: Enqueue) -> Receipt:
    """Store ticket, run and delivery and queue the run; or say which run has them already."""
    if (known := _delivered(connection, claim)) is not None:
        return claim.refused_as_delivered(known)
    kept = keep_ticket(connection, claim.ticket)
    if not kept.new and (active := active_run(connection, claim.ticket.key)) is not None:
        if kept.changed:
            rows.append(connection, active, EventKind.TICKET_UPDATED, {"summary": claim.ticket.summary})
        _keep_deliveries(connection, claim, active)
        return claim.refused_as_active(active)
    if kept.older and claim.deliveries and (newer := _begun_with_newer(connection, claim)) is not None:
        _keep_deliveries(connection, claim, newer)
        return claim.refused_as_older(newer)
    run_id = _begin(connection, claim, kept, enqueue)
    _keep_deliveries(connection, claim, run_id)
    return Receipt(status="accepted", ticket=claim.ticket.key, run_id=run_id)


def begin(
    connection: sa.Connection,
    ticket: str,
    request: Request,
    trigger: Trigger,
    options: PipelineOptions,
    enqueue: Enqueue,
    *,
    answering: str | None = None,
    text_at: datetime | None = None,
    priority: int = OF_PEOPLE,
) -> str:
    """A queued run of a ticket that has no active one; the return is its id."""
    run_id, at = str(uuid.uuid4()), rows.now()
    asked = request.model_dump(mode="json")
    run: dict[str, Any] = {"id": run_id, "ticket": ticket, "status": RunStatus.QUEUED, "mode": request.mode}
    run |= {"trigger": trigger, "options": options.model_dump(), "request": asked, "answering": answering, "leg": 1}
    run |= {"created_at": at, "queued_at": at, "text_at": text_at}
    empty: dict[str, Any] = {"stages": [], "pull_requests": [], "tokens": {}, "cost_usd": 0.0}
    connection.execute(_INSERT_RUN, {**run, **empty})
    status: dict[str, Any] = {"status": RunStatus.QUEUED, "trigger": trigger, "mode": request.mode}
    if request.by is not None:
        status["by"] = request.by
    if request.retry_of is not None:
        status["retry"] = True
    rows.append(connection, run_id, EventKind.RUN_STATUS, status)
    if request.text and request.retry_of is None:  # the words of a retry were said before
        sent = {name: asked[name] for name in ("text", "by", "mode", "model", "auto_pr")}
        rows.append(connection, run_id, EventKind.MESSAGE_SENT, sent)
    enqueue(connection, Work(id=run_id, bucket=bucket_of(ticket), priority=priority))
    return run_id


def keep_ticket(connection: sa.Connection, ticket: Ticket) -> Kept:
    """Keep the newest text of the ticket, and hold its conversation."""
    known = connection.execute(_HELD, {"key": ticket.key}).mappings().first()
    text = {"summary": ticket.summary, "description": ticket.description, "url": ticket.url}
    values = {**text, "priority": ticket.priority, "ticket_updated_at": ticket.updated_at}
    if known is None:
        at = rows.now()
        row = {"ticket": ticket.key, "created_at": at, "updated_at": at, "last_seq": 0, **values}
        connection.execute(_INSERT_CONVERSATION, row)
        return Kept(new=True, changed=True, older=False, text_at=ticket.updated_at, priority=ticket.priority)
    known_at: datetime | None = known["ticket_updated_at"]
    if known_at is not None and ticket.updated_at is not None and ticket.updated_at < known_at:
        return Kept(new=False, changed=False, older=True, text_at=known_at, priority=known["priority"])
    changed = any(known[name] != value for name, value in text.items())
    # A text without a time stands until one comes that is newer than all that had one.
    values["ticket_updated_at"] = text_at = ticket.updated_at or known_at
    if changed:
        values["updated_at"] = rows.now()
    if any(known[name] != value for name, value in values.items()):
        connection.execute(sa.update(conversations).where(conversations.c.ticket == ticket.key).values(**values))
    return Kept(new=False, changed=changed, older=False, text_at=text_at, priority=ticket.priority)


def active_run(connection: sa.Connection, ticket: str) -> str | None:
    """The ticket's run that is queued, running or waiting for people."""
    return connection.execute(_ACTIVE_RUN, {"key": ticket}).scalar()


def _begin(connection: sa.Connection, claim: Claim, kept: Kept, enqueue: Enqueue) -> str:
    return begin(
        connection,
        claim.ticket.key,
        claim.request,
        claim.trigger,
        claim.options,
        enqueue,
        answering=claim.answering,
        text_at=kept.text_at,
        priority=kept.priority if claim.request.by is None else OF_PEOPLE,
    )


def _delivered(connection: sa.Connection, claim: Claim) -> str | None:
    """The run that took the request; of several, by the first of its names."""
    if not claim.deliveries:
        return None
    joined = sa.join(deliveries, runs, deliveries.c.run_id == runs.c.id)
    query = sa.select(deliveries.c.name, deliveries.c.run_id).select_from(joined)
    found = connection.execute(query.where(sa.or_(*(_counts(name, since) for name, since in claim.deliveries)))).all()
    took = {row.name: str(row.run_id) for row in found}
    return next((took[name] for name, _ in claim.deliveries if name in took), None)


def _counts(name: str, since: datetime | None) -> sa.ColumnElement[bool]:
    known = deliveries.c.name == name
    return known if since is None else sa.and_(known, deliveries.c.at >= since, runs.c.status != RunStatus.FAILED)


def _begun_with_newer(connection: sa.Connection, claim: Claim) -> str | None:
    """The tracker's run that had a newer text of the ticket than the claim has."""
    query = sa.select(runs.c.id).where(runs.c.ticket == claim.ticket.key, runs.c.text_at > claim.ticket.updated_at)
    query = query.where(runs.c.trigger == Trigger.WEBHOOK, runs.c.status != RunStatus.FAILED)
    return connection.execute(query.order_by(runs.c.number.desc()).limit(1)).scalar()


def _keeping(insert: Any) -> sa.Executable:
    """Insert a delivery, in place of one of that name: no standard SQL, so that each dialect has its own."""
    statement = insert(deliveries)
    replaced = {"run_id": statement.excluded.run_id, "at": statement.excluded.at}
    kept: sa.Executable = statement.on_conflict_do_update(index_elements=["name"], set_=replaced)
    return kept


_KEEPING = {"postgresql": _keeping(postgresql.insert), "sqlite": _keeping(sqlite.insert)}


def _keep_deliveries(connection: sa.Connection, claim: Claim, run_id: str) -> None:
    names = dict.fromkeys(name for name, _ in claim.deliveries)
    if names:
        kept = [{"name": name, "run_id": run_id, "at": rows.now()} for name in names]
        connection.execute(_KEEPING[connection.dialect.name], kept)
