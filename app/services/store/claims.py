"""Taking a ticket, inside the transaction that also queues its work. Synchronous, as transactions are."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.domain.run_state import ACTIVE
from app.models import EventKind, PipelineOptions, Receipt, Request, RunStatus, Ticket, Trigger
from app.services.store import rows
from app.services.store.base import Claim, Enqueue
from app.services.store.tables import conversations, deliveries, runs


def take(connection: sa.Connection, claim: Claim, enqueue: Enqueue) -> Receipt:
    """Store ticket, run and delivery and queue the run; or say which run has them already."""
    if (known := _delivered(connection, claim)) is not None:
        return claim.refused_as_delivered(known)
    changed = keep_ticket(connection, claim.ticket)
    if (active := active_run(connection, claim.ticket.key)) is not None:
        if changed:
            rows.append(connection, active, EventKind.TICKET_UPDATED, {"summary": claim.ticket.summary})
        _keep_deliveries(connection, claim, active)
        return claim.refused_as_active(active)
    key, answering = claim.ticket.key, claim.answering
    run_id = begin(connection, key, claim.request, claim.trigger, claim.options, enqueue, answering=answering)
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
) -> str:
    """A queued run of a ticket that has no active one; the return is its id."""
    run_id = str(uuid.uuid4())
    asked = request.model_dump(mode="json")
    run: dict[str, Any] = {"id": run_id, "ticket": ticket, "status": RunStatus.QUEUED, "mode": request.mode}
    run |= {"trigger": trigger, "options": options.model_dump(), "request": asked, "created_at": rows.now()}
    empty: dict[str, Any] = {"stages": [], "pull_requests": [], "tokens": {}, "cost_usd": 0.0}
    connection.execute(sa.insert(runs).values(**run, **empty, leg=1, answering=answering))
    status: dict[str, Any] = {"status": RunStatus.QUEUED, "trigger": trigger, "mode": request.mode}
    if request.by is not None:
        status["by"] = request.by
    if request.retry_of is not None:
        status["retry"] = True
    rows.append(connection, run_id, EventKind.RUN_STATUS, status)
    if request.text and request.retry_of is None:  # the words of a retry were said before
        sent = {name: asked[name] for name in ("text", "by", "mode", "model", "auto_pr")}
        rows.append(connection, run_id, EventKind.MESSAGE_SENT, sent)
    enqueue(connection, run_id)
    return run_id


def keep_ticket(connection: sa.Connection, ticket: Ticket) -> bool:
    """Keep the newest text of the ticket, and hold its conversation; whether it is another text than before."""
    at = rows.now()
    held = sa.select(conversations).where(conversations.c.ticket == ticket.key).with_for_update(key_share=True)
    known = connection.execute(held).mappings().first()
    values = {"summary": ticket.summary, "description": ticket.description, "url": ticket.url}
    if known is None:
        row = {"ticket": ticket.key, "created_at": at, "updated_at": at, "last_seq": 0, **values}
        connection.execute(sa.insert(conversations).values(**row))
        return True
    if all(known[name] == value for name, value in values.items()):
        return False
    mine = conversations.c.ticket == ticket.key
    connection.execute(sa.update(conversations).where(mine).values(**values, updated_at=at))
    return True


def active_run(connection: sa.Connection, ticket: str) -> str | None:
    """The ticket's run that is queued, running or waiting for people."""
    query = sa.select(runs.c.id).where(runs.c.ticket == ticket, runs.c.status.in_(sorted(ACTIVE)))
    return connection.execute(query).scalar()


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


def _keep_deliveries(connection: sa.Connection, claim: Claim, run_id: str) -> None:
    names = [name for name, _ in claim.deliveries]
    if names:
        connection.execute(sa.delete(deliveries).where(deliveries.c.name.in_(names)))
        kept = [{"name": name, "run_id": run_id, "at": rows.now()} for name in dict.fromkeys(names)]
        connection.execute(sa.insert(deliveries), kept)
