"""What every tracker does: the one in memory, and Jira's against its stand-in."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.eligibility import Memberships
from app.errors import InvalidInput, NotFound
from app.models import Ticket
from app.results import TicketAttachment, TicketComment, TicketDetails, TicketHit, TicketLink, TicketProject
from app.services.tracker import Tracker
from app.services.tracker.base import LONGEST_SUMMARY
from app.services.tracker.jira_client import JiraTracker
from app.services.tracker.mock_client import MockTracker
from tests.fakes.jira_api import EMAIL, TOKEN, IssueType, JiraApi

BUG = IssueType("10004", "Bug", fields=("description", "severity"), required=("severity",))
STARTED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
COMMENTS = tuple(f"Comment {number}" for number in range(60))


def in_memory() -> MockTracker:
    dark = Ticket(key="PROJ-1", summary="Add dark mode", description="For the settings.")
    light = TicketHit(key="PROJ-2", summary="Light mode is too bright", status="To Do", kind="Task")
    said = [
        TicketComment(by="Ada", at=STARTED + timedelta(minutes=number), text=text)
        for number, text in enumerate(COMMENTS)
    ]
    return MockTracker(
        tickets=[
            TicketDetails(
                ticket=dark,
                status="To Do",
                kind="Task",
                reporter="Auto Code",
                comments=tuple(said),
                links=(TicketLink(relation="is blocked by", ticket=light),),
                attachments=(TicketAttachment(name="mock.png", bytes=2048, kind="image/png"),),
            ),
            TicketDetails(ticket=Ticket(key=light.key, summary=light.summary), status="To Do", kind="Task"),
            TicketDetails(ticket=Ticket(key="OPS-7", summary="Rotate the keys"), status="To Do", kind="Task"),
        ],
        projects={"PROJ": "Widgets", "OPS": "Operations"},
        needs={"OPS": "Severity"},
        accounts={
            "ada": Memberships(kind="atlassian", groups=frozenset({"devs"}), roles=frozenset({"Developers"})),
            "carla": Memberships(kind="customer"),
        },
    )


def fill(api: JiraApi) -> None:
    attachment = {"id": "1", "filename": "mock.png", "size": 2048, "mimeType": "image/png"}
    api.add_project("PROJ", "Widgets")
    api.add_project("OPS", "Operations", BUG)
    api.add_issue("PROJ-1", "Add dark mode", "For the settings.", attachment=[attachment])
    api.add_issue("PROJ-2", "Light mode is too bright")
    api.add_issue("OPS-7", "Rotate the keys")
    api.link("PROJ-2", "PROJ-1")
    api.add_user("ada", "devs")
    api.add_user("carla", kind="customer")
    api.add_role("PROJ", "Developers", groups=["devs"])
    api.add_role("PROJ", "Managers", "grace")
    for text in COMMENTS:
        api.add_comment("PROJ-1", text)


@pytest.fixture(params=["mock", "jira"])
async def tracker(request: pytest.FixtureRequest) -> AsyncIterator[Tracker]:
    """A tracker of each kind, with the same tickets."""
    if request.param == "mock":
        yield in_memory()
        return
    with JiraApi() as api:
        fill(api)
        made = JiraTracker(site_url=api.url, email=EMAIL, token=TOKEN)
        yield made
        await made.stop()


async def keys(tracker: Tracker, words: str, **more: int) -> list[str]:
    return [hit.key for hit in await tracker.search(words, **more)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("dark", ["PROJ-1"]),
        ("MODE", ["PROJ-2", "PROJ-1"]),
        ("mode dark", ["PROJ-1"]),
        ("settings", ["PROJ-1"]),
        ("Comment 7", ["PROJ-1"]),
        ("dark mo", ["PROJ-1"]),
        ("mo dark", []),
        ("OPS-7", ["OPS-7"]),
        (" ops-7 ", ["OPS-7"]),
        ("OPS-8", []),
        ("nowhere", []),
        ("???", []),
    ],
)
async def test_a_search_finds_words_their_beginnings_and_keys(tracker: Tracker, words: str, found: list[str]) -> None:
    assert await keys(tracker, words) == found


async def test_without_words_the_newest_come_first(tracker: Tracker) -> None:
    assert await keys(tracker, "") == ["OPS-7", "PROJ-2", "PROJ-1"]
    assert await keys(tracker, "  ", limit=2) == ["OPS-7", "PROJ-2"]


async def test_a_key_comes_before_tickets_that_name_it(tracker: Tracker) -> None:
    await tracker.create("PROJ", "Follow OPS-7", "")
    assert await keys(tracker, "ops-7") == ["OPS-7", "PROJ-3"]


@pytest.mark.parametrize(
    "words",
    [
        'dark" OR key = "OPS-7',
        "dark\\",
        r'dark\" OR text ~ "keys',
        "dark AND",
        "-dark",
        "dark~",
        "(dark",
        '"dark"',
        "d?rk",
    ],
)
async def test_what_people_type_is_words_and_never_a_query(tracker: Tracker, words: str) -> None:
    assert "OPS-7" not in await keys(tracker, words)


async def test_a_hit_says_what_a_list_needs(tracker: Tracker) -> None:
    (hit,) = await tracker.search("bright")
    assert hit.model_copy(update={"url": None}) == TicketHit(
        key="PROJ-2", summary="Light mode is too bright", status="To Do", kind="Task"
    )


async def test_a_ticket_is_shown_whole(tracker: Tracker) -> None:
    shown = await tracker.show("PROJ-1")
    assert (shown.ticket.key, shown.ticket.summary) == ("PROJ-1", "Add dark mode")
    assert shown.ticket.description == "For the settings."
    assert (shown.status, shown.kind, shown.assignee, shown.reporter) == ("To Do", "Task", None, "Auto Code")
    assert [(link.relation, link.ticket.key) for link in shown.links] == [("is blocked by", "PROJ-2")]
    assert shown.attachments == (TicketAttachment(name="mock.png", bytes=2048, kind="image/png"),)


async def test_the_newest_comments_are_shown_in_the_order_they_were_made(tracker: Tracker) -> None:
    shown = await tracker.show("PROJ-1")
    assert [comment.text for comment in shown.comments] == list(COMMENTS[-50:])
    assert (shown.comments[0].by, shown.comments[0].at) == ("Ada", STARTED + timedelta(minutes=10))


@pytest.mark.parametrize("key", ["PROJ-99", "NOPE-1", "", "PROJ-1/comment", "../project/search", "PROJ-1?x=1"])
async def test_a_ticket_that_does_not_exist_is_not_found(tracker: Tracker, key: str) -> None:
    with pytest.raises(NotFound):
        await tracker.show(key)


async def test_projects_are_listed_by_key(tracker: Tracker) -> None:
    assert await tracker.projects() == (
        TicketProject(key="OPS", name="Operations"),
        TicketProject(key="PROJ", name="Widgets"),
    )


async def test_a_created_ticket_is_there_as_it_was_written(tracker: Tracker) -> None:
    made = await tracker.create("PROJ", " Export\nusers ", "As **CSV**:\n\n- names\n- dates")
    assert (made.key, made.summary) == ("PROJ-3", "Export users")
    assert made.description == "As **CSV**:\n\n- names\n- dates"
    shown = await tracker.show("PROJ-3")
    assert shown.ticket == made
    assert await keys(tracker, "export users") == ["PROJ-3"]


async def test_a_ticket_needs_no_description(tracker: Tracker) -> None:
    made = await tracker.create("PROJ", "Export users", " \n")
    assert not made.description.strip()
    assert (await tracker.show(made.key)).ticket.description.strip() == ""


@pytest.mark.parametrize("summary", ["", " \n ", "x" * (LONGEST_SUMMARY + 1)])
async def test_a_summary_that_no_tracker_takes_is_refused(tracker: Tracker, summary: str) -> None:
    with pytest.raises(InvalidInput, match=r"^summary: must"):
        await tracker.create("PROJ", summary, "")


async def test_a_project_that_asks_for_more_says_for_what(tracker: Tracker) -> None:
    with pytest.raises(InvalidInput, match=r"^project: OPS .* needs Severity"):
        await tracker.create("OPS", "Rotate the keys again", "")


@pytest.mark.parametrize("project", ["NOPE", "", "PROJ/../OPS", "proj"])
async def test_a_project_that_does_not_exist_takes_no_ticket(tracker: Tracker, project: str) -> None:
    with pytest.raises(NotFound):
        await tracker.create(project, "Export users", "")


async def test_the_check_says_what_was_found_in_one_line(tracker: Tracker) -> None:
    assert tracker.configured
    assert tracker.name == "Jira"
    assert "\n" not in await tracker.check()


async def test_an_account_is_known_with_its_groups_and_those_roles_that_are_asked_for(tracker: Tracker) -> None:
    ada = await tracker.memberships("ada", project="PROJ", roles=["Developers", "Managers", "Nobodies"])
    assert (ada.kind, set(ada.roles)) == ("atlassian", {"Developers"})
    assert "devs" in ada.groups
    assert (await tracker.memberships("ada", project="PROJ", roles=[])).roles == set()
    assert (await tracker.memberships("carla", project="PROJ", roles=["Developers"])).kind == "customer"
    with pytest.raises(NotFound):
        await tracker.memberships("eve", project="PROJ", roles=["Developers"])
