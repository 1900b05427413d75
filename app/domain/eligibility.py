"""What a tracker's event means for a ticket: work, or nothing to do."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.models import Model

REDELIVERY_WINDOW = timedelta(minutes=10)
"""Jira Automation names no deliveries, so that an equal body counts as the same one for this long; afterwards a person
means it."""

_EDITS_THAT_MATTER = frozenset({"summary", "description"})


class TrackerEvent(Model):
    """What happened at the tracker: its name, where it has one, and the fields that were changed."""

    name: str | None = None
    changed: tuple[str, ...] = ()


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
