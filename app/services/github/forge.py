"""Pull requests at a forge: what a forge must offer, and the one way to open or find a pull request with it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial

from app.errors import WorkFailed
from app.models import PullRequest
from app.services.github.base import Guard
from app.services.github.remote import Remote


@dataclass(frozen=True)
class Proposal:
    """What a pull request should say."""

    branch: str
    base: str
    title: str
    body: str
    draft: bool = False


@dataclass(frozen=True)
class Found:
    """An open pull request, and what it says now."""

    pull_request: PullRequest
    title: str
    body: str
    base: str


class Forge(ABC):
    """The place where pull requests are. Methods raise TemporarilyFailed and WorkFailed as `GitHub` does.

    Those that write await `guard` immediately before each request that does.
    """

    @abstractmethod
    async def find(self, remote: Remote, branch: str) -> Found | None:
        """The open pull request of a branch of this very repository; forks and closed ones do not count."""

    @abstractmethod
    async def create(self, remote: Remote, proposal: Proposal, *, guard: Guard) -> PullRequest:
        """Open a pull request; one that is not a draft where the forge knows no drafts."""

    @abstractmethod
    async def update(self, remote: Remote, number: int, proposal: Proposal, *, retarget: bool, guard: Guard) -> None:
        """Replace title and body, and with `retarget` the base."""

    @abstractmethod
    async def hold(self, remote: Remote, number: int, *, guard: Guard) -> bool:
        """Turn a pull request into a draft, and say whether that worked: some forges, or plans of them, have none."""

    @abstractmethod
    async def check(self, remote: Remote) -> str:
        """Try the credential; half a sentence on what it allows. Raises WorkFailed with what to mend."""


async def open_or_find(
    forge: Forge, remote: Remote, proposal: Proposal, *, guard: Guard, retarget: bool = False, hold: bool = False
) -> PullRequest:
    """The one open pull request of the branch, saying what is proposed.

    One that is there already keeps the base that people gave it, unless `retarget`, and is a draft or none as they
    left it, unless `hold`.
    """
    change = partial(_updated, forge, remote, proposal=proposal, guard=guard, retarget=retarget, hold=hold)
    found = await forge.find(remote, proposal.branch)
    if found:
        return await change(found, created=False)
    try:
        return await forge.create(remote, proposal, guard=guard)
    except WorkFailed:
        # It may be there all the same: the answer was lost after it was made, or somebody else was faster.
        found = await forge.find(remote, proposal.branch)
        if found is None:
            raise
    return await change(found, created=True)


async def _updated(
    forge: Forge,
    remote: Remote,
    found: Found,
    *,
    proposal: Proposal,
    guard: Guard,
    created: bool,
    retarget: bool,
    hold: bool,
) -> PullRequest:
    same_text = found.title == proposal.title and _plain(found.body) == _plain(proposal.body)
    moves = retarget and found.base != proposal.base
    if moves or not same_text:
        await forge.update(remote, found.pull_request.number, proposal, retarget=moves, guard=guard)
    request = found.pull_request
    draft = request.draft or (hold and await forge.hold(remote, request.number, guard=guard))
    return request.model_copy(update={"created": created, "draft": draft})


def _plain(body: str) -> str:
    return body.replace("\r\n", "\n").strip()
