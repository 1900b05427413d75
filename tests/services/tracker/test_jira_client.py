"""What only Jira can do to us."""

import json
from typing import Any

import pytest

from app.errors import AutoCodeError, InvalidInput, NotFound, TemporarilyFailed, WorkFailed
from app.services.tracker.jira_client import JiraTracker
from tests.builders import adf
from tests.fakes.jira_api import CLOUD_ID, EMAIL, EPIC, SUBTASK, TASK, TOKEN, IssueType, JiraApi, JiraRequest, field_id

STORY = IssueType("10003", "Story", fields=("description", "severity"), required=("severity",))
STRICT = IssueType("10006", "Request", validated=("severity",))
NOTE = IssueType("10005", "Note", fields=())


def posts_an_issue(request: JiraRequest) -> bool:
    return (request.method, request.path) == ("POST", "/rest/api/3/issue")


async def said_by(tracker: JiraTracker, kind: type[AutoCodeError]) -> str:
    """The sentence with which a search fails; the client is stopped."""
    with pytest.raises(kind) as failed:
        await tracker.search("dark")
    await tracker.stop()
    return failed.value.message


# Who asks, and where


async def test_a_wrong_token_names_the_settings_to_check_and_is_never_said(api: JiraApi) -> None:
    message = await said_by(JiraTracker(site_url=api.url, email=EMAIL, token="ATATT-mistyped"), WorkFailed)
    assert api.url in message
    assert "JIRA_EMAIL and JIRA_TOKEN" in message
    assert "ATATT" not in message


async def test_a_token_with_scopes_is_taken_to_the_gateway_and_pages_stay_the_sites(api: JiraApi) -> None:
    tracker = JiraTracker(
        site_url="https://acme.example", email=EMAIL, token=TOKEN, cloud_id=CLOUD_ID, gateway_url=api.url
    )
    (hit,) = await tracker.search("dark")
    made = await tracker.create("PROJ", "Export users", "")
    await tracker.stop()
    assert (hit.url, made.url) == ("https://acme.example/browse/PROJ-1", "https://acme.example/browse/PROJ-2")
    assert {request.path.startswith(f"/ex/jira/{CLOUD_ID}/rest/api/3/") for request in api.requests} == {True}


async def test_the_check_names_account_and_projects(api: JiraApi, tracker: JiraTracker) -> None:
    assert await tracker.check() == f"{api.url} knows Auto Code, who can create tickets in 1 of its projects"


async def test_the_check_of_an_address_without_jira_says_so(api: JiraApi) -> None:
    tracker = JiraTracker(site_url=api.url, email=EMAIL, token=TOKEN, cloud_id="other", gateway_url=api.url)
    with pytest.raises(WorkFailed, match=r"There is no Jira at .* Check JIRA_SITE_URL and JIRA_CLOUD_ID\."):
        await tracker.check()
    await tracker.stop()


# What goes wrong


@pytest.mark.parametrize(
    ("status", "headers", "kind", "said"),
    [
        (429, {"retry-after": "30"}, TemporarilyFailed, "Try again in 30 seconds."),
        (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, TemporarilyFailed, "Try again later."),
        (503, {}, TemporarilyFailed, "has a fault (status 503). Try again later."),
        (403, {}, WorkFailed, "Check the rights of JIRA_EMAIL and the scopes of JIRA_TOKEN."),
        (302, {"location": "https://elsewhere.example/"}, WorkFailed, "Check JIRA_SITE_URL."),
        (410, {}, WorkFailed, "The requested API has been removed."),
    ],
)
async def test_a_refusal_says_what_to_do(
    api: JiraApi, tracker: JiraTracker, status: int, headers: dict[str, str], kind: type[AutoCodeError], said: str
) -> None:
    api.fault(status, headers=headers)
    assert said in await said_by(tracker, kind)


@pytest.mark.parametrize("kind", ["cut_before_headers", "cut_mid_stream"])
async def test_a_broken_connection_may_heal(api: JiraApi, tracker: JiraTracker, kind: str) -> None:
    api.fault(kind)
    assert "cannot be reached" in await said_by(tracker, TemporarilyFailed)
    assert len(await tracker.search("dark")) == 1


async def test_an_answer_that_is_not_jiras_is_no_surprise(api: JiraApi, tracker: JiraTracker) -> None:
    api.issues["PROJ-1"].fields["summary"] = {"not": "a text"}
    assert "issues.0.fields.summary" in await said_by(tracker, WorkFailed)


async def test_a_ticket_whose_creation_was_not_answered_may_be_there(api: JiraApi, tracker: JiraTracker) -> None:
    api.fault("cut_after_work", when=posts_an_issue)
    with pytest.raises(TemporarilyFailed, match="The ticket may be there already: look before trying again"):
        await tracker.create("PROJ", "Export users", "")
    assert [request.path for request in api.requests if posts_an_issue(request)] == ["/rest/api/3/issue"]


# Showing


