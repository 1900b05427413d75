"""Words from tickets, people, files and the model do nothing but stand there, and nobody else can act in one's name."""

import httpx
import pytest
from playwright.async_api import expect

from tests.fakes.scripts import Reply, bash, propose_plan, write_file, write_plan
from tests.journeys.office import Office, People, hosts

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACK = """\
<script>document.title = "taken"</script><img src=x onerror="document.title='taken'"><svg onload="document.title='taken'">
![look](https://evil.example/look.png) [click](javascript:document.title='taken') <https://evil.example/>
<iframe src="https://evil.example/"></iframe><form action="https://evil.example/"><button>Free</button></form>
<style>@import "https://evil.example/a.css"; body { display: none }</style><base href="https://evil.example/">
"></textarea></title><script src="https://evil.example/a.js"></script>{{ 7 * 7 }}
"""


async def test_hostile_words_execute_nothing_and_load_nothing(office: Office, people: People) -> None:
    office.claude_says(
        "Say something nasty",
        Reply(ATTACK, tools=[write_file("src/<b>nasty</b>.html", ATTACK), bash("cat 'src/<b>nasty</b>.html'")]),
        Reply("", tools=[write_file("plan.html", ATTACK)]),
        Reply(ATTACK),
    )
    office.claude_says(
        "Propose something nasty",
        Reply("", tools=[write_plan(ATTACK)]),
        Reply("", tools=[propose_plan()]),
        Reply("Never."),
    )
    key = office.ticket("EVIL-1", '<img src=x onerror="document.title=1">', ATTACK)
    ada = await people("Ada Lovelace")
    seen = hosts(ada.page)
    await ada.sends_ticket(key, f"Say something nasty\n{ATTACK}", mode="Edits")
    await ada.waits_for_status("Idle")
    for group in await ada.history.get_by_role("group").all():
        await group.evaluate("element => { element.open = true }")
    await ada.sends(f"Propose something nasty\n{ATTACK}", mode="Plan")
    await ada.plan.wait_for(timeout=45_000)
    for address in (f"/code-runs/{key}", f"/code-runs/{key}/changes", f"/tickets/{key}", "/code-runs"):
        await ada.page.goto(address)
        await expect(ada.page.get_by_role("main")).to_be_visible()
        await harmless(ada.page)
    assert seen == {f"127.0.0.1:{office.service.port}"}


async def test_another_site_cannot_act_in_a_persons_name(office: Office, people: People) -> None:
    ada = await people("Ada Lovelace")
    await ada.page.goto(f"http://localhost:{office.service.port}/health")
    cookies = {each["name"]: each["value"] for each in await ada.page.context.cookies(office.url)}
    ...
