"""Taking a ticket, inside the transaction that also queues its work. Synchronous, as transactions are."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.domain.run_state import ACTIVE
from app.models import EventKind, Receipt, RunStatus, Ticket
from app.services.store import rows, tables
from app.services.store.base import Claim, Enqueue


def take(connection: sa.Connection, claim: Claim, enqueue: Enqueue) -> Receipt:
    """Store ticket, run and delivery and queue the run; or say which run has them already."""
    for name, since in claim.deliveries:
        if (known := _delivered(connection, name, since)) is not None:
            return claim.refused_as_delivered(known)
    changed = _keep_ticket(connection, claim.ticket)
    if (known := _active_run(connection, claim.ticket.key)) is not None:
        if changed:
            rows.append(connection, known, EventKind.TICKET_UPDATED, {"summary": claim.ticket.summary})
        _keep_deliveries(connection, claim, known)
        return claim.refused_as_active(known)
    run_id = str(uuid.uuid4())
    _insert_run(connection, run_id, claim)
    _keep_deliveries(connection, claim, run_id)
    enqueue(connection, run_id)
    return Receipt(status="accepted", ticket=claim.ticket.key, run_id=run_id)


def _keep_ticket(connection: sa.Connection, ticket: Ticket) -> bool:
    """Keep the newest text of the ticket; whether it is another one than before."""
    table, at = tables.conversations, rows.now()
    known = connection.execute(sa.select(table).where(table.c.ticket == ticket.key)).mappings().first()
    values = {"summary": ticket.summary, "description": ticket.description, "url": ticket.url}
    if known is None:
        connection.execute(sa.insert(table).values(ticket=ticket.key, created_at=at, updated_at=at, **values))
        return True
    if all(known[name] == value for name, value in values.items()):
        return False
    connection.execute(sa.update(table).where(table.c.ticket == ticket.key).values(**values, updated_at=at))
    return True


def _active_run(connection: sa.Connection, key: str) -> str | None:
    table = tables.runs
    query = sa.select(table.c.id).where(table.c.ticket == key, table.c.status.in_(sorted(ACTIVE)))
    return connection.execute(query).scalar()


def _delivered(connection: sa.Connection, name: str, since: datetime | None) -> str | None:
    deliveries, runs = tables.deliveries, tables.runs
    query = sa.select(deliveries.c.run_id).where(deliveries.c.name == name)
    if since is not None:
        joined = sa.join(deliveries, runs, deliveries.c.run_id == runs.c.id)
        query = query.select_from(joined).where(deliveries.c.at >= since, runs.c.status != RunStatus.FAILED)
    return connection.execute(query).scalar()


def _keep_deliveries(connection: sa.Connection, claim: Claim, run_id: str) -> None:
    table, values = tables.deliveries, {"run_id": run_id, "at": rows.now()}
    for name, _ in claim.deliveries:
        if connection.execute(sa.update(table).where(table.c.name == name).values(**values)).rowcount == 0:
            connection.execute(sa.insert(table).values(name=name, **values))


def _insert_run(connection: sa.Connection, run_id: str, claim: Claim) -> None:
    run: dict[str, Any] = {"id": run_id, "ticket": claim.ticket.key, "status": RunStatus.QUEUED, "mode": claim.mode}
    run |= {"trigger": claim.trigger, "options": claim.options.model_dump(), "created_at": rows.now()}
    empty: dict[str, Any] = {"stages": [], "pull_requests": [], "tokens": {}, "cost_usd": 0.0, "last_seq": 0}
    connection.execute(sa.insert(tables.runs).values(**run, **empty))
    rows.append(connection, run_id, EventKind.RUN_STATUS, {"status": RunStatus.QUEUED, "trigger": claim.trigger})
