"""A Jira that works, and who asks it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from app.services.tracker.jira_client import JiraTracker
from tests.fakes.jira_api import EMAIL, TOKEN, JiraApi


@pytest.fixture
def api() -> Iterator[JiraApi]:
    """A site with one project and one issue."""
    with JiraApi() as made:
        made.add_project("PROJ", "Widgets")
        made.add_issue("PROJ-1", "Add dark mode")
        yield made


@pytest.fixture
async def tracker(api: JiraApi) -> AsyncIterator[JiraTracker]:
    """The site, asked as the right account."""
    made = JiraTracker(site_url=api.url, email=EMAIL, token=TOKEN)
    yield made
    await made.stop()
