"""No tracker at all: what the service has until one is configured."""

from collections.abc import Collection

from app.domain.eligibility import Memberships
from app.errors import Conflict, NotFound
from app.models import Ticket
from app.results import TicketDetails, TicketHit, TicketProject
from app.services.tracker.base import Tracker


class NoTracker(Tracker):
    """Finds nothing and creates nothing. Tickets are local: a key and a text."""

    configured = False

    @property
    def name(self) -> str:
        return "No tracker"

    async def stop(self) -> None:
        pass

    async def search(self, words: str, *, limit: int = 20) -> tuple[TicketHit, ...]:  # noqa: ARG002 - nothing to find
        return ()

    async def show(self, key: str) -> TicketDetails:
        raise NotFound(f"No tracker is configured that could know {key}. Set JIRA_SITE_URL to have one.")

    async def projects(self) -> tuple[TicketProject, ...]:
        return ()

    async def create(self, project: str, summary: str, description: str) -> Ticket:  # noqa: ARG002 - nowhere to create
        raise Conflict("No tracker is configured, so no ticket can be created there. Set JIRA_SITE_URL to have one.")

    async def memberships(self, account_id: str, *, project: str, roles: Collection[str]) -> Memberships:  # noqa: ARG002
        raise NotFound(f"No tracker is configured that could know the account {account_id}. Set JIRA_SITE_URL.")

    async def check(self) -> str:
        return "no tracker is configured; tickets are local"
