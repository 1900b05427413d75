"""Which events of a tracker mean work, and how a delivery is known again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.eligibility import REDELIVERY_WINDOW, TrackerEvent, delivery_names, reason_to_ignore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "event",
    [
        TrackerEvent(),
        TrackerEvent(changed=("labels",)),
        TrackerEvent(name="jira:issue_created"),
        TrackerEvent(name="jira:issue_created", changed=("labels",)),
        TrackerEvent(name="jira:issue_updated", changed=("summary",)),
        TrackerEvent(name="jira:issue_updated", changed=("labels", "Description")),
    ],
)
def test_work_is_asked_for(event: TrackerEvent) -> None:
    assert reason_to_ignore(event) is None


@pytest.mark.parametrize("changed", [(), ("labels",), ("status", "assignee")])
def test_an_edit_of_anything_else_starts_nothing(changed: tuple[str, ...]) -> None:
    event = TrackerEvent(name="jira:issue_updated", changed=changed)
    assert reason_to_ignore(event) == "the edit changes neither summary nor description"


@pytest.mark.parametrize("name", ["jira:issue_deleted", "comment_created", "sprint_started", ""])
def test_any_other_event_starts_nothing_and_is_named(name: str) -> None:
    assert reason_to_ignore(TrackerEvent(name=name)) == f"{name} starts no run"


@given(st.text(), st.lists(st.text(max_size=20)).map(tuple))
def test_whatever_a_tracker_says_is_work_or_a_reason(name: str, changed: tuple[str, ...]) -> None:
    reason = reason_to_ignore(TrackerEvent(name=name, changed=changed))
    assert reason is None or reason


def test_a_senders_id_counts_for_ever_and_an_equal_body_for_a_while() -> None:
    names = dict(delivery_names(delivery_id="id", digest="digest", now=NOW))
    assert names == {"id:id": None, "body:digest": NOW - timedelta(minutes=10)}
    assert timedelta(minutes=10) == REDELIVERY_WINDOW


def test_a_delivery_that_nobody_named_has_no_name() -> None:
    assert list(delivery_names(delivery_id=None, digest=None, now=NOW)) == []


def test_an_id_is_never_taken_for_a_digest() -> None:
    by_id = {name for name, _ in delivery_names(delivery_id="same", digest=None, now=NOW)}
    by_body = {name for name, _ in delivery_names(delivery_id=None, digest="same", now=NOW)}
    assert not by_id & by_body
