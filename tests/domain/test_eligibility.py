"""Which events of a tracker mean work, whose, and how a delivery is known again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.eligibility import (
    REDELIVERY_WINDOW,
    Actor,
    Memberships,
    Sender,
    Starters,
    TrackerEvent,
    delivery_names,
    reason_to_ignore,
    reason_to_refuse,
)
from app.errors import ConfigurationError

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


# Who may start runs

ADA = Sender(actor=Actor(id="557058:ada", name="Ada", kind="atlassian"))
CARLA = Sender(actor=Actor(id="712020:carla", name="Carla", kind="customer"))
NOBODY = Sender()
MEMBER = Memberships(kind="atlassian", groups=frozenset({"devs"}), roles=frozenset({"Developers"}))


def refused(allowed: str, sender: Sender, memberships: Memberships | None = None) -> str | None:
    return reason_to_refuse(Starters.of(filter(None, allowed.split(","))), sender, memberships)


@pytest.mark.parametrize(
    ("allowed", "sender", "memberships"),
    [
        ("", ADA, None),
        ("", NOBODY, None),
        ("", Sender(actor=Actor(id="ada"), service_desk=True), None),
        ("557058:ada", ADA, None),
        ("group:ops,557058:ada", ADA, None),
        ("712020:carla", CARLA, None),
        ("qm:1:2", Sender(actor=Actor(id="qm:1:2")), None),
        ("group:ops,group:devs", ADA, MEMBER),
        ("role:Developers", ADA, MEMBER),
    ],
)
def test_who_is_meant_may_start_runs(allowed: str, sender: Sender, memberships: Memberships | None) -> None:
    assert refused(allowed, sender, memberships) is None


@pytest.mark.parametrize(
    ("allowed", "sender", "memberships", "said"),
    [
        ("", CARLA, None, "Carla (712020:carla) is a customer of a service desk"),
        ("", Sender(actor=Actor(id="qm:1:2")), None, "qm:1:2 is a customer of a service desk"),
        ("", Sender(service_desk=True), None, "does not say who acted, and customers of a service desk"),
        ("557058:bob", ADA, None, "Ada (557058:ada) is not among those who may start runs"),
        ("557058:ad", ADA, None, "is not among"),
        ("557058:bob", NOBODY, None, "does not say who acted, and TRIGGER_ALLOWED_USERS names who may"),
        ("group:ops", ADA, MEMBER, "is not among"),
        ("role:devs", ADA, MEMBER, "is not among"),  # the name of a group is none of a role
        ("group:devs", ADA, None, "is not among"),
        ("group:devs", CARLA, MEMBER, "is a customer"),
        ("group:devs", ADA, MEMBER.model_copy(update={"kind": "customer"}), "is a customer"),
    ],
)
def test_whoever_is_not_is_refused_with_the_name_and_what_to_do(
    allowed: str, sender: Sender, memberships: Memberships | None, said: str
) -> None:
    reason = refused(allowed, sender, memberships)
    assert reason is not None
    assert said in reason
    assert "TRIGGER_ALLOWED_USERS" in reason or "initiator" in reason


def test_the_tracker_is_asked_only_where_its_answer_counts() -> None:
    by_group, by_id = Starters.of(["group:devs", "557058:ada"]), Starters.of(["557058:bob"])
    bob = Sender(actor=Actor(id="557058:bob"))
    assert by_group.asks_about(bob)
    for starters, sender in ((by_group, ADA), (by_group, CARLA), (by_group, NOBODY), (by_id, ADA), (Starters(), ADA)):
        assert not starters.asks_about(sender)


@pytest.mark.parametrize("entry", ["group:", "role: ", "groups:devs", "ada@example.com", "Ada Lovelace", "x" * 129])
def test_an_entry_that_can_mean_nobody_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^TRIGGER_ALLOWED_USERS: .* no account id, group:NAME or role:NAME"):
        Starters.of([entry])
