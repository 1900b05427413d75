"""What a person sends from the first page, in each mode, and what comes of it."""

import pytest
from playwright.async_api import expect

from tests.fakes.scripts import Reply, read_file, write_file
from tests.flows.world import REPOSITORY
from tests.journeys.office import API, Office, People

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_question_is_answered_while_one_looks_and_changes_nothing(office: Office, people: People) -> None:
    answer = "They live in src/theme.txt, one on each line. There are two of them so far: light, and dark."
    office.claude_says("Where do themes live?", Reply("I look.", tools=[read_file("src/theme.txt")]), Reply(answer))
    office.world.model.fault("hang_mid_stream", when=lambda asked: "I look." in asked.body.decode())
    ada = await people("Ada Lovelace")
    await ada.creates_ticket("ASK-1", "Themes", "Where are they?")
    await ada.chooses_mode("Ask")
    await ada.starts("ASK-1", "Where do themes live?")

    await ada.waits_for("They live in")
    await ada.waits_for_status("Running")
    assert "and dark" not in await ada.history.inner_text()
    office.world.model.release()
    await ada.waits_for("light, and dark.")
    await ada.waits_for_status("Idle")

    assert (await ada.history.inner_text()).count("They live in") == 1
    await ada.opens_tab("Changes")
    await expect(ada.changes).to_contain_text("No changes yet")
    assert office.world.github[REPOSITORY].find(head="acme:ticket/ask-1") == []


async def test_edits_are_a_diff_until_somebody_opens_their_pull_request(office: Office, people: People) -> None:
    office.world.git.commit_as_human(API, "next", {"src/theme.txt": "light\ndark\nnext\n"}, "Begin the next one")
    office.claude_says(
        "Give it a toggle",
        Reply("Adding it.", tools=[write_file("src/toggle.txt", "on\noff\n")]),
        Reply("It has a toggle."),
    )
    ada = await people("Ada Lovelace")
    await ada.creates_ticket("EDIT-1", "Toggle")
    await ada.chooses_repositories("api")
    await ada.presses("Remove widgets")
    await ada.chooses_branch("api", "next")
    await ada.chooses_mode("Edits")
    await ada.chooses_model("Opus 4.8")
    await ada.starts("EDIT-1", "Give it a toggle")
    await ada.waits_for_status("Idle")

    assert (await office.asked("Give it a toggle")).model == "claude-opus-4-8"
    await ada.opens_tab("Changes")
    await expect(ada.changes.get_by_role("table")).to_contain_text("off")
    assert office.world.github[API].pulls == []

    await ada.presses("Open draft PR")
    await ada.waits_for_status("PR opened")
    (pull,) = office.world.github[API].pulls
    assert (pull.draft, pull.head, pull.base) == (True, "ticket/edit-1", "next")
    assert office.world.git.file(API, "ticket/edit-1", "src/toggle.txt") == "on\noff\n"
    await expect(ada.history.get_by_role("link", name="Open on GitHub")).to_have_attribute("href", pull.url)
