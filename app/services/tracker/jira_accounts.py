"""What Jira knows of accounts: their types, their groups, and their roles in projects.

It is asked while a webhook waits for its answer. So each answer is kept for some minutes, those who want the same at
once ask once, and Jira gets a few seconds.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel

from app.domain.eligibility import Memberships
from app.domain.naming import is_ticket_key
from app.errors import InvalidInput, NotFound, TemporarilyFailed, WorkFailed
from app.services.tracker import jira_answers as jira
from app.services.tracker.jira_api import JiraApi

KEPT_S = 600.0
LIMIT_S = 5.0

_MOST_KEPT = 1_000

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class JiraAccounts:
    """Accounts of one site. `clock` gives seconds; all that one question needs has `limit_s` together."""

    def __init__(self, api: JiraApi, *, limit_s: float = LIMIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._limit_s = limit_s
        self._accounts = _Kept[Memberships](clock)
        self._roles = _Kept[jira.Roles](clock)
        self._actors = _Kept[jira.Role](clock)

    async def memberships(self, account_id: str, *, project: str, roles: Collection[str]) -> Memberships:
        """See `Tracker.memberships`."""
        try:
            async with asyncio.timeout(self._limit_s):
                known = await self._accounts.get(account_id, lambda: self._account(account_id))
                has = [role for role in sorted(roles) if await self._has(role, project, account_id, known.groups)]
        except TimeoutError as error:
            raise TemporarilyFailed(
                f"Jira did not say within {self._limit_s:g} seconds what the account {account_id} is. Try again later."
            ) from error
        return known.model_copy(update={"roles": frozenset(has)})

    async def _account(self, account_id: str) -> Memberships:
        try:
            account = await self._api.get(jira.Account, "/user", accountId=account_id)
            groups = await self._api.get(jira.Groups, "/user/groups", accountId=account_id)
        except (NotFound, InvalidInput) as error:
            raise NotFound(f"Jira knows no account {account_id}. Check what the webhook sends.") from error
        names = frozenset[str]().union(*(group.names for group in groups.root))
        return Memberships(kind=account.account_type, groups=names)

    async def _has(self, role: str, project: str, account_id: str, groups: frozenset[str]) -> bool:
        """Whether the account has the role. What is no role of the project, nobody has."""
        address = (await self._roles.get(project, lambda: self._roles_of(project))).root.get(role)
        if address is None:
            return False
        path = f"/project/{project}/role/{_last_number(address)}"
        found = await self._actors.get(path, lambda: self._asked(jira.Role, path, project))
        return found.has(account_id, groups)

    async def _roles_of(self, project: str) -> jira.Roles:
        if not is_ticket_key(f"{project}-1"):
            raise WorkFailed(f"{project[:100]!r} is not the key of a project at Jira. Check what the webhook sends.")
        return await self._asked(jira.Roles, f"/project/{project}/role", project)

    async def _asked(self, answer: type[M], path: str, project: str) -> M:
        try:
            return await self._api.get(answer, path)
        except TemporarilyFailed:
            raise
        except (NotFound, WorkFailed) as error:  # 401 and 404 are Jira's words for accounts that may not know it
            raise WorkFailed(
                f"Jira does not tell our account who has which role in {project}. Let JIRA_EMAIL administer the "
                "project, or name groups or account ids in TRIGGER_ALLOWED_USERS in place of roles."
            ) from error


class _Kept(Generic[T]):
    """Answers by what was asked, each for ten minutes; the oldest go when there are too many. Failures are not kept."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, asked: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer that is known, or a new one."""
        lock = self._asking.setdefault(asked, asyncio.Lock())
        async with lock:
            until, known = self._answers.get(asked, (0.0, None))
            if known is not None and self._clock() < until:
                return known
            answer = await ask()
            self._answers[asked] = (self._clock() + KEPT_S, answer)
            self._answers.move_to_end(asked)
            while len(self._answers) > _MOST_KEPT:
                self._answers.popitem(last=False)
            return answer


def _last_number(address: str) -> str:
    """The id at the end of a role's address, which is all of it that is used: it may be of another host."""
    if (found := re.search(r"/(\d{1,20})/?$", address, re.ASCII)) is None:
        raise WorkFailed("Jira's answer cannot be understood (a role without an id). Check JIRA_SITE_URL.")
    return found[1]
