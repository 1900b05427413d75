"""The one way from the agent to the model: it holds the credential, and counts what is spent.

The room knows the Messages API on the wire. It refuses requests that belong to no turn, those over a ceiling, and
those that the account could not serve anyway; it never changes what is asked or answered.
"""

from abc import ABC, abstractmethod
from datetime import date
from typing import Protocol

from app.domain.budget import Spending, Spent
from app.domain.model_limits import Standing
from app.errors import WorkFailed
from app.results import Account


class Ledger(Protocol):
    """Where it is written down what was spent, over every run and restart."""

    async def spent(self, ticket: str, day: date) -> Spent:
        """What was spent so far."""

    async def reserve(self, spending: Spending) -> None:
        """Write down a request with its estimate."""

    async def settle(self, spending: Spending) -> None:
        """Write down what the request of that id really was."""


class Door(ABC):
    """One CLI process's way to the model, on a port and with a token of its own."""

    url: str
    """What the CLI gets as ANTHROPIC_BASE_URL, or ANTHROPIC_BEDROCK_BASE_URL."""
    port: int
    token: str
    """What the CLI sends as its credential. It is good at this door only, and only while a turn is open."""

    @abstractmethod
    def begin(self, account: Account) -> None:
        """Open a turn: from now on requests pass, and are charged to the account."""

    @abstractmethod
    def end(self) -> None:
        """End the turn: the token is worth nothing, and what is still on its way is cut off."""

    @abstractmethod
    def refusal(self) -> WorkFailed | None:
        """Why the gateway last refused a request of the turn, also after its end; None where it refused none.

        Parked while the account takes no requests, Overloaded while the API serves nobody; else WorkFailed: a ceiling
        is reached, the credential is refused.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close the port, and cut off what is on its way. A second call changes nothing."""


class Gateway(ABC):
    """Opens doors to the model, and knows how the account stands."""

    @abstractmethod
    async def start(self) -> None:
        """Get ready. Called once."""

    @abstractmethod
    async def stop(self) -> None:
        """Close every door, and write down what is left to be written."""

    @abstractmethod
    async def open(self, session_id: str) -> Door:
        """A door for the process of that session, without a turn yet."""

    @property
    @abstractmethod
    def standing(self) -> Standing:
        """Whether the account takes requests, and until when it does not."""

    @abstractmethod
    async def admitted(self) -> None:
        """Return when new work may start. Raises Parked with the time at which to ask again."""
