"""Jira's bodies in all their shapes give a ticket, or name what is wrong with them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.domain.eligibility import Actor, Sender
from app.domain.jira_payload import AutomationPayload, JiraEvent, JiraPayload
from app.models import Ticket
from tests.builders import Shape, adf_sample, issue_of, jira_body

UNDER_ISSUE: tuple[Shape, ...] = (
    "system.issue_created",
    "system.issue_updated",
    "automation.issue_data_jira_format",
    "automation.custom",
)
ON_TOP: Shape = "automation.issue_data_automation_format"
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=50)


def ticket_of(body: Any) -> Ticket:
    """The ticket of a body, read as the door reads it."""
    raw = json.dumps(body)
    shape = AutomationPayload if JiraEvent.model_validate_json(raw).issue_on_top else JiraPayload
    return shape.model_validate_json(raw).ticket()


def fault_of(body: Any) -> tuple[str, str]:
    """Where a body is wrong, and what is."""
    with pytest.raises(ValidationError) as refused:
        ticket_of(body)
    fault = refused.value.errors()[0]
    return ".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, ")


def body_with(**facts: Any) -> dict[str, Any]:
    """The smallest body with these facts of its issue, or without those that are ...."""
    fields = {"summary": "Add dark mode", "description": None}
    fields |= {name: value for name, value in facts.items() if name in fields}
    issue = {"key": "PROJ-1", "self": None} | {name: value for name, value in facts.items() if name not in fields}
    return {"issue": _given(issue) | {"fields": _given(fields)}}


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not ...}


@pytest.mark.parametrize("shape", [*UNDER_ISSUE, ON_TOP])
def test_every_shape_of_jira_gives_the_ticket(shape: Shape) -> None:
    ticket = ticket_of(jira_body(shape, key="PROJ-7", summary="Add dark mode", description="On every page."))
    assert (ticket.key, ticket.summary, ticket.description) == ("PROJ-7", "Add dark mode", "On every page.")


@pytest.mark.parametrize("shape", [*UNDER_ISSUE, ON_TOP])
def test_a_ticket_needs_no_description(shape: Shape) -> None:
    assert ticket_of(jira_body(shape, description=None)).description == ""
    without = jira_body(shape)
    issue_of(without)["fields"].pop("description", None)
    assert ticket_of(without).description == ""


@pytest.mark.parametrize("shape", [*UNDER_ISSUE, ON_TOP])
def test_an_atlassian_document_becomes_text(shape: Shape) -> None:
    description = ticket_of(jira_body(shape, description=adf_sample())).description
    assert description.startswith("## Why\n\nPeople work at **night**")
    assert "still worth reading" in description


@pytest.mark.parametrize("shape", ["system.issue_created", "automation.issue_data_jira_format", ON_TOP])
def test_a_ticket_is_linked_to_its_page_for_people(shape: Shape) -> None:
    assert ticket_of(jira_body(shape, key="PROJ-7")).url == "https://example.atlassian.net/browse/PROJ-7"


@pytest.mark.parametrize(
    "address", [None, ..., 7, "", "no url", "ftp://x/1", "https:///1", "http://[", "https://a) [b](https://c/1"]
)
def test_an_address_that_names_no_site_links_nowhere(address: Any) -> None:
    assert ticket_of(body_with(self=address)).url is None


def test_a_summary_loses_the_space_around_it() -> None:
    assert ticket_of(body_with(summary="  Add dark mode\n")).summary == "Add dark mode"


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({"key": ...}, ("issue.key", "Field required")),
        ({"key": None}, ("issue.key", "Input should be a valid string")),
        ({"key": 7}, ("issue.key", "Input should be a valid string")),
        *(
            ({"key": key}, ("issue.key", "must be an issue key such as PROJ-1"))
            for key in (
                "", "PROJ", "proj-1", "PROJ-1\n", " PROJ-1", "PROJ-1 ", "../../etc", "$(id)", "P" * 10_000 + "-1",
                "PROJ-1;id", "PROJ-", "-1", "PROJ-1\0", "ПРОЕКТ-1", "PROJ-١",
            )
        ),
        ({"summary": ...}, ("issue.fields.summary", "Field required")),
        ({"summary": None}, ("issue.fields.summary", "Input should be a valid string")),
        ({"summary": ["Add"]}, ("issue.fields.summary", "Input should be a valid string")),
        ({"summary": " \n"}, ("issue.fields.summary", "must not be empty")),
        ({"summary": "a\0b"}, ("issue.fields.summary", "must not contain a null character")),
        ({"summary": "a" * 1001}, ("issue.fields.summary", "String should have at most 1000 characters")),
        (
            {"description": 7},
            ("issue.fields.description", "must be a string, null or an Atlassian document"),
        ),
        ({"description": ["x"]}, ("issue.fields.description", "must be a string, null or an Atlassian document")),
        ({"description": "a\0b"}, ("issue.fields.description", "must not contain a null character")),
        (
            {"description": {"type": "doc", "content": [{"type": "text", "text": "a\0b"}]}},
            ("issue.fields.description", "must not contain a null character"),
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(facts: dict[str, Any], fault: tuple[str, str]) -> None:
    assert fault_of(body_with(**facts)) == fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("issue", "Field required")),
        ({"issue": None}, ("issue", "Input should be an object")),
        ({"issue": "PROJ-1"}, ("issue", "Input should be an object")),
        ({"issue": []}, ("issue", "Input should be an object")),
        ({"issue": {"key": "PROJ-1"}}, ("issue.fields", "Field required")),
        ({"issue": {"key": "PROJ-1", "fields": []}}, ("issue.fields", "Input should be an object")),
        ({"key": "PROJ-1"}, ("issue", "Field required")),
        ({"fields": {"summary": "Add"}}, ("key", "Field required")),
        ({"key": "proj-1", "fields": {"summary": "Add"}}, ("key", "must be an issue key such as PROJ-1")),
        ({"key": "PROJ-1", "fields": {}}, ("fields.summary", "Field required")),
    ],
)
def test_a_body_without_a_whole_issue_is_told_what_it_lacks(body: Any, fault: tuple[str, str]) -> None:
    assert fault_of(body) == fault


def test_a_document_that_is_nested_too_deeply_is_named() -> None:
    node: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(60):
        node = {"type": "paragraph", "content": [node]}
    assert fault_of(body_with(description=node)) == ("issue.fields.description", "nested too deeply")


@given(summary=TEXT.filter(str.strip), description=TEXT)
def test_what_people_write_arrives_as_it_is(summary: str, description: str) -> None:
    ticket = ticket_of(body_with(summary=summary, description=description))
    assert (ticket.summary, ticket.description) == (summary.strip(), description)


# What happened


def test_an_edit_names_what_it_changed() -> None:
    body = jira_body("system.issue_updated", changed=["summary", "labels"])
    event = JiraEvent.model_validate(body).event()
    assert (event.name, event.changed) == ("jira:issue_updated", ("summary", "labels"))


@pytest.mark.parametrize("shape", ["automation.issue_data_jira_format", "automation.custom", ON_TOP])
def test_automation_names_no_event(shape: Shape) -> None:
    assert JiraEvent.model_validate(jira_body(shape)).event().name is None


def test_an_event_about_something_else_is_readable() -> None:
    event = JiraEvent.model_validate({"webhookEvent": "sprint_started", "sprint": {"id": 1}}).event()
    assert (event.name, event.changed) == ("sprint_started", ())


@pytest.mark.parametrize(
    "body",
    [
        {"webhookEvent": 7},
        {"changelog": "all"},
        {"changelog": {"items": "all"}},
        {"changelog": {"items": ["all", {"field": 7}, {}]}},
    ],
)
def test_what_is_something_else_than_an_event_is_none(body: Any) -> None:
    event = JiraEvent.model_validate_json(json.dumps(body)).event()
    assert (event.name, event.changed) == (None, ())


def test_an_event_of_a_name_that_nobody_would_give_is_named() -> None:
    with pytest.raises(ValidationError) as refused:
        JiraEvent.model_validate({"webhookEvent": "x" * 201})
    assert refused.value.errors()[0]["loc"] == ("webhookEvent",)


# Who acted


def sender_of(body: Any) -> Sender:
    return JiraEvent.model_validate_json(json.dumps(body)).sender()


@pytest.mark.parametrize("shape", ["system.issue_created", "system.issue_updated"])
def test_jiras_own_webhooks_name_who_acted(shape: Shape) -> None:
    actor = Actor(id="557058:00000000-0000-4000-8000-000000000001", name="Example User", kind="atlassian")
    assert sender_of(jira_body(shape)) == Sender(actor=actor)


@pytest.mark.parametrize(
    ("said", "actor"),
    [
        ({"initiator": {"accountId": "557058:ada", "displayName": "Ada"}}, Actor(id="557058:ada", name="Ada")),
        ({"initiator": "557058:ada"}, Actor(id="557058:ada")),
        ({"user": {"accountId": " 557058:ada "}}, Actor(id="557058:ada")),
        ({"changelog": {"author": {"accountId": "ada", "accountType": "app"}}}, Actor(id="ada", kind="app")),
        ({"user": {"accountId": "ada"}, "initiator": "eve"}, Actor(id="ada")),
        ({"user": {"accountId": "ada", "displayName": "A\u202e\n" + "x" * 100}}, Actor(id="ada", name="A" + "x" * 79)),
    ],
)
def test_a_rule_says_who_acted(said: dict[str, Any], actor: Actor) -> None:
    assert sender_of({**jira_body("automation.custom"), **said}).actor == actor


@pytest.mark.parametrize("shape", ["automation.issue_data_jira_format", "automation.custom", ON_TOP])
def test_reporter_creator_and_assignee_did_nothing_that_we_know_of(shape: Shape) -> None:
    body = jira_body(shape)
    for name in ("reporter", "creator", "assignee"):
        issue_of(body)["fields"][name] = {"accountId": "557058:boss", "accountType": "atlassian"}
    assert sender_of(body).actor is None


@pytest.mark.parametrize(
    "said", ["", " ", 7, [], {}, {"accountId": 7}, {"accountId": ""}, "x" * 129, "a\nb", {"id": "a"}]
)
def test_what_is_no_account_is_nobody(said: Any) -> None:
    assert sender_of({"user": said, "initiator": said, "changelog": said}).actor is None


@pytest.mark.parametrize("shape", ["automation.issue_data_jira_format", ON_TOP])
def test_a_service_desks_ticket_says_so(shape: Shape) -> None:
    body = jira_body(shape)
    assert not sender_of(body).service_desk
    issue_of(body)["fields"]["project"]["projectTypeKey"] = "service_desk"
    assert sender_of(body).service_desk


@pytest.mark.parametrize("shape", [each for each in (*UNDER_ISSUE, ON_TOP) if each != "automation.custom"])
def test_a_text_has_the_time_at_which_the_issue_was_changed(shape: Shape) -> None:
    body = jira_body(shape)
    issue_of(body)["fields"]["updated"] = "2026-07-04T01:48:31.971+0300"
    assert ticket_of(body).updated_at == datetime(2026, 7, 3, 22, 48, 31, 971_000, tzinfo=UTC)


def test_a_text_without_a_time_has_that_of_its_event() -> None:
    body = jira_body("automation.custom", timestamp=1_751_582_912_109)
    assert ticket_of(body).updated_at == datetime(2025, 7, 3, 22, 48, 32, 109_000, tzinfo=UTC)
    assert ticket_of(jira_body("automation.custom")).updated_at is None


@pytest.mark.parametrize(
    "said",
    ["yesterday", "", "2026-07-04T01:48:31", True, 10**30, -(10**30), "9999-12-31T23:59:59.9-2359", ["2026"], {}, 1.5],
)
def test_a_time_that_says_nothing_is_none(said: Any) -> None:
    body = jira_body("automation.custom")
    issue_of(body)["fields"]["updated"] = body["timestamp"] = said
    assert ticket_of(body).updated_at is None


@pytest.mark.parametrize(
    ("said", "priority"),
    [
        ({"name": "Highest", "id": "1"}, 1),
        ({"name": "Lowest", "id": "5"}, 5),
        ({"name": "Hoch", "id": "2"}, 2),
        ({"name": "Hoch", "id": 2}, 2),
        ({"name": "Blocker", "id": "10000"}, 1),
        ({"name": "Low", "id": "1"}, 4),
        ({"name": "P0 - drop everything", "id": "10001"}, 1),
        ({"name": "P2", "id": "10003"}, 2),
        ({"name": "sev-9", "id": "10003"}, 5),
        ({"name": "P1000", "id": "10003"}, 3),
        ({"name": "Someday", "id": "10007"}, 3),
        ({"name": ["High"], "id": {}}, 3),
        ("high", 2),
        (None, 3),
        (7, 3),
    ],
)
def test_a_ticket_is_as_urgent_as_its_priority_says_whatever_a_site_calls_it(said: Any, priority: int) -> None:
    body = jira_body()
    issue_of(body)["fields"]["priority"] = said
    assert ticket_of(body).priority == priority
