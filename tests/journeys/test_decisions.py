"""What Claude leaves to people: plans to review and questions to answer, for as long as that takes."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.fakes.scripts import Reply, ask_people, propose_plan, write_file, write_plan
from tests.flows.world import REPOSITORY
from tests.journeys.office import Office, People, about

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_plan_is_revised_approved_and_followed_to_a_draft_pull_request(office: Office, people: People) -> None:
    office.claude_says(
        "Plan the night theme",
        Reply("", tools=[write_plan("# A theme\n\n1. Paint it black.\n")]),
        Reply("", tools=[propose_plan()]),
        Reply("", tools=[write_plan("# A theme\n\n1. Paint it navy.\n")]),
        Reply("", tools=[propose_plan()]),
        Reply("As planned.", tools=[write_file("src/night.txt", "dark navy\n")]),
        Reply("It is navy."),
    )
    ada, grace = await people("Ada Lovelace"), await people("Grace Hopper")
    await ada.sends_ticket(office.ticket("PLAN-1"), "Plan the night theme", mode="Plan")
    await grace.opens("PLAN-1")
    await ada.waits_for_status("Needs input")
    await expect(ada.plan).to_contain_text("version 1")
    await ada.asks_for_changes("Not black, please.")

    await expect(grace.plan).to_contain_text("Paint it navy.", timeout=45_000)
    await expect(grace.plan).to_contain_text("version 2")
    first = grace.history.get_by_role("group").filter(has_text="Changes asked by Ada Lovelace")
    await expect(first).to_have_js_property("open", False)
    await expect(grace.history.get_by_text("Paint it black.")).to_be_hidden()
    await first.get_by_text("version 1").click()
    await expect(grace.history.get_by_text("Paint it black.")).to_be_visible()
    await expect(first).to_contain_text("Not black, please.")

    await grace.approves()
    await ada.waits_for_status("PR opened")
    await expect(ada.history).to_contain_text("Approved by Grace Hopper")
    (pull,) = office.world.github[REPOSITORY].find(head="acme:ticket/plan-1")
    assert pull.draft
    assert office.world.git.file(REPOSITORY, "ticket/plan-1", "src/night.txt") == "dark navy\n"
    assert len({asked.session_id for asked in office.world.asked("Plan the night theme")}) == 1


async def test_a_question_waits_over_a_restart_without_a_process_and_is_answered_once(
    office: Office, people: People
) -> None:
    office.claude_says(
        "Paint the toggle",
        Reply("One thing.", tools=[ask_people("Which blue?", "Navy", "Sky")]),
        Reply("Painted."),
    )
    people.browsing.expect("net::ERR_|50[23]|409")
    ada, grace = await people("Ada Lovelace"), await people("Grace Hopper")
    with office.world.model.gate(about("Paint the toggle")):
        await ada.sends_ticket(office.ticket("WAIT-1"), "Paint the toggle", mode="Edits")
        await office.asked("Paint the toggle")
        assert works_in(office.world.workspace, "wait-1")
    await ada.waits_for_status("Needs input")
    await nothing_works_in(office.world.workspace, "wait-1")
    office.service.stop()
    await grace_stays_behind(grace.page)
    office.service.start()
    await grace.opens("WAIT-1")

    await ada.answers("Navy")  # on the page that was open all the time
    await ada.waits_for_status("Idle")
    await expect(ada.history.get_by_text("Painted.")).to_have_count(1)
    await expect(ada.history.get_by_role("group").filter(has_text="Navy")).to_contain_text("Ada Lovelace")
    assert '\\"Which blue?\\"=\\"Navy\\"' in office.world.asked("Paint the toggle")[-1].body.decode()

    await grace.answers("Sky")
    await expect(grace.page.get_by_role("alert")).to_contain_text("Ada Lovelace")


async def nothing_works_in(directory: Path, branch: str) -> None:
    """Return when no process works there."""
    give_up = time.monotonic() + 20
    while works_in(directory, branch):
        assert time.monotonic() < give_up, f"A process still works on {branch}."
        await asyncio.sleep(0.1)


def works_in(directory: Path, branch: str) -> bool:
    """Whether a process works in the branch's place below a directory; those for runs to come are elsewhere."""
    places = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            places.append(str(entry.readlink()))
    return any(place.startswith(str(directory)) and branch in place for place in places)


async def grace_stays_behind(page: Page) -> None:
    """Her page hears of nothing from now on: its stream hangs."""
    await page.route("**/events?**", lambda _: None)
