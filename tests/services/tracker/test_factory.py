"""Which tracker the settings give, and what there is without one."""

import pytest
from pydantic import SecretStr

from app.config import Settings
from app.errors import ConfigurationError, Conflict, NotFound
from app.services.tracker import Tracker, make_tracker
from app.services.tracker.null_client import NoTracker

SITE = "https://acme.atlassian.net"


def settings(**facts: object) -> Settings:
    jira = {"jira_site_url": SITE, "jira_email": "bot@acme.example", "jira_token": SecretStr("ATATT-secret")}
    return Settings(_env_file=None, **(jira | facts))  # type: ignore[arg-type]


def test_a_site_with_an_account_is_a_tracker() -> None:
    tracker = make_tracker(settings())
    assert tracker.configured
    assert tracker.name == "Jira"


@pytest.mark.parametrize("facts", [{"jira_site_url": None}, {"offline": True}])
def test_without_a_site_and_offline_there_is_none(facts: dict[str, object]) -> None:
    assert not make_tracker(settings(**facts)).configured


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (("jira_email",), "without JIRA_EMAIL."),
        (("jira_token",), "without JIRA_TOKEN."),
        (("jira_email", "jira_token"), "without JIRA_EMAIL and JIRA_TOKEN."),
    ],
)
def test_a_site_without_an_account_says_what_is_missing(missing: tuple[str, ...], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make_tracker(settings(**dict.fromkeys(missing)))


@pytest.mark.parametrize(
    "address",
    ["acme", "http://acme.atlassian.net", "ftp://acme.atlassian.net", "https://bot:secret@acme.net", "https://", "http://["],
)  # fmt: skip
def test_an_address_that_is_none_or_would_show_the_token_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^JIRA_SITE_URL must be an address such as") as refused:
        make_tracker(settings(jira_site_url=address))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", [f"{SITE}/", f" {SITE}/jira/projects", "http://127.0.0.1:8080", "http://localhost"])
def test_of_an_address_the_host_is_taken(address: str) -> None:
    assert make_tracker(settings(jira_site_url=address)).configured


def test_a_cloud_id_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^JIRA_CLOUD_ID must be an id"):
        make_tracker(settings(jira_cloud_id="../other"))


async def test_where_no_tracker_is_nothing_is_found_and_nothing_created() -> None:
    tracker: Tracker = NoTracker()
    assert await tracker.search("dark") == ()
    assert await tracker.projects() == ()
    with pytest.raises(NotFound, match=r"PROJ-1\. Set JIRA_SITE_URL"):
        await tracker.show("PROJ-1")
    with pytest.raises(Conflict, match=r"^No tracker is configured"):
        await tracker.create("PROJ", "Export users", "")
    assert "local" in await tracker.check()
    await tracker.stop()
