"""With a tracker, tickets are found, read and made there, and sent to Claude from here."""

import pytest
from playwright.async_api import Browser, expect

from tests.fakes.jira_api import EMAIL, TOKEN, JiraApi
from tests.fakes.scripts import Reply
from tests.journeys.office import Office, People

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_tickets_of_the_tracker_are_found_read_made_and_sent(one_browser: Browser) -> None:
    with JiraApi() as jira:
        jira.add_project("NIGHT", "Night mode")
        jira.add_issue("NIGHT-1", "Paint it navy", "People work at night.")
        jira.add_comment("NIGHT-1", "Not too dark, please.", by="Grace")
        with Office(JIRA_SITE_URL=jira.url, JIRA_EMAIL=EMAIL, JIRA_TOKEN=TOKEN) as office:
            office.claude_says("people work at night", Reply("They should not."))
            office.claude_says("They dream", Reply("Let them."))
            async with People(office, one_browser) as people:
                ada = await people("Ada Lovelace")
                await ada.finds_ticket("navy", "Paint it navy NIGHT-1")
                await ada.chooses_mode("Ask")
                await ada.starts("NIGHT-1")
                await ada.waits_for("They should not.")

                await ada.page.get_by_role("link", name="NIGHT-1", exact=True).click()
                page = ada.page.get_by_role("main")
                await expect(page).to_contain_text("People work at night.")
                await expect(page.get_by_role("article")).to_contain_text("Not too dark, please.")

                await ada.page.goto("/code-runs")
                await ada.page.get_by_role("button", name="Add ticket").click()
                await ada.page.get_by_role("link", name="Create a ticket").click()
                await ada.page.get_by_label("Project in Jira").select_option(label="Night mode (NIGHT)")
                await ada.page.get_by_label("Title").fill("Dream")
                await ada.page.get_by_role("button", name="Create", exact=True).click()
                await ada.page.get_by_role("button", name="Remove ticket NIGHT-2").wait_for()
                await ada.chooses_mode("Ask")
                await ada.starts("NIGHT-2", "They dream")
                await ada.waits_for("Let them.")
        assert jira.issues["NIGHT-2"].summary == "Dream"
