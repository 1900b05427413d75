"""A tracker in memory, for tests."""

import re
from collections.abc import Collection, Iterable, Mapping

from app.domain.eligibility import Memberships
from app.errors import InvalidInput, NotFound
from app.models import Ticket
from app.results import TicketDetails, TicketHit, TicketProject
from app.services.tracker.base import MOST_COMMENTS, Tracker, summary_line

SITE = "https://jira.example"


class MockTracker(Tracker):
    """Knows the tickets that it was given, oldest first, and those that it made.

    `projects` are names by key. `needs` names a field by project, without which no ticket is created there. `accounts`
    have their roles in every project.
    """

    def __init__(
        self,
        *,
        tickets: Iterable[TicketDetails] = (),
        projects: Mapping[str, str] | None = None,
        needs: Mapping[str, str] | None = None,
        accounts: Mapping[str, Memberships] | None = None,
    ) -> None:
        self._tickets = {each.ticket.key: each for each in tickets}
        self._projects = dict(projects or {})
        self._needs = dict(needs or {})
        self._accounts = dict(accounts or {})

    @property
    def name(self) -> str:
        return "Jira"

    async def stop(self) -> None:
        pass

    async def search(self, words: str, *, limit: int = 20) -> tuple[TicketHit, ...]:
        newest = list(reversed(self._tickets.values()))
        exact = [each for each in newest if each.ticket.key == words.strip().upper()]
        wanted = _words(words)
        found = [each for each in newest if each not in exact and _holds(each, wanted)]
        if words.strip() and not wanted:
            found = []
        return tuple(map(_hit, [*exact, *found][: max(1, limit)]))

    async def show(self, key: str) -> TicketDetails:
        if key not in self._tickets:
            raise NotFound(f"There is no ticket {key[:100]}. Check the key.")
        known = self._tickets[key]
        return known.model_copy(update={"comments": known.comments[-MOST_COMMENTS:]})

    async def projects(self) -> tuple[TicketProject, ...]:
        return tuple(TicketProject(key=key, name=name) for key, name in sorted(self._projects.items()))

    async def create(self, project: str, summary: str, description: str) -> Ticket:
        summary = summary_line(summary)
        if project not in self._projects:
            raise NotFound(f"There is no project {project[:100]} to create tickets in. Choose another one.")
        if project in self._needs:
            raise InvalidInput("project", f"{project} takes no ticket from here: it needs {self._needs[project]}")
        key = self._next_key(project)
        ticket = Ticket(key=key, summary=summary, description=description, url=f"{SITE}/browse/{key}")
        self._tickets[key] = TicketDetails(ticket=ticket, status="To Do", kind="Task")
        return ticket

    async def memberships(self, account_id: str, *, project: str, roles: Collection[str]) -> Memberships:
        if account_id not in self._accounts:
            raise NotFound(f"There is no account {account_id}. Check the id.")
        known = self._accounts[account_id]
        has = known.roles.intersection(roles) if project in self._projects else frozenset[str]()
        return known.model_copy(update={"roles": has})

    async def check(self) -> str:
        return f"a tracker in memory knows {len(self._tickets)} tickets"

    def _next_key(self, project: str) -> str:
        taken = [key.rpartition("-") for key in self._tickets]
        return f"{project}-{1 + max((int(number) for name, _, number in taken if name == project), default=0)}"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _holds(details: TicketDetails, wanted: list[str]) -> bool:
    """All of the words, of which the last may be the beginning of one."""
    ticket = details.ticket
    there = _words(" ".join([ticket.summary, ticket.description, *(comment.text for comment in details.comments)]))
    return all(word in there for word in wanted[:-1]) and all(
        any(each.startswith(word) for each in there) for word in wanted[-1:]
    )


def _hit(details: TicketDetails) -> TicketHit:
    ticket = details.ticket
    return TicketHit(key=ticket.key, summary=ticket.summary, status=details.status, kind=details.kind, url=ticket.url)
