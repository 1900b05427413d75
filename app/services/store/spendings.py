"""What the model cost, a row a request, inside a transaction. Synchronous."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from app.domain.budget import Spending, Spent
from app.services.store.tables import spendings

_COLUMNS = frozenset({"id", "ticket", "run_id", "session_id", "at", "model", "cost_usd", "settled"})


def spent(connection: sa.Connection, ticket: str, day: date) -> Spent:
    """What the ticket has cost, and the day. What was not settled counts as it was estimated."""
    total = sa.func.coalesce(sa.func.sum(spendings.c.cost_usd), 0.0)
    of_ticket = sa.select(total).where(spendings.c.ticket == ticket).scalar_subquery()
    of_day = sa.select(total).where(spendings.c.day == day).scalar_subquery()
    row = connection.execute(sa.select(of_ticket.label("ticket_usd"), of_day.label("day_usd"))).mappings().one()
    return Spent.model_validate(dict(row))


def keep(connection: sa.Connection, spending: Spending) -> None:
    """Write the request down, in place of what was known of it."""
    row = _row(spending)
    known = sa.update(spendings).where(spendings.c.id == spending.id).values(**row)
    if connection.execute(known).rowcount == 0:
        connection.execute(sa.insert(spendings).values(**row))


def _row(spending: Spending) -> dict[str, Any]:
    return {
        **spending.model_dump(include=set(_COLUMNS)),
        "day": spending.day,
        "measured": spending.model_dump(mode="json", exclude=set(_COLUMNS), exclude_none=True),
    }
