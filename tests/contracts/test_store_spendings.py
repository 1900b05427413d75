"""Every store remembers alike what the model cost: by ticket, by day, settled or not."""

import asyncio
from datetime import UTC, date, datetime

from app.domain.budget import Spending, Spent
from app.models import Tokens
from app.services.store import Store

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = date(2026, 11, 20)


def spending_of(name: str, cost_usd: float, *, ticket: str = "PROJ-1", at: datetime = NOON) -> Spending:
    return Spending(id=name, ticket=ticket, run_id="run-1", session_id="s", at=at, cost_usd=cost_usd)


async def test_nothing_was_spent_on_a_ticket_that_nobody_knows(store: Store) -> None:
    assert await store.spent("PROJ-1", TODAY) == Spent()


async def test_what_is_on_its_way_counts_as_its_estimate(store: Store) -> None:
    await store.reserve(spending_of("a", 0.5))
    assert await store.spent("PROJ-1", TODAY) == Spent(ticket_usd=0.5, day_usd=0.5)


async def test_what_is_settled_counts_as_what_it_was(store: Store) -> None:
    await store.reserve(spending_of("a", 0.5))
    tokens = Tokens(input=10, output=2, cache_read=5, cache_write=1)
    measured = {"settled": True, "cost_usd": 0.25, "model": "claude-sonnet-4-6", "tokens": tokens, "status": 200}
    await store.settle(spending_of("a", 0.5).model_copy(update=measured))
    assert await store.spent("PROJ-1", TODAY) == Spent(ticket_usd=0.25, day_usd=0.25)


async def test_what_was_settled_without_its_estimate_counts_too(store: Store) -> None:
    await store.settle(spending_of("a", 0.25))
    assert await store.spent("PROJ-1", TODAY) == Spent(ticket_usd=0.25, day_usd=0.25)


async def test_a_ticket_counts_all_its_days_and_a_day_all_its_tickets(store: Store) -> None:
    evening, morning = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    await store.reserve(spending_of("a", 1.0, at=evening))
    await store.reserve(spending_of("b", 2.0, at=morning))
    await store.reserve(spending_of("c", 4.0, ticket="PROJ-2", at=morning))
    assert await store.spent("PROJ-1", TODAY) == Spent(ticket_usd=3.0, day_usd=1.0)
    assert await store.spent("PROJ-1", date(2026, 11, 21)) == Spent(ticket_usd=3.0, day_usd=6.0)


async def test_requests_at_once_are_all_counted(store: Store) -> None:
    await asyncio.gather(*(store.reserve(spending_of(f"{number}", 0.5)) for number in range(20)))
    assert (await store.spent("PROJ-1", TODAY)).ticket_usd == 10.0
