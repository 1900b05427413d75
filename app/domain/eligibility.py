"""What a tracker's event means for a ticket: work, or nothing to do; and whose events may mean work."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from app.errors import ConfigurationError
from app.models import Model

REDELIVERY_WINDOW = timedelta(minutes=10)
"""Jira Automation names no deliveries, so that an equal body counts as the same one for this long; afterwards a person
means it."""

_EDITS_THAT_MATTER = frozenset({"summary", "description"})


_SETTING = "TRIGGER_ALLOWED_USERS"
_CUSTOMER = "customer"
# Jira makes the ids of a help centre's own accounts so, and not everything that sends an id sends its type too.
_CUSTOMERS_ID = "qm:"
_ACCOUNT_ID = re.compile(r"[\w:.-]{1,128}", re.ASCII)


class TrackerEvent(Model):
    """What happened at the tracker: its name, where it has one, and the fields that were changed."""

    name: str | None = None
    changed: tuple[str, ...] = ()


class Actor(Model):
    """The account that did it. `kind` is the tracker's word for its type, where that is known."""

    id: str
    name: str = ""
    kind: str | None = None

    @property
    def is_customer(self) -> bool:
        """A customer of a service desk: anybody who wrote to it."""
        return self.kind == _CUSTOMER or self.id.startswith(_CUSTOMERS_ID)

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


class Sender(Model):
    """Whose event it is, as far as it says so. `service_desk`: the ticket's project is one, so that customers act."""

    actor: Actor | None = None
    service_desk: bool = False


class Memberships(Model):
    """What the tracker knows an account to be: its type, its groups by name and by id, its roles in a project."""

    kind: str
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


class Starters(Model):
    """Who may start runs from the tracker. Nothing named: everybody but customers, who must be named by account id."""

    accounts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Starters":
        """From `accountid`, `group:NAME` and `role:NAME`. Raises ConfigurationError for what is none of them."""
        found: dict[str, set[str]] = {"accounts": set(), "groups": set(), "roles": set()}
        for entry in entries:
            kind, colon, name = entry.partition(":")
            if colon and kind in {"group", "role"} and name.strip():
                found[f"{kind}s"].add(name.strip())
            elif kind not in {"group", "role", "groups", "roles"} and _ACCOUNT_ID.fullmatch(entry):
                found["accounts"].add(entry)
            else:
                message = f"{_SETTING}: {entry!r} is no account id, group:NAME or role:NAME. Write it as one of them."
                raise ConfigurationError(message)
        return cls(**{name: frozenset(names) for name, names in found.items()})

    @property
    def everybody(self) -> bool:
        """Nobody is named."""
        return not (self.accounts or self.groups or self.roles)

    @property
    def by_membership(self) -> bool:
        """Some are named by what only the tracker knows."""
        return bool(self.groups or self.roles)

    def asks_about(self, sender: Sender) -> bool:
        """Whether the answer depends on what the tracker knows of the sender's account."""
        actor = sender.actor
        return actor is not None and self.by_membership and actor.id not in self.accounts and not actor.is_customer


def reason_to_refuse(starters: Starters, sender: Sender, memberships: Memberships | None = None) -> str | None:
    """Why the sender may start nothing, with what to do about it; None when they may.

    `memberships` are wanted where `Starters.asks_about` says so. Without them nobody is a member of anything.
    """
    actor = sender.actor
    if actor is None:
        return _nobody(starters, sender)
    if actor.id in starters.accounts:
        return None
    if actor.is_customer or (memberships is not None and memberships.kind == _CUSTOMER):
        return (
            f"{actor} is a customer of a service desk, and customers start no runs. "
            f"Put the account id into {_SETTING} to let this one"
        )
    if starters.everybody:
        return None
    if memberships is not None and (starters.groups & memberships.groups or starters.roles & memberships.roles):
        return None
    return (
        f"{actor} is not among those who may start runs. Put the account id, or a group or a project role that it has, "
        f"into {_SETTING}; or let somebody who is among them do it"
    )


def _nobody(starters: Starters, sender: Sender) -> str | None:
    mend = "Let the rule at Jira send `initiator`, as the README says"
    if not starters.everybody:
        return f"the request does not say who acted, and {_SETTING} names who may. {mend}"
    if sender.service_desk:
        return f"the request does not say who acted, and customers of a service desk start no runs. {mend}"
    return None


def reason_to_ignore(event: TrackerEvent) -> str | None:
    """Why the event starts nothing; None when it does."""
    if event.name in (None, "jira:issue_created"):
        return None
    if event.name != "jira:issue_updated":
        return f"{event.name} starts no run"
    if not _EDITS_THAT_MATTER.intersection(name.lower() for name in event.changed):
        return "the edit changes neither summary nor description"
    return None


def delivery_names(
    *, delivery_id: str | None, digest: str | None, now: datetime
) -> Iterable[tuple[str, datetime | None]]:
    """The names by which a delivery is known again, each with the time since which it counts (None: always)."""
    if delivery_id is not None:
        yield f"id:{delivery_id}", None
    if digest is not None:
        yield f"body:{digest}", now - REDELIVERY_WINDOW
