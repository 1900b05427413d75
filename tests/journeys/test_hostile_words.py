"""Words from tickets, people, files and the model do nothing but stand there, and no other page acts in one's name."""

import pytest
from playwright.async_api import Page, expect

from tests.fakes.scripts import Reply, bash, propose_plan, write_file, write_plan
from tests.journeys.office import Office, People, about
from tests.journeys.people import PATIENCE_MS

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACK = """\
<script>window.taken = 1</script><img src=x onerror="window.taken = 1"><svg onload="window.taken = 1"></svg>
![look](https://evil.example/look.png) [click](javascript:window.taken=1) <https://evil.example/> {{ 7 * 7 }}
<iframe src="https://evil.example/"></iframe><form action="https://evil.example/"><button>Free</button></form>
<style>@import "https://evil.example/a.css"; body { display: none }</style><base href="https://evil.example/">
"></textarea></title></script><script src="https://evil.example/a.js"></script>
"""
REMAINS = ":is(script, iframe, base, style, img, [onerror], [onload], a[href^='javascript:'], form[action^='http'])"
"""What the attack would leave in a page."""

FOREIGN = "http://127.0.0.1:9/"
"""A page of another program on the same machine: browsers send it along with our cookies."""


async def test_hostile_words_execute_nothing_and_load_nothing(office: Office, people: People) -> None:
    office.claude_says(
        "Say something nasty",
        Reply(ATTACK, tools=[write_file("src/<b>nasty.html", ATTACK), bash("cat 'src/<b>nasty.html'")]),
        Reply(ATTACK),
    )
    office.claude_says(
        "Propose something nasty",
        Reply("", tools=[write_plan(ATTACK)]),
        Reply("", tools=[propose_plan()]),
    )
    key = office.ticket("EVIL-1", '<img src=x onerror="window.taken = 1">', ATTACK)
    ada = await people("Ada Lovelace")
    seen = hosts(ada.page)
    await ada.sends_ticket(key, f"Say something nasty\n{ATTACK}", mode="Edits")
    await ada.waits_for_status("Idle")
    await ada.sends(f"Propose something nasty\n{ATTACK}", mode="Plan")
    await ada.plan.wait_for(timeout=PATIENCE_MS)
    await expect(ada.history).to_contain_text("{{ 7 * 7 }}")
    await is_harmless(ada.page)
    for address in (f"/code-runs/{key}", f"/code-runs/{key}/changes", f"/tickets/{key}", "/code-runs"):
        await ada.page.goto(address)
        await opens_everything(ada.page)
        await is_harmless(ada.page)
    assert seen == {f"127.0.0.1:{office.service.port}"}


async def test_another_page_cannot_act_in_a_persons_name(office: Office, people: People) -> None:
    office.claude_says("Never mind", Reply("Never mind."))
    people.browsing.expect("403")
    ada = await people("Ada Lovelace")
    with office.world.model.gate(about("Never mind")):
        await ada.sends_ticket(office.ticket("FORGED-1"), "Never mind", mode="Ask")
        trap = f'<form method="post" action="{office.url}/code-runs/FORGED-1/stop"><button>A kitten</button></form>'
        await ada.page.route(FOREIGN, lambda route: route.fulfill(body=trap, content_type="text/html"))
        await ada.page.goto(FOREIGN)
        async with ada.page.expect_request("**/stop") as sent:
            await ada.presses("A kitten")
        assert "auto-code=" in (await (await sent.value).all_headers())["cookie"]
        await expect(ada.page.get_by_role("heading", level=1)).to_have_text("You may not do that")
        await ada.opens("FORGED-1")
        await ada.waits_for_status("Running")
    await ada.waits_for_status("Idle")


def hosts(page: Page) -> set[str]:
    """The hosts of all requests that the page makes from now on."""
    seen: set[str] = set()
    page.on("request", lambda request: seen.add(request.url.split("/")[2]))
    return seen


async def opens_everything(page: Page) -> None:
    """Unfold all that is folded."""
    folded = page.get_by_role("main").get_by_role("group")
    await folded.evaluate_all("(all) => all.forEach((each) => { if ('open' in each) each.open = true; })")
    await expect(page.locator("main [aria-busy]")).to_have_count(0)


async def is_harmless(page: Page) -> None:
    """Nothing of the attack is more than words."""
    assert await page.evaluate("window.taken") is None
    await expect(page.locator(f"main {REMAINS}")).to_have_count(0)
