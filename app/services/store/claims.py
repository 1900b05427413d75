"""Taking a ticket, inside the transaction that also queues its work. Synchronous, as transactions are."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.domain.run_state import ACTIVE
from app.models import EventKind, PipelineOptions, Receipt, Request, RunStatus, Ticket, Trigger
from app.services.store import rows
from app.services.store.base import Claim, Enqueue
from app.services.store.payloads import without_null
from app.services.store.tables import conversations, deliveries, runs


def take(connection: sa.Connection, claim: Claim, enqueue: Enqueue) -> Receipt:
    """Store ticket, run and delivery and queue the run; or say which run has them already."""
    for name, since in claim.deliveries:
        if (known := _delivered(connection, name, since)) is not None:
            return claim.refused_as_delivered(known)
    changed = keep_ticket(connection, claim.ticket)
    if (active := active_run(connection, claim.ticket.key)) is not None:
        if changed:
            rows.append(connection, active, EventKind.TICKET_UPDATED, {"summary": claim.ticket.summary})
        _keep_deliveries(connection, claim, active)
        return claim.refused_as_active(active)
    run_id = begin(connection, claim.ticket.key, claim.request, claim.trigger, claim.options, enqueue)
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
    asked = without_null(request.model_dump(mode="json"))
    run: dict[str, Any] = {"id": run_id, "ticket": ticket, "status": RunStatus.QUEUED, "mode": request.mode}
    run |= {"trigger": trigger, "options": options.model_dump(), "request": asked, "created_at": rows.now()}
    empty: dict[str, Any] = {"stages": [], "pull_requests": [], "tokens": {}, "cost_usd": 0.0}
    connection.execute(sa.insert(runs).values(**run, **empty, leg=1, answering=answering))
    status = {"status": RunStatus.QUEUED, "trigger": trigger, "mode": request.mode}
    rows.append(
        connection, run_id, EventKind.RUN_STATUS, status if request.by is None else {**status, "by": request.by}
    )
    if request.text:
        sent = {name: asked[name] for name in ("text", "by", "mode", "model", "auto_pr")}
        rows.append(connection, run_id, EventKind.MESSAGE_SENT, sent)
    rows.touch(connection, ticket)
    enqueue(connection, run_id)
    return run_id


def keep_ticket(connection: sa.Connection, ticket: Ticket) -> bool:
    """Keep the newest text of the ticket; whether it is another one than before."""
    at = rows.now()
    known = connection.execute(sa.select(conversations).where(conversations.c.ticket == ticket.key)).mappings().first()
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


def _delivered(connection: sa.Connection, name: str, since: datetime | None) -> str | None:
    query = sa.select(deliveries.c.run_id).where(deliveries.c.name == name)
    if since is not None:
        joined = sa.join(deliveries, runs, deliveries.c.run_id == runs.c.id)
        query = query.select_from(joined).where(deliveries.c.at >= since, runs.c.status != RunStatus.FAILED)
    return connection.execute(query).scalar()


def _keep_deliveries(connection: sa.Connection, claim: Claim, run_id: str) -> None:
    values = {"run_id": run_id, "at": rows.now()}
    for name, _ in claim.deliveries:
        known = sa.update(deliveries).where(deliveries.c.name == name).values(**values)
        if connection.execute(known).rowcount == 0:
            connection.execute(sa.insert(deliveries).values(name=name, **values))
