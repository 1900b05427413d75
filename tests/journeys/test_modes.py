"""What a person sends from the first page, in each mode."""

import pytest
from playwright.async_api import expect

from tests.fakes.scripts import Reply, read_file
from tests.journeys.office import Office, People

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_question_is_answered_while_one_looks_and_no_file_changes(office: Office, people: People) -> None:
    office.claude_says(
        "Where do the themes live?",
        Reply("Let me look.", tools=[read_file("src/theme.txt")]),
        Reply("They live in **src/theme.txt**, one on each line. There are two of them: light, and dark."),
    )
    ada = await people("Ada Lovelace")
    await ada.creates_ticket("ASK-1", "Themes", "Where are they?")
    await ada.chooses_mode("Ask")
    await ada.starts("ASK-1", "Where do the themes live?")
    await ada.waits_for_status("Idle")
    await expect(ada.history.get_by_text("src/theme.txt").last).to_be_visible()
