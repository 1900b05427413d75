"""Who may start a run from the tracker: asks the tracker where the rule needs to know more of an account."""

from app.domain.eligibility import Memberships, Sender, Starters, reason_to_refuse
from app.errors import ConfigurationError, NotFound
from app.services.tracker.base import Tracker


class Admission:
    """Lets in whom `starters` name. Raises ConfigurationError when they name groups or roles, and no tracker is there
    that knows them.
    """

    def __init__(self, *, tracker: Tracker, starters: Starters) -> None:
        if starters.by_membership and not tracker.configured:
            raise ConfigurationError(
                "TRIGGER_ALLOWED_USERS names groups or roles, and no tracker is configured that knows who is in them. "
                "Set JIRA_SITE_URL, or name account ids only."
            )
        self._tracker = tracker
        self._starters = starters

    async def reason_to_refuse(self, sender: Sender, *, ticket: str) -> str | None:
        """Why the sender may not have the ticket worked on; None when they may.

        Raises TemporarilyFailed or WorkFailed when the tracker does not say what must be known for it.
        """
        return reason_to_refuse(self._starters, sender, await self._memberships(sender, ticket))

    async def _memberships(self, sender: Sender, ticket: str) -> Memberships | None:
        if sender.actor is None or not self._starters.asks_about(sender):
            return None
        project = ticket.rpartition("-")[0]
        try:
            return await self._tracker.memberships(sender.actor.id, project=project, roles=self._starters.roles)
        except NotFound:  # an account that does not exist is in no group
            return None
