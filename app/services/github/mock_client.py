"""Offline stand-ins: a forge in memory for real git, and the whole room in memory and plain directories."""

from app.models import PullRequest
from app.services.github.forge import Forge, Found, Proposal
from app.services.github.remote import Remote


class OfflineForge(Forge):
    """Keeps pull requests in memory. `pull_requests` has them in the order of their opening."""

    def __init__(self) -> None:
        self._open: dict[str, Found] = {}
        self.pull_requests: list[PullRequest] = []

    async def find(self, remote: Remote, branch: str) -> Found | None:  # noqa: ARG002 - there is one repository
        """See Forge."""
        return self._open.get(branch)

    async def create(self, remote: Remote, proposal: Proposal) -> PullRequest:
        """See Forge."""
        number = len(self.pull_requests) + 1
        url = f"https://{remote.host or 'offline.invalid'}/{remote.slug}/pull/{number}"
        made = PullRequest(url=url, number=number, repository=remote.slug, draft=proposal.draft)
        self.pull_requests.append(made)
        self._open[proposal.branch] = Found(made, proposal.title, proposal.body)
        return made

    async def update(self, remote: Remote, number: int, proposal: Proposal) -> None:  # noqa: ARG002
        """See Forge."""
        self._open[proposal.branch] = Found(self.pull_requests[number - 1], proposal.title, proposal.body)

    async def check(self, remote: Remote) -> str:
        """See Forge."""
        return f"pull requests of {remote.slug} stay offline"
