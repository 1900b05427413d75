"""A person in front of a page, in words of the product.

Everything is found as somebody finds it who cannot see the page: by role and name.
"""

import asyncio
import re
import time
from typing import Literal

from playwright.async_api import Locator, Page, expect

Mode = Literal["Ask", "Plan", "Edits"]
Tab = Literal["Conversation", "Changes", "Plan", "Details"]

PATIENCE_MS = 45_000
"""What a turn of Claude may take on a busy machine."""


class Person:
    """Somebody who uses `page`; `name` is what others see."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    # Coming in

    async def sign_in(self, code: str) -> None:
        """Fill in the form."""
        await self.page.get_by_label("Your name").fill(self.name)
        await self.page.get_by_label("Access code").fill(code)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Send tickets to Claude Code", level=1)).to_be_visible()

    async def opens(self, key: str, tab: str = "") -> None:
        """Go to a ticket's conversation."""
        await self.page.goto(f"/code-runs/{key}{'?tab=' + tab if tab else ''}")

    # Sending a ticket

    async def creates_ticket(self, key: str, title: str, description: str = "") -> None:
        """Make a local ticket in the dialog of the box, which then has it."""
        await self.page.get_by_role("button", name="Add ticket").click()
        await self.page.get_by_role("link", name="Create a ticket").click()
        await self.page.get_by_label("Key").fill(key)
        await self.page.get_by_label("Title").fill(title)
        await self.page.get_by_label("Description").fill(description)
        await self.page.get_by_role("button", name="Create", exact=True).click()
        await expect(self.page.get_by_role("button", name=f"Remove ticket {key}")).to_be_visible()

    async def finds_ticket(self, words: str, found: str) -> None:
        """Look for a ticket, and take the one that is called so."""
        await self.page.get_by_role("button", name="Add ticket").click()
        await self.page.get_by_role("searchbox", name="Find a ticket").fill(words)
        await self.page.get_by_role("button", name=found).click()

    async def chooses_mode(self, mode: Mode, *, draft_pr: bool = False) -> None:
        """Choose what Claude may do, and whether it opens pull requests when it is done."""
        opener = self.page.get_by_role("button", name="Mode:")
        await opener.click()
        await self.page.get_by_role("radio", name=re.compile(f"^{mode}")).check()
        if mode == "Edits":
            await self.page.get_by_role("switch", name="Auto open draft PR").set_checked(draft_pr)
        await self.page.keyboard.press("Escape")

    async def chooses_model(self, model: str) -> None:
        """Choose who works."""
        await self.page.get_by_role("button", name="Model:").click()
        await self.page.get_by_role("radio", name=re.compile(f"^{re.escape(model)}")).check()
        await self.page.keyboard.press("Escape")

    async def chooses_repositories(self, *names: str) -> None:
        """Choose these beside those that are chosen; their short names."""
        await self.page.get_by_role("button", name="Add repos").click()
        for name in names:
            await self.page.get_by_role("checkbox", name=name, exact=True).check()
        await self.page.keyboard.press("Escape")

    async def chooses_branch(self, repository: str, branch: str) -> None:
        """Choose the base of a repository's pull request."""
        await self.page.get_by_role("button", name=f"Base branch of {repository}").click()
        await self.page.get_by_role("button", name=branch, exact=True).click()

    async def sends_ticket(self, key: str, text: str = "", *, mode: Mode = "Edits", draft_pr: bool = False) -> None:
        """Send a ticket to Claude, and be in its conversation."""
        await self.page.goto(f"/code-runs/new?ticket={key}")
        await self.chooses_mode(mode, draft_pr=draft_pr)
        await self.starts(key, text)

    async def starts(self, key: str, text: str = "") -> None:
        """Write the instructions, and start with what is chosen."""
        await self.page.get_by_label("Instructions for Claude Code").fill(text)
        await self.page.get_by_role("button", name="Start the run", exact=True).click()
        await self.page.wait_for_url(f"**/code-runs/{key}")

    # In a conversation

    async def sends(self, text: str, *, mode: Mode | None = None, draft_pr: bool = False) -> None:
        """Say something to Claude; return when it was taken."""
        if mode is not None:
            await self.chooses_mode(mode, draft_pr=draft_pr)
        await self.message_box.fill(text)
        await self.page.get_by_role("button", name="Send", exact=True).click()
        await expect(self.message_box).to_have_value("")

    async def waits_for_status(self, status: str) -> None:
        """Look at the page until it says so."""
        await expect(self.page.get_by_text(f"Status: {status}", exact=True)).to_be_visible(timeout=PATIENCE_MS)

    async def reloads_until(self, status: str) -> None:
        """Load the page again and again until it says so, as one does without scripts."""
        give_up = time.monotonic() + PATIENCE_MS / 1000
        while not await self.page.get_by_text(f"Status: {status}", exact=True).is_visible():
            assert time.monotonic() < give_up, f"It is not {status}: {await self.history.inner_text()}"
            await asyncio.sleep(0.3)
            await self.page.reload()

    async def waits_for(self, words: str) -> None:
        """Look at the conversation until it says so."""
        await expect(self.history.get_by_text(words)).to_be_visible(timeout=PATIENCE_MS)

    async def presses(self, button: str) -> None:
        """Press a button of the page; the first with this name."""
        await self.page.get_by_role("button", name=button, exact=True).first.click()

    async def opens_tab(self, tab: Tab) -> None:
        """Look at another side of the run."""
        await self.page.get_by_role("link", name=re.compile(f"^{tab}")).locator("visible=true").click()

    async def approves(self) -> None:
        """Let the plan be followed."""
        await self.presses("Approve and start")

    async def asks_for_changes(self, text: str) -> None:
        """Let the plan be revised."""
        plan = self.plan
        await plan.get_by_text("Ask for changes").click()
        await plan.get_by_label("What should change").fill(text)
        await plan.get_by_role("button", name="Send").click()

    async def answers(self, choice: str) -> None:
        """Answer the question with one of its choices."""
        await self.question.get_by_role("radio", name=re.compile(f"^{choice}")).check()
        await self.question.get_by_role("button", name="Send answer").click()

    async def stops(self) -> None:
        """Stop the run."""
        await self.presses("Stop")

    async def retries(self) -> None:
        """Ask for the turn once more."""
        await self.presses("Retry")

    # What there is to see

    @property
    def history(self) -> Locator:
        """Everything that was said and done."""
        return self.page.get_by_role("log")

    @property
    def message_box(self) -> Locator:
        """Where messages are written."""
        return self.page.get_by_role("textbox", name="Message to Claude")

    @property
    def question(self) -> Locator:
        """The question that waits."""
        return self.history.get_by_role("form", name="Claude needs your input")

    @property
    def plan(self) -> Locator:
        """The plan that waits."""
        return self.history.get_by_role("region", name="Plan to review")

    @property
    def queue(self) -> Locator:
        """The messages that wait for the end of the turn."""
        return self.page.get_by_role("list", name="Messages that wait")

    def said_by(self, name: str) -> Locator:
        """What somebody said; Claude's words are "Claude"'s."""
        return self.history.get_by_role("article", name=name, exact=True)

    @property
    def changes(self) -> Locator:
        """The diff of the whole change."""
        return self.page.get_by_role("region", name="Changes", exact=True)
