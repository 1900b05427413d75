"""A forge in memory, for real git and for none."""

from dataclasses import replace

from app.errors import WorkFailed
from app.models import PullRequest
from app.services.github.base import Guard
from app.services.github.forge import Forge, Found, Proposal
from app.services.github.remote import Remote

OFFLINE_HOST = "offline.invalid"


class OfflineForge(Forge):
    """Keeps pull requests in memory. `pull_requests` has them in the order of their opening, the closed ones too."""

    def __init__(self) -> None:
        self.pull_requests: list[PullRequest] = []
        self.proposals: list[Proposal] = []
        self._open: dict[tuple[str, str], int] = {}

    async def find(self, remote: Remote, branch: str) -> Found | None:
        """See Forge."""
        if (place := self._open.get((remote.slug, branch))) is None:
            return None
        proposal = self.proposals[place]
        return Found(self.pull_requests[place], proposal.title, proposal.body, proposal.base)

    async def create(self, remote: Remote, proposal: Proposal, *, guard: Guard) -> PullRequest:
        """See Forge."""
        await guard()
        if (remote.slug, proposal.branch) in self._open:
            raise WorkFailed(f"Could not open the pull request of {proposal.branch}: it has one already.")
        number = 1 + sum(other.repository == remote.slug for other in self.pull_requests)
        url = f"https://{remote.host or OFFLINE_HOST}/{remote.slug}/pull/{number}"
        made = PullRequest(url=url, number=number, repository=remote.slug, draft=proposal.draft)
        self._open[remote.slug, proposal.branch] = len(self.pull_requests)
        self.pull_requests.append(made)
        self.proposals.append(proposal)
        return made

    async def update(self, remote: Remote, number: int, proposal: Proposal, *, retarget: bool, guard: Guard) -> None:
        """See Forge."""
        await guard()
        place = self._place(remote.slug, number)
        base = proposal.base if retarget else self.proposals[place].base
        self.proposals[place] = replace(proposal, base=base)

    async def hold(self, remote: Remote, number: int, *, guard: Guard) -> bool:
        """See Forge."""
        await guard()
        place = self._place(remote.slug, number)
        self.pull_requests[place] = self.pull_requests[place].model_copy(update={"draft": True})
        return True

    async def check(self, remote: Remote) -> str:
        """See Forge."""
        return f"pull requests of {remote.slug} stay offline"

    def close(self, pull_request: PullRequest) -> None:
        """What a person does to a pull request."""
        closed = self._place(pull_request.repository, pull_request.number)
        self._open = {key: place for key, place in self._open.items() if place != closed}

    def _place(self, repository: str, number: int) -> int:
        names = [(other.repository, other.number) for other in self.pull_requests]
        return names.index((repository, number))
