"""The same by other means: by keys alone, on a phone, and in a browser without scripts."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.fakes.scripts import Reply, ask_people, propose_plan, read_file, write_file, write_plan
from tests.flows.world import REPOSITORY
from tests.journeys.office import Office, People

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_everything_can_be_done_by_keys(office: Office, people: People) -> None:
    office.claude_says(
        "Paint it by keys",
        Reply("", tools=[ask_people("Which red?", "Ruby", "Rose")]),
        Reply("", tools=[write_plan("# Keys\n\n1. Paint it rose.\n")]),
        Reply("", tools=[propose_plan()]),
        Reply("It is painted."),
    )
    ada = await people("Ada Lovelace")
    keys, page = ada.page.keyboard, ada.page
    office.ticket("KEYS-1", "Paint by keys")
    await keys.press("m")
    await keys.press("3")
    await keys.press("Escape")
    await expect(page.get_by_role("button", name="Mode: Plan")).to_be_focused()
    await keys.press("t")
    await keys.type("keys-1")
    await expect(page.get_by_role("button", name="Paint by keys KEYS-1")).to_be_visible()
    await keys.press("Enter")
    await expect(page.get_by_role("textbox", name="Instructions for Claude Code")).to_be_focused()
    await keys.type("Paint it by keys")
    await keys.press("Control+Enter")
    await page.wait_for_url("**/code-runs/KEYS-1")

    await keys.press("Shift+N")
    await page.wait_for_url("**/code-runs")
    await keys.press("/")
    await keys.type("paint by")
    await expect(page.get_by_role("navigation", name="Code runs").get_by_role("listitem")).to_have_count(1)
    await keys.press("Escape")
    await expect(page.get_by_role("searchbox", name="Find a run")).to_have_value("paint by")
    await keys.press("j")
    listed = page.get_by_role("navigation", name="Code runs").get_by_role("link", name="Paint by keys")
    await expect(listed).to_be_focused()
    await keys.press("/")
    await keys.press("ArrowDown")
    listed = page.get_by_role("navigation", name="Code runs").get_by_role("link", name="Paint by keys")
    await expect(listed).to_be_focused()
    await keys.press("Enter")
    await page.wait_for_url("**/code-runs/KEYS-1")

    await ada.waits_for_status("Needs input")
    await keys.press("2")
    await expect(ada.question.get_by_role("radio", name="Rose")).to_be_checked()
    await keys.press("Control+Enter")
    await ada.plan.wait_for(timeout=45_000)
    await keys.press("a")
    await expect(page.get_by_role("button", name="Approve and start")).to_be_focused()
    await keys.press("Enter")
    await ada.waits_for("It is painted.")

    await keys.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await keys.press("Escape")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


async def test_a_phone_shows_one_side_at_a_time_and_can_do_everything(office: Office, people: People) -> None:
    office.claude_says(
        "Plan it on the train",
        Reply("", tools=[write_plan("# On the train\n\n1. Write `src/train.txt`.\n")]),
        Reply("", tools=[propose_plan()]),
        Reply("", tools=[write_file("src/train.txt", "a very long line of text " * 20 + "\n")]),
        Reply("It is written."),
    )
    office.claude_says("And the way back?", Reply("The same way."))
    ada = await people(
        "Ada Lovelace", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    await fits(ada.page)
    await ada.sends_ticket(office.ticket("PHONE-1"), "Plan it on the train", mode="Plan")
    await ada.waits_for_status("Needs input")
    await fits(ada.page)
    await ada.plan.get_by_role("switch", name="Open draft PR when done").uncheck()
    await ada.approves()
    await ada.waits_for_status("Idle")
    await ada.waits_for("It is written.")

    await ada.opens_tab("Changes")
    await expect(ada.changes.get_by_role("table")).to_contain_text("a very long line")
    await expect(ada.history).to_be_hidden()
    await fits(ada.page)
    await ada.opens_tab("Plan")
    await expect(ada.page.get_by_role("region", name="Plan", exact=True)).to_contain_text("Approved by Ada Lovelace")
    await fits(ada.page)
    await ada.opens_tab("Conversation")
    await ada.sends("And the way back?", mode="Ask")
    await ada.waits_for("The same way.")
    await fits(ada.page)
    await ada.page.get_by_role("button", name="Open the list of runs").tap()
    await expect(ada.page.get_by_role("navigation", name="Code runs")).to_be_visible()
    await fits(ada.page)


async def test_a_browser_without_scripts_reads_sends_and_decides(office: Office, people: People) -> None:
    office.claude_says(
        "Plan it in plain HTML",
        Reply("I look first.", tools=[read_file("README.md")]),
        Reply("", tools=[write_plan("# Plain\n\n1. Write plain.txt.\n")]),
        Reply("", tools=[propose_plan()]),
        Reply("", tools=[write_file("plain.txt", "<p>plain</p>\n")]),
        Reply("Plain it is."),
    )
    office.claude_says("Is it plain?", Reply("As plain as can be."))
    ada = await people("Ada of the terminal", java_script_enabled=False)
    page = ada.page
    await page.get_by_role("link", name="Create a ticket").click()
    await page.get_by_label("Key").fill("PLAIN-1")
    await page.get_by_label("Title").fill("Plain HTML")
    await page.get_by_role("button", name="Create", exact=True).click()
    await page.get_by_role("radio", name=re.compile("^Plan")).check()
    await page.get_by_label("Instructions for Claude Code").fill("Plan it in plain HTML")
    await page.get_by_role("button", name="Start the run").click()
    await page.wait_for_url("**/code-runs/PLAIN-1")

    await ada.reloads_until("Needs input")
    await page.get_by_role("switch", name="Open draft PR when done").uncheck()
    await ada.approves()
    await ada.reloads_until("Idle")
    await expect(ada.history).to_contain_text("Plain it is.")
    await ada.history.get_by_text("Explored for").first.click()
    await ada.history.get_by_text("README.md").click()
    await ada.history.get_by_role("link", name="Show the whole step").first.click()
    await expect(page.get_by_role("main")).to_contain_text("# Widgets")
    await page.get_by_role("link", name="Back").click()

    await page.get_by_role("link", name="Changes").locator("visible=true").first.click()
    await expect(ada.changes).to_contain_text("<p>plain</p>")
    await page.get_by_role("textbox", name="Message to Claude").fill("Is it plain?")
    await page.get_by_role("button", name="Send", exact=True).click()
    await ada.reloads_until("Idle")
    await expect(ada.history).to_contain_text("As plain as can be.")
    assert office.world.git.heads(REPOSITORY).get("ticket/plain-1") is None


async def fits(page: Page) -> None:
    """Nothing sticks out at the side."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_what_was_found_stays_while_others_work(office: Office, people: People) -> None:
    office.ticket("FOUND-1", "Sharpen the pencils")
    office.ticket("FOUND-2", "Polish the lamps")
    office.claude_says("Sharpen them all", Reply("They are sharp."))
    office.claude_says("Polish them all", Reply("They shine."))
    ada, grace = await people("Ada Lovelace"), await people("Grace Hopper")
    await ada.sends_ticket("FOUND-1", "Sharpen them all", mode="Ask")
    await ada.waits_for("They are sharp.")
    found = ada.page.get_by_role("navigation", name="Code runs").get_by_role("listitem")
    await ada.page.get_by_role("searchbox", name="Find a run").fill("pencils")
    await expect(found).to_have_count(1)
    await grace.sends_ticket("FOUND-2", "Polish them all", mode="Ask")
    await grace.waits_for("They shine.")
    await expect(found).to_have_count(1)
    await expect(found).to_contain_text("Sharpen the pencils")
