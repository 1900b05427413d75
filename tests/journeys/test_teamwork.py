"""Several people, the tracker and Claude in one conversation; and what goes wrong in it."""

import pytest
from playwright.async_api import expect

from tests.fakes.scripts import Reply, read_file, write_file
from tests.flows.world import REPOSITORY
from tests.journeys.office import Office, People, about

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_people_see_each_other_and_share_the_queue(office: Office, people: People) -> None:
    office.claude_says("What is a widget?", Reply("A widget is a thing."))
    office.claude_says("Name three widgets", Reply("Knob, dial, lever."))
    held = office.world.model.gate(about("What is a widget?"))
    ada, grace = await people("Ada Lovelace"), await people("Grace Hopper")
    await ada.sends_ticket(office.ticket("TEAM-1"), "What is a widget?", mode="Ask")
    await grace.opens("TEAM-1")
    await expect(grace.said_by("Ada Lovelace")).to_contain_text("What is a widget?")
    await office.asked("What is a widget?")

    await grace.sends("Forget it")
    await grace.sends("Name three widgets")
    queued = ada.queue.get_by_role("listitem")
    await expect(queued).to_contain_text(["Grace Hopper Forget it", "Grace Hopper Name three widgets"])
    await queued.filter(has_text="Forget it").get_by_role("button", name="Withdraw").click()
    await expect(grace.queue.get_by_role("listitem")).to_have_count(1)
    await ada.waits_for("Ada Lovelace withdrew a message")
    await queued.filter(has_text="Name three widgets").get_by_role("button", name="Send now").click()

    await grace.waits_for("Knob, dial, lever.")
    await grace.waits_for_status("Idle")
    await ada.waits_for("Interrupted by Ada Lovelace")
    await expect(ada.said_by("Grace Hopper")).to_contain_text("Name three widgets")
    await expect(ada.queue).to_be_hidden()
    held.open()
    assert not office.world.asked("Forget it")


async def test_a_stopped_turn_is_idle_and_goes_on_when_somebody_wants_it(office: Office, people: People) -> None:
    office.claude_says(
        "Write the manual",
        Reply("Reading.", tools=[read_file("README.md")]),
        Reply("", tools=[write_file("MANUAL.md", "Turn the knob.\n")]),
        Reply("The manual is there."),
    )
    ada, grace = await people("Ada Lovelace"), await people("Grace Hopper")
    with office.world.model.gate(lambda asked: "Reading." in asked.body.decode()) as held:
        await ada.sends_ticket(office.ticket("STOP-1"), "Write the manual", mode="Edits")
        await ada.waits_for("Reading.")
        await ada.stops()
        await ada.waits_for_status("Idle")
        await ada.waits_for("Stopped by Ada Lovelace")
    assert not any(request.finished for request in held.held)

    await grace.opens("STOP-1")
    await grace.retries()
    await ada.waits_for("The manual is there.")
    await ada.waits_for_status("Idle")
    await expect(ada.changes).to_contain_text("MANUAL.md")
    assert len({asked.session_id for asked in office.world.asked("Write the manual")}) == 1


async def test_a_failed_turn_says_why_and_can_be_retried(office: Office, people: People) -> None:
    office.claude_says("Explain the knob", Reply("It turns."))
    office.world.model.fault(400, times=None, when=about("Explain the knob"))
    ada = await people("Ada Lovelace")
    await ada.sends_ticket(office.ticket("FAIL-1"), "Explain the knob", mode="Ask")
    await ada.waits_for_status("Failed")
    failure = ada.history.get_by_role("region", name="The turn failed")
    await expect(failure).to_contain_text("400")

    office.world.mend()
    await failure.get_by_role("button", name="Retry").click()
    await ada.waits_for("It turns.")
    await ada.waits_for_status("Idle")
    await expect(failure.get_by_role("button")).to_have_count(0)


async def test_a_person_takes_over_what_the_tracker_began(office: Office, people: People) -> None:
    office.claude_says(
        "HOOK-1", Reply("", tools=[write_file("src/toggle.txt", "toggle\n")]), Reply("The toggle is there.")
    )
    office.claude_says(
        "Call it a switch", Reply("", tools=[write_file("src/switch.txt", "switch\n")]), Reply("It is a switch.")
    )
    ada = await people("Ada Lovelace")
    office.webhook("HOOK-1", "A toggle for widgets")
    await ada.page.get_by_role("link", name="A toggle for widgets").click()
    await ada.waits_for_status("PR opened")
    await expect(ada.history).to_contain_text("Sent by Jira")
    await ada.sends("Call it a switch", mode="Edits")
    await ada.waits_for("It is a switch.")
    await expect(ada.history.get_by_role("region", name="Pull request updated")).to_be_visible(timeout=45_000)

    (pull,) = office.world.github[REPOSITORY].find(head="acme:ticket/hook-1")
    assert office.world.git.file(REPOSITORY, "ticket/hook-1", "src/switch.txt") == "switch\n"
    await expect(ada.history.get_by_role("link", name="Open on GitHub").last).to_have_attribute("href", pull.url)
