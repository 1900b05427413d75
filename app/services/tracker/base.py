"""The tracker: where tickets are written and read by people.

The room finds, shows and creates tickets, and says what an account is there. It moves no ticket, and knows nothing of
runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection

from app.domain.eligibility import Memberships
from app.errors import InvalidInput
from app.models import Ticket
from app.results import TicketDetails, TicketHit, TicketProject

LONGEST_SUMMARY = 255
"""Characters, in Jira."""

MOST_COMMENTS = 50


class Tracker(ABC):
    """One tracker, with one account. Whatever asks it may raise TemporarilyFailed, where a later call may succeed,
    and WorkFailed, where somebody must look after the account or the settings first.
    """

    configured = True
    """False where there is no tracker, and all tickets are local."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it, e.g. `Jira`."""

    @abstractmethod
    async def stop(self) -> None:
        """Let go of connections."""

    @abstractmethod
    async def search(self, words: str, *, limit: int = 20) -> tuple[TicketHit, ...]:
        """Tickets with all of the words in their texts, newest first; the newest of all without any word.

        The last word may be the beginning of one. A key finds its ticket first, in any case of letters.
        """

    @abstractmethod
    async def show(self, key: str) -> TicketDetails:
        """All that people need of a ticket. Texts are Markdown; comments are the newest 50, oldest first.

        Raises NotFound also for a ticket that the account may not see.
        """

    @abstractmethod
    async def projects(self) -> tuple[TicketProject, ...]:
        """Where tickets can be created, by key."""

    @abstractmethod
    async def create(self, project: str, summary: str, description: str) -> Ticket:
        """A new ticket of the project's first kind that needs nothing else. `description` is Markdown, or empty.

        A second call makes a second ticket. Raises NotFound for a project that is none to create tickets in, and
        InvalidInput naming what the tracker refused: `project`, `summary`, `description` or its own field.
        """

    @abstractmethod
    async def memberships(self, account_id: str, *, project: str, roles: Collection[str]) -> Memberships:
        """What an account is: its type, all of its groups, and which of these roles it has in a project.

        It may be some minutes old. Raises NotFound for an account that does not exist; WorkFailed also where our own
        account may not know it.
        """

    @abstractmethod
    async def check(self) -> str:
        """Try the account. One line on what was found; raises WorkFailed with what to mend."""


def summary_line(text: str) -> str:
    """A summary on one line. Raises InvalidInput when there is none, or it is too long."""
    line = " ".join(text.split())
    if not line:
        raise InvalidInput("summary", "must not be empty")
    if len(line) > LONGEST_SUMMARY:
        raise InvalidInput("summary", f"must have at most {LONGEST_SUMMARY} characters, and has {len(line)}")
    return line
