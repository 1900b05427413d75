"""A ledger for a question that belongs to no ticket: it is asked once, and nothing is written down."""

from datetime import date

from app.domain.budget import Spending, Spent
from app.services.gateway.base import Ledger


class Forgetful(Ledger):
    """Knows of nothing that was spent."""

    async def spent(self, ticket: str, day: date) -> Spent:  # noqa: ARG002
        return Spent()

    async def reserve(self, spending: Spending) -> None:
        pass

    async def settle(self, spending: Spending) -> None:
        pass