async def test_a_comment_for_fewer_people_is_not_shown_to_all(api: JiraApi, tracker: JiraTracker) -> None:
    api.add_comment("PROJ-1", "For everybody.")
    api.add_comment("PROJ-1", "For administrators.", visibility={"type": "role", "value": "Administrators"})
    assert [comment.text for comment in (await tracker.show("PROJ-1")).comments] == ["For everybody."]


async def test_a_comment_of_somebody_who_is_gone_is_shown(api: JiraApi, tracker: JiraTracker) -> None:
    api.add_comment("PROJ-1", "Still here.", author=None)
    assert [comment.by for comment in (await tracker.show("PROJ-1")).comments] == ["Somebody"]


async def test_parent_links_and_subtasks_say_how_they_are_related(api: JiraApi, tracker: JiraTracker) -> None:
    for key in ("PROJ-2", "PROJ-3", "PROJ-4"):
        api.add_issue(key, f"Summary of {key}")
    fields = api.issues["PROJ-1"].fields
    fields["parent"] = api.reference("PROJ-2")
    fields["subtasks"] = [api.reference("PROJ-3")]
    api.link("PROJ-1", "PROJ-4")
    links = (await tracker.show("PROJ-1")).links
    assert [(link.relation, link.ticket.key, link.ticket.summary) for link in links] == [
        ("parent", "PROJ-2", "Summary of PROJ-2"),
        ("blocks", "PROJ-4", "Summary of PROJ-4"),
        ("subtask", "PROJ-3", "Summary of PROJ-3"),
    ]
    assert links[0].ticket.url == f"{api.url}/browse/PROJ-2"


@pytest.mark.parametrize(
    ("description", "shown"),
    [
        (None, ""),
        (adf("<b>bold</b>"), "\\<b>bold\\</b>"),
        ("h1. Old *markup*", "# Old **markup**"),
    ],
)
async def test_a_description_is_markdown_whatever_it_was(
    api: JiraApi, tracker: JiraTracker, description: Any, shown: str
) -> None:
    api.issues["PROJ-1"].fields["description"] = description
    assert (await tracker.show("PROJ-1")).ticket.description == shown


async def test_a_text_that_is_nested_too_deeply_does_not_hide_the_ticket(api: JiraApi, tracker: JiraTracker) -> None:
    node: dict[str, Any] = adf("core")
    for _ in range(60):
        node = {"type": "panel", "content": [node]}
    api.issues["PROJ-1"].fields["description"] = node
    assert "nested too deeply" in (await tracker.show("PROJ-1")).ticket.description


# Creating


async def test_the_first_plain_kind_that_needs_no_more_is_created(api: JiraApi, tracker: JiraTracker) -> None:
    api.add_project("PROJ", "Widgets", EPIC, SUBTASK, STORY, NOTE, TASK)
    described = await tracker.create("PROJ", "Export users", "As CSV.")
    short = await tracker.create("PROJ", "Export users", "")
    assert (await tracker.show(described.key)).kind == "Task"
    assert (await tracker.show(short.key)).kind == "Note"


async def test_a_field_that_jira_fills_in_is_not_needed(api: JiraApi, tracker: JiraTracker) -> None:
    api.add_project(
        "PROJ", "Widgets", IssueType("1", "Fix", ("priority",), required=("priority",), defaults=("priority",))
    )
    assert (await tracker.show((await tracker.create("PROJ", "Export users", "")).key)).kind == "Fix"


async def test_every_kind_that_needs_more_is_named(api: JiraApi, tracker: JiraTracker) -> None:
    api.add_project("PROJ", "Widgets", EPIC, STORY, NOTE)
    with pytest.raises(InvalidInput) as refused:
        await tracker.create("PROJ", "Export users", "As CSV.")
    assert refused.value.reason == (
        "PROJ takes no ticket from here: Story needs Severity; Note has no description. Create it in Jira"
    )


async def test_what_jira_refuses_in_spite_of_its_form_is_named_by_its_field(api: JiraApi, tracker: JiraTracker) -> None:
    api.add_project("PROJ", "Widgets", STRICT)
    with pytest.raises(InvalidInput) as refused:
        await tracker.create("PROJ", "Export users", "")
    assert (refused.value.field, refused.value.reason) == (field_id("severity"), "Severity is required.")


async def test_a_project_where_the_account_may_not_create_is_no_project_to_create_in(
    api: JiraApi, tracker: JiraTracker
) -> None:
    api.add_project("SECRET", "Plans", may_create=False)
    assert [project.key for project in await tracker.projects()] == ["PROJ"]
    with pytest.raises(NotFound, match="'SECRET'"):
        await tracker.create("SECRET", "Export users", "")


async def test_many_projects_come_in_pages(api: JiraApi, tracker: JiraTracker) -> None:
    for number in range(100, 350):
        api.add_project(f"P{number}", f"Project {number}")
    found = await tracker.projects()
    assert len({project.key for project in found}) == len(found) == 251


async def test_a_search_asks_for_no_more_than_it_shows(api: JiraApi, tracker: JiraTracker) -> None:
    await tracker.search("dark", limit=10_000)
    (request,) = api.requests
    assert json.loads(request.body)["maxResults"] == 100
