"""What Jira answers, and the same in the words of every tracker. Fields that nobody reads are not named here."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel
from pydantic.alias_generators import to_camel

from app.domain import adf, wiki_markup
from app.domain.jira_payload import priority_of, time_of
from app.errors import InvalidInput
from app.models import Ticket
from app.results import TicketAttachment, TicketComment, TicketDetails, TicketHit, TicketLink, TicketProject

HIT_FIELDS = ("summary", "status", "issuetype")
SHOWN_FIELDS = (
    *HIT_FIELDS, "description", "assignee", "reporter", "issuelinks", "parent", "subtasks", "attachment",
    "priority", "updated",
)  # fmt: skip


class Answer(BaseModel):
    """Jira's names are in camel case; here they are not."""

    model_config = ConfigDict(alias_generator=to_camel)


class Named(Answer):
    """A status or a kind of issue."""

    name: str


class User(Answer):
    """A person, or an app."""

    display_name: str


class HitFields(Answer):
    """Of an issue in a list. What the account may not see is missing."""

    summary: str = ""
    status: Named | None = None
    issuetype: Named | None = None


class Hit(Answer):
    """An issue in a list."""

    key: str
    fields: HitFields = HitFields()

    def hit(self, site: str) -> TicketHit:
        """In the words of every tracker."""
        fields = self.fields
        return TicketHit(
            key=self.key,
            summary=fields.summary,
            status=_name(fields.status),
            kind=_name(fields.issuetype),
            url=browse_url(site, self.key),
        )


class LinkType(Answer):
    """What a link says in its two directions."""

    inward: str
    outward: str


class Link(Answer):
    """A link. The issue at its other end is the inward one or the outward one."""

    type: LinkType
    inward_issue: Hit | None = None
    outward_issue: Hit | None = None


class Attachment(Answer):
    """A file."""

    filename: str
    size: int
    mime_type: str = ""


class ShownFields(HitFields):
    """Of an issue that is shown whole."""

    description: Any = None
    assignee: User | None = None
    reporter: User | None = None
    parent: Hit | None = None
    subtasks: tuple[Hit, ...] = ()
    issuelinks: tuple[Link, ...] = ()
    attachment: tuple[Attachment, ...] = ()
    priority: Any = None
    updated: Any = None


class Shown(Answer):
    """An issue that is shown whole."""

    key: str
    fields: ShownFields

    def details(self, site: str, comments: Iterable["Comment"]) -> TicketDetails:
        """In the words of every tracker."""
        fields = self.fields
        return TicketDetails(
            ticket=Ticket(
                key=self.key,
                summary=fields.summary,
                description=readable(fields.description),
                url=browse_url(site, self.key),
                priority=priority_of(fields.priority),
                updated_at=time_of(fields.updated),
            ),
            status=_name(fields.status),
            kind=_name(fields.issuetype),
            assignee=fields.assignee.display_name if fields.assignee else None,
            reporter=fields.reporter.display_name if fields.reporter else None,
            comments=tuple(comment.said() for comment in comments),
            links=tuple(_links(fields, site)),
            attachments=tuple(
                TicketAttachment(name=each.filename, bytes=each.size, kind=each.mime_type) for each in fields.attachment
            ),
        )


class Comment(Answer):
    """A comment. With a `visibility` it is for a group or a role only."""

    author: User | None = None
    body: Any = None
    created: datetime
    visibility: Any = None

    def said(self) -> TicketComment:
        """In the words of every tracker."""
        by = self.author.display_name if self.author else "Somebody"
        return TicketComment(by=by, at=self.created.astimezone(UTC), text=readable(self.body))


class Comments(Answer):
    """A page of comments."""

    comments: tuple[Comment, ...] = ()


class Hits(Answer):
    """A page of a search."""

    issues: tuple[Hit, ...] = ()


class Project(Answer):
    """A project."""

    key: str
    name: str

    def project(self) -> TicketProject:
        """In the words of every tracker."""
        return TicketProject(key=self.key, name=self.name)


class Projects(Answer):
    """A page of projects."""

    values: tuple[Project, ...] = ()
    is_last: bool = True


class Kind(Answer):
    """A kind of issue that a project has. Epics stand above level 0, subtasks below."""

    id: str
    name: str
    subtask: bool = False
    hierarchy_level: int = 0


class Kinds(Answer):
    """The kinds of a project, in its order."""

    issue_types: tuple[Kind, ...] = ()


class Field(Answer):
    """A field of the form that creates an issue."""

    field_id: str
    name: str
    required: bool = False
    has_default_value: bool = False


class Fields(Answer):
    """The form of one kind."""

    fields: tuple[Field, ...] = ()


class Created(Answer):
    """A new issue."""

    key: str


class Account(Answer):
    """Somebody's account."""

    account_type: str


class Group(Answer):
    """A group. Its name may change, its id does not."""

    name: str = ""
    group_id: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """By which it can be meant."""
        return frozenset(filter(None, (self.name, self.group_id)))


class Groups(RootModel[tuple[Group, ...]]):
    """An account's groups."""


class Roles(RootModel[dict[str, str]]):
    """The roles that projects have: addresses by their names. An address ends with the role's id."""


class RoleUser(Answer):
    """Somebody who has a role."""

    account_id: str = ""


class RoleActor(Answer):
    """Who has a role: a person, or a group."""

    actor_user: RoleUser | None = None
    actor_group: Group | None = None


class Role(Answer):
    """Who has a role in a project."""

    actors: tuple[RoleActor, ...] = ()

    def has(self, account_id: str, groups: frozenset[str]) -> bool:
        """Whether the account has it, by itself or by one of its groups."""
        return any(
            (each.actor_user is not None and each.actor_user.account_id == account_id)
            or (each.actor_group is not None and bool(each.actor_group.names & groups))
            for each in self.actors
        )


def browse_url(site: str, key: str) -> str:
    """The issue's page for people."""
    return f"{site}/browse/{key}"


def readable(text: object) -> str:
    """Markdown of a document, or of wiki markup where Jira gives a string."""
    if isinstance(text, str):
        return wiki_markup.to_markdown(text)
    if not isinstance(text, dict):
        return ""
    try:
        return adf.to_markdown(text)
    except InvalidInput:
        return "(This text is nested too deeply to be shown here.)"


def _links(fields: ShownFields, site: str) -> Iterator[TicketLink]:
    if fields.parent:
        yield TicketLink(relation="parent", ticket=fields.parent.hit(site))
    for link in fields.issuelinks:
        if link.inward_issue:
            yield TicketLink(relation=link.type.inward, ticket=link.inward_issue.hit(site))
        if link.outward_issue:
            yield TicketLink(relation=link.type.outward, ticket=link.outward_issue.hit(site))
    for subtask in fields.subtasks:
        yield TicketLink(relation="subtask", ticket=subtask.hit(site))


def _name(named: Named | None) -> str:
    return named.name if named else ""
