"""Jira Cloud as a tracker."""

from collections.abc import Collection, Sequence
from typing import Any

from app.domain.eligibility import Memberships
from app.domain.naming import is_ticket_key
from app.errors import InvalidInput, NotFound, TemporarilyFailed, WorkFailed
from app.http import LIMIT_S
from app.models import Ticket
from app.results import TicketDetails, TicketHit, TicketProject
from app.services.tracker import jira_answers as jira
from app.services.tracker import jql
from app.services.tracker.base import MOST_COMMENTS, Tracker, summary_line
from app.services.tracker.jira_accounts import JiraAccounts
from app.services.tracker.jira_api import GATEWAY, JiraApi
from app.services.tracker.jira_documents import document_of

_MOST_HITS = 100
_MOST_PROJECTS = 1_000
_PAGE = 100
# What a new issue gets from us, and the reporter, whom Jira fills in although it calls the field required.
_FILLED = frozenset({"project", "issuetype", "summary", "description", "reporter"})


class JiraTracker(Tracker):
    """One site, asked as one account; with `cloud_id` through Atlassian's gateway. Tickets' pages are the site's."""

    def __init__(
        self,
        *,
        site_url: str,
        email: str,
        token: str,
        cloud_id: str | None = None,
        gateway_url: str = GATEWAY,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._site = site_url
        self._api = JiraApi(
            site_url=site_url, email=email, token=token, cloud_id=cloud_id, gateway_url=gateway_url, limit_s=limit_s
        )
        self._accounts = JiraAccounts(self._api)

    @property
    def name(self) -> str:
        return "Jira"

    async def stop(self) -> None:
        await self._api.close()

    async def search(self, words: str, *, limit: int = 20) -> tuple[TicketHit, ...]:
        limit = max(1, min(limit, _MOST_HITS))
        # Jira's index lags behind, and a query for a key that does not exist is an error: an issue is asked for itself.
        exact = await self._by_key(words.strip().upper())
        query = jql.search_for(words)
        found = await self._find(query, limit) if query else ()
        hits = [*exact, *(hit for hit in found if hit.key not in {each.key for each in exact})]
        return tuple(hit.hit(self._site) for hit in hits[:limit])

    async def show(self, key: str) -> TicketDetails:
        if not is_ticket_key(key):
            raise NotFound(f"{key[:100]!r} is not the key of a ticket. Keys look like PROJ-1.")
        try:
            issue = await self._api.get(jira.Shown, f"/issue/{key}", fields=",".join(jira.SHOWN_FIELDS))
            page = await self._api.get(
                jira.Comments, f"/issue/{key}/comment", orderBy="-created", maxResults=MOST_COMMENTS
            )
        except NotFound as error:
            raise NotFound(
                f"Jira at {self._site} has no ticket {key}, or hides it from the account. "
                "Check the key, and the rights of JIRA_EMAIL."
            ) from error
        # Restricted comments are for fewer people than those who read this service's pages.
        comments = [comment for comment in reversed(page.comments) if comment.visibility is None]
        return issue.details(self._site, comments)

    async def projects(self) -> tuple[TicketProject, ...]:
        found: list[TicketProject] = []
        while len(found) < _MOST_PROJECTS:
            page = await self._api.get(
                jira.Projects, "/project/search", action="create", orderBy="key", startAt=len(found), maxResults=_PAGE
            )
            found += [project.project() for project in page.values]
            if page.is_last or not page.values:
                break
        return tuple(found)

    async def create(self, project: str, summary: str, description: str) -> Ticket:
        summary = summary_line(summary)
        kind = await self._kind_for(project, described=bool(description.strip()))
        fields: dict[str, Any] = {"project": {"key": project}, "issuetype": {"id": kind.id}, "summary": summary}
        if description.strip():
            fields["description"] = document_of(description)
        try:
            made = await self._api.post(jira.Created, "/issue", {"fields": fields})
        except TemporarilyFailed as error:
            raise TemporarilyFailed(f"{error} The ticket may be there already: look before trying again.") from error
        return Ticket(key=made.key, summary=summary, description=description, url=jira.browse_url(self._site, made.key))

    async def memberships(self, account_id: str, *, project: str, roles: Collection[str]) -> Memberships:
        return await self._accounts.memberships(account_id, project=project, roles=roles)

    async def check(self) -> str:
        try:
            user = await self._api.get(jira.User, "/myself")
        except NotFound as error:
            raise WorkFailed(f"There is no Jira at {self._site}. Check JIRA_SITE_URL and JIRA_CLOUD_ID.") from error
        projects = await self.projects()
        return f"{self._site} knows {user.display_name}, who can create tickets in {len(projects)} of its projects"

    async def _by_key(self, key: str) -> tuple[jira.Hit, ...]:
        if not is_ticket_key(key):
            return ()
        try:
            return (await self._api.get(jira.Hit, f"/issue/{key}", fields=",".join(jira.HIT_FIELDS)),)
        except NotFound:
            return ()

    async def _find(self, query: str, limit: int) -> tuple[jira.Hit, ...]:
        body = {"jql": query, "fields": jira.HIT_FIELDS, "maxResults": limit}
        return (await self._api.post(jira.Hits, "/search/jql", body)).issues

    async def _kind_for(self, project: str, *, described: bool) -> jira.Kind:
        """The project's first plain kind of issue that needs no more than we give."""
        wants = []
        for kind in await self._plain_kinds(project):
            path = f"/issue/createmeta/{project}/issuetypes/{kind.id}"
            form = (await self._api.get(jira.Fields, path, maxResults=_PAGE)).fields
            if not (want := _what_it_wants(form, described=described)):
                return kind
            wants.append(f"{kind.name} {want}")
        raise InvalidInput("project", f"{project} takes no ticket from here: {'; '.join(wants)}. Create it in Jira")

    async def _plain_kinds(self, project: str) -> list[jira.Kind]:
        missing = NotFound(
            f"Jira at {self._site} has no project {project[:100]!r} where the account may create tickets. "
            "Choose another one, or check the rights of JIRA_EMAIL."
        )
        if not is_ticket_key(f"{project}-1"):
            raise missing
        try:
            answer = await self._api.get(jira.Kinds, f"/issue/createmeta/{project}/issuetypes", maxResults=_PAGE)
        except NotFound as error:
            raise missing from error
        if not (kinds := [kind for kind in answer.issue_types if not kind.subtask and kind.hierarchy_level == 0]):
            raise missing
        return kinds


def _what_it_wants(form: Sequence[jira.Field], *, described: bool) -> str:
    """Why a kind of issue cannot be created with a form like this; empty when it can."""
    must = [field for field in form if field.required and not field.has_default_value]
    needed = [field.name for field in must if field.field_id not in _FILLED]
    if needed:
        return f"needs {', '.join(needed)}"
    if described and not any(field.field_id == "description" for field in form):
        return "has no description"
    return ""
