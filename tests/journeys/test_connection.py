"""A connection that breaks in the middle of a turn loses nothing, and repeats nothing."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.fakes.scripts import Reply, read_file
from tests.journeys.office import Office, People
from tests.journeys.people import Person
from tests.web.fault_proxy import FaultProxy

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_cut_in_the_middle_of_a_stream_and_a_reload_lose_and_repeat_nothing(
    office: Office, people: People
) -> None:
    office.claude_says(
        "Tell me of the knob",
        Reply("First I read.", tools=[read_file("README.md")]),
        Reply("Then I read on.", tools=[read_file("CLAUDE.md")]),
        Reply("The knob is round, and it turns to the left as well as to the right."),
    )
    model, people_say = office.world.model, people.browsing
    people_say.expect("net::ERR_")
    model.fault("hang_mid_stream", when=lambda asked: "Then I read on." in asked.body.decode())
    async with FaultProxy(office.service.port) as proxy:
        ada = await people("Ada Lovelace", at=proxy.url)
        grace = await people("Grace Hopper", at=proxy.url)
        with model.gate(lambda asked: "First I read." in asked.body.decode()) as held:
            await ada.sends_ticket(office.ticket("CUT-1"), "Tell me of the knob", mode="Ask")
            await grace.opens("CUT-1")
            await grace.waits_for("First I read.")
            await asyncio.to_thread(held.wait)
            proxy.cut()
        await ada.waits_for("The knob is")
        proxy.mode = "refuse"
        proxy.cut()
        await grace.page.get_by_text("Connection lost").wait_for()
        proxy.mode = "pass"
        await grace.presses("Try now")
        await ada.page.reload()
        await ada.waits_for("The knob is")
        model.release()
        for person in (ada, grace):
            await person.waits_for("as well as to the right.")
            await person.waits_for_status("Idle")

        told = [await told_to(person) for person in (ada, grace)]
        await ada.page.reload()
        await ada.waits_for("as well as to the right.")
        assert told == [await told_to(ada)] * 2
        (history,) = set(told)
        for words in ("First I read.", "Then I read on.", "The knob is"):
            assert history.count(words) == 1


async def told_to(person: Person) -> str:
    """Everything that the conversation says to somebody, what is folded included."""
    await expect(person.history.get_by_role("article").last).to_be_visible()
    return " ".join((await person.history.text_content() or "").split())
