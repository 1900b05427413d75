"""Jira's webhook bodies: which ticket they are about, and what happened to it.

Two shapes: with the issue under `issue` (system webhooks, Automation's Jira format and custom bodies), and with the
issue at the top (Automation's own format). Everything else in a body is ignored.

Who acted is said by `user` (system webhooks), `initiator` (custom bodies) or the author of the change log. The people
in the issue's fields are not believed to have done anything: anybody may edit an issue that somebody else reported,
created or has assigned, and a reporter is whom its creator named.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, field_validator

from app.domain.adf import to_text
from app.domain.eligibility import Actor, Sender, TrackerEvent
from app.domain.naming import is_ticket_key
from app.domain.urgency import urgency_of
from app.errors import InvalidInput
from app.models import Ticket

_LONGEST_SUMMARY = 1_000  # Jira's own limit is 255
_LONGEST_NAME = 200
_LONGEST_ACCOUNT_ID = 128
_LONGEST_SHOWN = 80
_HOST = re.compile(r"[\w.-]+(:\d+)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OrNone = BeforeValidator(lambda value: value if isinstance(value, str) else None)
"""For what may be missing: of another type it is something else, which is ignored."""


class _Fields(BaseModel):
    summary: Annotated[str, Field(max_length=_LONGEST_SUMMARY)]
    description: str = ""
    updated: Any = None
    priority: Any = None

    @field_validator("description", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> str:
        try:
            return to_text(value)
        except InvalidInput as error:
            raise ValueError(error.reason) from error

    @field_validator("summary", "description")
    @classmethod
    def _no_null(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError("must not contain a null character")
        return value

    @field_validator("summary")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value.strip()


class _Issue(BaseModel):
    key: str
    fields: _Fields
    address: Annotated[str | None, _OrNone] = Field(None, alias="self")

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if not is_ticket_key(value):
            raise ValueError("must be an issue key such as PROJ-1")
        return value


class JiraEvent(BaseModel):
    """What happened, readable whatever the body is about."""

    webhook_event: Annotated[str | None, _OrNone] = Field(None, alias="webhookEvent", max_length=_LONGEST_NAME)
    user: Any = None
    initiator: Any = None
    changelog: Any = None
    issue: Any = None
    issue_key: Any = Field(None, alias="key")
    fields: Any = None

    @property
    def key(self) -> str | None:
        """The issue's, as far as it is one."""
        key = self.issue_key if self.issue_on_top else _within(self.issue, "key")
        return key if isinstance(key, str) and is_ticket_key(key) else None

    @property
    def issue_on_top(self) -> bool:
        """The body is in Automation's own format."""
        return self.issue is None and self.fields is not None

    def event(self) -> TrackerEvent:
        """In the words of every tracker."""
        return TrackerEvent(name=self.webhook_event, changed=tuple(_changed_fields(self.changelog)))

    def sender(self) -> Sender:
        """Whose event it is: the first of those who can say it and do."""
        said = (self.user, self.initiator, _within(self.changelog, "author"))
        fields = _within(self.issue, "fields") if self.fields is None else self.fields
        kind = _within(_within(fields, "project"), "projectTypeKey")
        return Sender(actor=next(filter(None, map(_actor, said)), None), service_desk=kind == "service_desk")


class JiraPayload(BaseModel):
    """A body that is about an issue."""

    issue: _Issue
    timestamp: Any = None

    def ticket(self) -> Ticket:
        """The ticket. Its time is the issue's, else the event's."""
        return _ticket(self.issue, self.timestamp)


class AutomationPayload(_Issue):
    """Automation's own format: the issue is the body."""

    timestamp: Any = None

    def ticket(self) -> Ticket:
        """The ticket, likewise."""
        return _ticket(self, self.timestamp)


def time_of(value: object) -> datetime | None:
    """A time as Jira writes it: ISO 8601 with a zone, or milliseconds since 1970. None for everything else."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return _EPOCH + timedelta(milliseconds=value)
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if at is None or at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def priority_of(value: object) -> int:
    """How urgent Jira says an issue is: an object with name and id, or the name alone."""
    name, number = (_within(value, each) for each in ("name", "id"))
    name = value if isinstance(value, str) else name
    return urgency_of(name if isinstance(name, str) else None, str(number) if isinstance(number, str | int) else None)


def _within(value: object, name: str) -> object:
    """What an object has under a name; None where it is no object."""
    return value.get(name) if isinstance(value, dict) else None


def _actor(value: object) -> Actor | None:
    """An account as Jira describes it, or its id alone."""
    account_id, kind, name = (_within(value, each) for each in ("accountId", "accountType", "displayName"))
    account_id = value if isinstance(value, str) else account_id
    if not isinstance(account_id, str) or not 0 < len(account_id := account_id.strip()) <= _LONGEST_ACCOUNT_ID:
        return None
    if not account_id.isprintable():
        return None
    shown = "".join(filter(str.isprintable, name))[:_LONGEST_SHOWN].strip() if isinstance(name, str) else ""
    return Actor(id=account_id, name=shown, kind=kind if isinstance(kind, str) else None)


def _changed_fields(changelog: object) -> Iterator[str]:
    """Automation's own format has a change log of another kind, and custom bodies have anything."""
    items = changelog.get("items") if isinstance(changelog, dict) else None
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("field"), str):
            yield item["field"]


def _ticket(issue: _Issue, timestamp: object) -> Ticket:
    fields = issue.fields
    return Ticket(
        key=issue.key,
        summary=fields.summary,
        description=fields.description,
        url=_browse_url(issue.address, issue.key),
        priority=priority_of(fields.priority),
        updated_at=time_of(fields.updated) or time_of(timestamp),
    )


def _browse_url(address: str | None, key: str) -> str | None:
    """The page for people, on the site that the issue's REST address names; None when it names none."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(parts.netloc):
        return None
    return f"{parts.scheme}://{parts.netloc}/browse/{key}"
