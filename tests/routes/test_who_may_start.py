"""Jira's webhook starts runs for those who may start them; everybody else learns why not, and so do those who read."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.eligibility import Starters
from app.errors import ConfigurationError
from app.models import EventKind, RunFilter
from app.services.runner.admission import Admission
from app.services.tracker.jira_client import JiraTracker
from app.services.tracker.null_client import NoTracker
from tests.builders import jira_body
from tests.fakes.jira_api import EMAIL, TOKEN, JiraApi
from tests.routes.service import Json, Service, serving

ADA: Json = {"accountId": "557058:ada", "displayName": "Ada", "accountType": "atlassian"}
BOB: Json = {"accountId": "557058:bob", "displayName": "Bob", "accountType": "atlassian"}
CARLA: Json = {"accountId": "712020:carla", "displayName": "Carla", "accountType": "customer"}


def edit_by(user: Any, summary: str = "Add dark mode") -> Json:
    return {**jira_body("system.issue_updated", key="PROJ-1", summary=summary), "user": user}


async def taken(service: Service) -> int:
    return len((await service.store.runs(RunFilter())).runs)


async def notices(service: Service) -> list[str]:
    events = await service.runner.since("PROJ-1", after=0)
    return [event.payload["text"] for event in events if event.kind == EventKind.NOTICE]


async def test_with_a_list_only_those_on_it_start_runs() -> None:
    async with serving(trigger_allowed_users="557058:ada") as service:
        refused = await service.deliver(edit_by(BOB))
        assert refused.status_code == 202
        assert refused.json() == {
            "status": "ignored",
            "ticket": "PROJ-1",
            "reason": "Bob (557058:bob) is not among those who may start runs. Put the account id, or a group or a "
            "project role that it has, into TRIGGER_ALLOWED_USERS; or let somebody who is among them do it",
        }
        assert await taken(service) == 0
        assert (await service.deliver(edit_by(ADA))).json()["status"] == "accepted"


async def test_whoever_reads_the_conversation_learns_once_of_each_who_was_refused() -> None:
    async with serving(trigger_allowed_users="557058:ada") as service:
        await service.deliver(edit_by(ADA))
        for user in (BOB, BOB, CARLA, None):
            await service.deliver(edit_by(user, summary="Drop all tables"))
        told = await notices(service)
        assert [line.split(": ")[0] for line in told] == ["A change of the ticket started nothing"] * 3
        assert [name in line for name, line in zip(("Bob", "Carla", "who acted"), told, strict=True)] == [True] * 3
        page = (await service.look("/code-runs/PROJ-1")).text
        assert "Bob (557058:bob) is not among those who may start runs" in page
        assert "Drop all tables" not in page  # what they wrote is not taken over either


async def test_a_customer_of_a_service_desk_starts_nothing_unless_named() -> None:
    async with serving() as service:
        refused = (await service.deliver(edit_by(CARLA))).json()
        assert (refused["status"], await taken(service)) == ("ignored", 0)
        assert refused["reason"].startswith("Carla (712020:carla) is a customer of a service desk")
        assert (await service.deliver(edit_by(BOB))).json()["status"] == "accepted"
    async with serving(trigger_allowed_users="712020:carla") as service:
        assert (await service.deliver(edit_by(CARLA))).json()["status"] == "accepted"


async def test_on_a_service_desk_whoever_acted_must_be_named() -> None:
    body = jira_body("automation.issue_data_jira_format")
    body["issue"]["fields"]["project"]["projectTypeKey"] = "service_desk"
    async with serving() as service:
        assert "does not say who acted" in (await service.deliver(body)).json()["reason"]
        assert (await service.deliver({**body, "initiator": ADA["accountId"]})).json()["status"] == "accepted"


@pytest.mark.parametrize("shape", ["automation.issue_data_jira_format", "automation.issue_data_automation_format"])
async def test_with_a_list_a_rule_must_say_who_acted(shape: Any) -> None:
    async with serving(trigger_allowed_users="557058:00000000-0000-4000-8000-000000000001") as service:
        refused = (await service.deliver(jira_body(shape))).json()  # that account is its reporter
        assert refused["status"] == "ignored"
        assert "Let the rule at Jira send `initiator`" in refused["reason"]


async def test_people_on_the_pages_and_commands_are_not_jiras_matter() -> None:
    async with serving(trigger_allowed_users="557058:ada") as service:
        await service.deliver(edit_by(ADA))
        assert (await service.press("/code-runs/PROJ-1/messages", {"text": "Go on"})).status_code == 204


# Groups and roles


@pytest.fixture
def api() -> Any:
    """A Jira where Ada is a developer of PROJ by her group, and Bob is not."""
    with JiraApi() as made:
        made.add_project("PROJ", "Widgets")
        made.add_project("OPS", "Operations")
        made.add_user("557058:ada", "devs")
        made.add_user("557058:bob", "guests")
        made.add_role("PROJ", "Developers", groups=["devs"])
        yield made


@pytest.fixture(params=["group:devs", "role:Developers"])
async def service(api: JiraApi, request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """A service where developers start runs."""
    tracker = JiraTracker(site_url=api.url, email=EMAIL, token=TOKEN)
    async with serving(tracker=tracker, trigger_allowed_users=f"557058:zoe,{request.param}") as made:
        yield made
    await tracker.stop()


async def test_who_has_the_group_or_the_role_starts_runs(service: Service, api: JiraApi) -> None:
    assert (await service.deliver(edit_by(BOB))).json()["status"] == "ignored"
    assert (await service.deliver(edit_by({"accountId": "557058:eve"}))).json()["status"] == "ignored"
    assert (await service.deliver(edit_by(ADA))).json()["status"] == "accepted"
    asked = len(api.requests)
    assert (await service.deliver(edit_by(ADA, summary="Once more"))).json()["status"] == "duplicate"
    assert len(api.requests) == asked


@pytest.mark.parametrize(("trouble", "status"), [(503, 503), (429, 503), ("cut_before_headers", 503), (403, 502)])
async def test_while_jira_does_not_say_it_the_sender_is_asked_to_come_again(
    service: Service, api: JiraApi, trouble: int | str, status: int
) -> None:
    api.fault(trouble)
    answer = await service.deliver(edit_by(ADA))
    assert (answer.status_code, await taken(service)) == (status, 0)
    assert "Jira" in answer.json()["detail"] or "127.0.0.1" in answer.json()["detail"]
    assert (await service.deliver(edit_by(ADA))).json()["status"] == "accepted"


async def test_jira_is_not_asked_about_those_who_are_named_or_whose_event_means_nothing(
    service: Service, api: JiraApi
) -> None:
    api.fault(503, times=None)
    zoe = {"accountId": "557058:zoe", "accountType": "atlassian"}
    assert (await service.deliver(edit_by(zoe))).json()["status"] == "accepted"
    assert (await service.deliver(edit_by(CARLA))).json()["status"] == "ignored"
    labels = {**jira_body("system.issue_updated", changed=["labels"]), "user": ADA}
    assert (await service.deliver(labels)).json()["status"] == "ignored"
    assert api.requests == []


def test_groups_without_a_tracker_that_knows_them_are_a_mistake_that_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no tracker is configured that knows who is in them"):
        Admission(tracker=NoTracker(), starters=Starters.of(["group:devs"]))
