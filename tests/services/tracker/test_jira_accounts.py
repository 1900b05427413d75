"""What Jira says of accounts is asked once for ten minutes, and what it does not say is never made up."""

import asyncio

import pytest

from app.errors import NotFound, TemporarilyFailed, WorkFailed
from app.services.tracker.jira_accounts import JiraAccounts
from app.services.tracker.jira_api import GATEWAY
from app.services.tracker.jira_api import JiraApi as Client
from app.services.tracker.jira_client import JiraTracker
from tests.fakes.jira_api import EMAIL, TOKEN, JiraApi

ROLES = ("Developers",)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def people(api: JiraApi) -> None:
    """Ada is a developer by herself, Bob by his group."""
    api.add_user("ada")
    api.add_user("bob", "devs")
    api.add_role("PROJ", "Developers", "ada", groups=["devs"])


async def test_a_role_is_had_by_oneself_or_by_a_group(tracker: JiraTracker) -> None:
    for name in ("ada", "bob"):
        assert (await tracker.memberships(name, project="PROJ", roles=ROLES)).roles == {"Developers"}


async def test_a_group_is_known_by_its_id_too(api: JiraApi, tracker: JiraTracker) -> None:
    api.add_user("carol", "ops", "devs")
    groups = (await tracker.memberships("carol", project="PROJ", roles=())).groups
    assert len(groups) == 4
    assert {"ops", "devs"} < groups


async def test_many_at_once_ask_once_and_ten_minutes_later_again(api: JiraApi) -> None:
    clock = Clock()
    client = Client(site_url=api.url, email=EMAIL, token=TOKEN, cloud_id=None, gateway_url=GATEWAY, limit_s=5)
    accounts = JiraAccounts(client, clock=clock)

    async def ask() -> bool:
        return bool((await accounts.memberships("ada", project="PROJ", roles=ROLES)).roles)

    assert all(await asyncio.gather(*(ask() for _ in range(20))))
    assert len(api.requests) == 4
    api.projects["PROJ"].roles["Developers"].clear()
    clock.now = 599
    assert await ask()
    clock.now = 601
    assert not await ask()
    await client.close()


async def test_a_failure_is_not_kept(api: JiraApi, tracker: JiraTracker) -> None:
    api.fault(503)
    with pytest.raises(TemporarilyFailed):
        await tracker.memberships("ada", project="PROJ", roles=ROLES)
    assert (await tracker.memberships("ada", project="PROJ", roles=ROLES)).roles == {"Developers"}


async def test_a_jira_that_is_silent_is_not_waited_for(api: JiraApi) -> None:
    client = Client(site_url=api.url, email=EMAIL, token=TOKEN, cloud_id=None, gateway_url=GATEWAY, limit_s=5)
    api.fault("hang_before_headers")
    with pytest.raises(TemporarilyFailed, match="did not say within"):
        await JiraAccounts(client, limit_s=0.05).memberships("ada", project="PROJ", roles=ROLES)
    api.mend()
    await client.close()


@pytest.mark.parametrize("account", ["eve", "", "ada&accountId=bob", "../myself"])
async def test_an_account_that_jira_does_not_know_is_not_found(tracker: JiraTracker, account: str) -> None:
    with pytest.raises(NotFound, match="Jira knows no account"):
        await tracker.memberships(account, project="PROJ", roles=ROLES)


async def test_whom_the_account_may_not_see_is_a_fault_of_ours_and_not_nobody(
    api: JiraApi, tracker: JiraTracker
) -> None:
    api.may_browse_users = False
    with pytest.raises(WorkFailed, match="Check the rights of JIRA_EMAIL"):
        await tracker.memberships("ada", project="PROJ", roles=ROLES)


@pytest.mark.parametrize("project", ["PROJ", "NOPE", "../x", "PROJ?"])
async def test_roles_that_the_account_may_not_see_are_a_fault_of_ours_too(
    api: JiraApi, tracker: JiraTracker, project: str
) -> None:
    api.projects["PROJ"].administered = False
    with pytest.raises(WorkFailed):
        await tracker.memberships("ada", project=project, roles=ROLES)
    assert (await tracker.memberships("ada", project=project, roles=())).kind == "atlassian"
