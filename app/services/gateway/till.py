"""Who may spend how much: every request is charged here before it is sent, and settled when its cost is known."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date

from app.domain.budget import Admission, Spending, admission
from app.errors import StoreUnavailable, WorkFailed
from app.logger import get_logger
from app.results import Account
from app.services.gateway.base import Ledger

_DRAIN_S = 5.0
_AFTER_SENDING_S = 0.02

_log = get_logger(__name__)


class CeilingReached(WorkFailed):
    """The ticket, or the day, has cost what it may."""


@dataclass(frozen=True)
class Ceilings:
    """US dollars; None where there is none."""

    ticket_usd: float
    day_usd: float | None


@dataclass
class _Purse:
    """What a ticket, or a day, has spent; and what its requests on their way are estimated to cost, by their ids."""

    spent_usd: float = 0.0
    reserved: dict[str, float] = field(default_factory=dict)
    unwritten: dict[str, float] = field(default_factory=dict)
    known: bool = False

    def learn(self, written_usd: float) -> None:
        """Take over what the ledger says, which others may have added to; what is on its way may be part of it."""
        self.spent_usd = max(self.spent_usd, written_usd - sum(self.unwritten.values()))
        self.known = True

    @property
    def reserved_usd(self) -> float:
        return sum(self.reserved.values())


class Till:
    """The ledger, with what is on its way. Writing never holds up a request."""

    def __init__(self, *, ledger: Ledger, ceilings: Ceilings) -> None:
        self._ledger = ledger
        self._ceilings = ceilings
        self._tickets: dict[str, _Purse] = {}
        self._days: dict[date, _Purse] = {}
        self._settled = asyncio.Event()
        self._writing: dict[str, asyncio.Task[None]] = {}

    def forget(self, ticket: str) -> None:
        """Ask the ledger anew before the ticket's next request: others may have spent too."""
        if (purse := self._tickets.get(ticket)) is not None:
            purse.known = False

    async def reserve(self, account: Account, spending: Spending) -> None:
        """Charge the estimate. Near a ceiling, wait until what is on its way has said what it cost.

        Raises CeilingReached, and StoreUnavailable when it cannot be known what was spent.
        """
        ticket, day = await self._purses(spending)
        ceiling = min(self._ceilings.ticket_usd, account.ceiling_usd or self._ceilings.ticket_usd)
        while True:
            verdicts = {_asked(ticket, spending, ceiling), _asked(day, spending, self._ceilings.day_usd)}
            if Admission.REFUSE in verdicts:
                raise self._reached(account, ticket, day, ceiling)
            if Admission.WAIT not in verdicts:
                break
            await self._settled.wait()
        for purse in (ticket, day):
            purse.reserved[spending.id] = purse.unwritten[spending.id] = spending.cost_usd
        self._write(self._ledger.reserve, spending)

    def settle(self, spending: Spending) -> None:
        """Charge what it really was, in place of the estimate."""
        for purse in (self._tickets[spending.ticket], self._days[spending.day]):
            del purse.reserved[spending.id]
            purse.spent_usd += spending.cost_usd
        self._settled.set()
        self._settled = asyncio.Event()
        self._write(self._ledger.settle, spending)

    async def drain(self) -> None:
        """Wait until everything is written, for at most a while. What is not, counts as its estimate for good."""
        if self._writing:
            _, late = await asyncio.wait(set(self._writing.values()), timeout=_DRAIN_S)
            for task in late:
                task.cancel()

    async def _purses(self, spending: Spending) -> tuple[_Purse, _Purse]:
        ticket = self._tickets.setdefault(spending.ticket, _Purse())
        day = self._days.setdefault(spending.day, _Purse())
        if not (ticket.known and day.known):
            spent = await self._ledger.spent(spending.ticket, spending.day)
            ticket.learn(spent.ticket_usd)
            day.learn(spent.day_usd)
        return ticket, day

    def _reached(self, account: Account, ticket: _Purse, day: _Purse, ceiling_usd: float) -> CeilingReached:
        if ticket.spent_usd >= ceiling_usd:
            name = "its project's ceiling" if ceiling_usd < self._ceilings.ticket_usd else "MAX_COST_USD_PER_TICKET"
            said = f"{account.ticket} has cost ${ticket.spent_usd:.2f}, and may cost ${ceiling_usd:.2f}. "
            return CeilingReached(f"{said}Raise {name}, then retry the run; what is done is kept.")
        said = f"Today has cost ${day.spent_usd:.2f}, and may cost ${self._ceilings.day_usd:.2f}. "
        return CeilingReached(f"{said}Retry the run tomorrow (UTC), or raise MAX_COST_USD_PER_DAY.")

    def _write(self, way: Callable[[Spending], Awaitable[None]], spending: Spending) -> None:
        before = self._writing.get(spending.id)

        async def write() -> None:
            # Not while the request is being sent: the database's thread would take the interpreter away from it.
            await (asyncio.wait({before}) if before is not None else asyncio.sleep(_AFTER_SENDING_S))
            try:
                await way(spending)
            except StoreUnavailable as error:
                _log.error("spending_not_written", spending=spending.id, message=error.message)
            if spending.settled:
                self._written(spending)

        self._writing[spending.id] = asyncio.create_task(write())

    def _written(self, spending: Spending) -> None:
        del self._writing[spending.id]
        for purse in (self._tickets[spending.ticket], self._days[spending.day]):
            del purse.unwritten[spending.id]


def _asked(purse: _Purse, spending: Spending, ceiling_usd: float | None) -> Admission:
    return admission(
        spent_usd=purse.spent_usd,
        reserved_usd=purse.reserved_usd,
        estimate_usd=spending.cost_usd,
        ceiling_usd=ceiling_usd,
    )
