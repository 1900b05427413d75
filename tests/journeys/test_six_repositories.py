"""One ticket for six repositories: what changes gets a pull request of its own, and what fails is tried again alone."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.fakes.forge import Pull
from tests.fakes.scripts import Reply, ToolUse, write_file
from tests.flows.world import FILES, REPOSITORY
from tests.journeys.office import Office, People

pytestmark = pytest.mark.asyncio(loop_scope="session")

_OTHERS = ("api", "web", "ios", "docs", "infra")
_CHANGED = ("widgets", "api", "web", "ios")


@pytest.fixture
def six() -> Iterator[Office]:
    """An office with six repositories."""
    with Office(more={f"acme/{name}": FILES for name in _OTHERS}) as office:
        yield office


async def test_a_ticket_for_six_repositories_opens_linked_pull_requests_where_something_changed(
    six: Office, one_browser: Browser
) -> None:
    six.world.git.fault(403, times=None, when=lambda asked: asked.is_push and asked.repository == "acme/web")
    six.claude_says("Name the dark theme", Reply("In four of them.", tools=_edits(six)), Reply("Four have it now."))
    async with People(six, one_browser) as people:
        ada = await people("Ada Lovelace")
        await ada.creates_ticket("SIX-1", "Name the dark theme")
        await ada.chooses_repositories(*_OTHERS)
        await ada.chooses_mode("Edits", draft_pr=True)
        await ada.starts("SIX-1", "Name the dark theme")

        await ada.waits_for("web could not be published")
        await ada.waits_for_status("Failed")
        tested = await ada.history.get_by_text("python3 tools/test.py").locator("xpath=..").all_text_contents()
        assert [name for name in _CHANGED for gate in tested if f"{name} · " in gate] == list(_CHANGED)
        assert len(tested) == len(_CHANGED)
        pulls = _pulls(six)
        assert set(pulls) == {"widgets", "api", "ios"}
        assert all(_linked(pulls, name) == set(pulls) - {name} for name in pulls)

        six.world.mend()
        await ada.presses("Retry this repository")
        await ada.waits_for_status("PR opened")
        pulls = _pulls(six)
        assert set(pulls) == set(_CHANGED)
        assert _linked(pulls, "web") == {"widgets", "api", "ios"}
        assert all(pull.draft for pull in pulls.values())
        for name in _CHANGED:
            await expect(
                ada.history.get_by_role("region", name=f"Draft pull request opened: {name} #1")
            ).to_be_visible()


def _edits(office: Office) -> list[ToolUse]:
    """A new file in each worktree that changes."""
    root = office.world.workspace
    homes = {name: root / "repositories" / f"acme--{name}" for name in _OTHERS} | {"widgets": root}
    return [write_file(f"{homes[name]}/worktrees/ticket/six-1/src/name.txt", "dark\n") for name in _CHANGED]


def _pulls(office: Office) -> dict[str, Pull]:
    """The pull requests at the forge, by repository."""
    github = office.world.github
    names = [REPOSITORY.partition("/")[2], *_OTHERS]
    return {name: pull for name in names for pull in github[f"acme/{name}"].pulls}


def _linked(pulls: dict[str, Pull], name: str) -> set[str]:
    """The repositories whose pull requests are named in this one's body."""
    return {other for other, pull in pulls.items() if pull.url in pulls[name].body}
