"""The place where people and Claude work: one service with its far side, and the people who sign in to its pages.

It is shared by all tests of a process, because a start costs seconds: a test takes tickets and words of its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from playwright.async_api import Browser, StorageState

from tests.builders import jira_body
from tests.fakes.scripts import ModelRequest, Reply
from tests.flows.service import ACCESS_CODE, Service
from tests.flows.world import FILES, World
from tests.journeys.people import Person
from tests.web.browser import Browsing

API = "acme/api"
"""A second repository, beside the world's."""

_SETTINGS = {"PIPELINE_REVIEW": "false", "PIPELINE_LINT": "false"}


class Office:
    """Used in a `with`. `service` may be stopped and started again; the pages' address stays."""

    def __init__(self, *, more: Mapping[str, Mapping[str, str]] | None = None, **settings: str) -> None:
        self._turns: dict[str, list[Reply]] = {}
        self._cookies: dict[str, StorageState] = {}
        self.world = World(self._turns, more={API: FILES} if more is None else more)
        self._settings = {**_SETTINGS, **settings}
        self.service: Service

    @property
    def url(self) -> str:
        """Where the pages are, without a slash at the end."""
        return f"http://127.0.0.1:{self.service.port}"

    def claude_says(self, words: str, *replies: Reply) -> None:
        """What the model does when it is asked something with these `words` in it, which no other test has.

        After its last reply it repeats that one's text. It says "OK" to all else.
        """
        assert words not in self._turns, f"{words!r} is said in another test."
        self._turns[words] = list(replies)

    async def asked(self, words: str) -> ModelRequest:
        """The first request to the model whose prompt has these words, as soon as it has come."""
        return await asyncio.to_thread(self.world.model.wait_for, about(words))

    def ticket(self, key: str, summary: str = "Add dark mode toggle", description: str = "On every page.") -> str:
        """Make a local ticket, without a browser. Returns its key."""
        made = {"place": key, "summary": summary, "description": description}
        answer = self.service.http.post("/tickets", data=made)
        assert answer.status_code == 303, answer.text
        return key

    def webhook(self, key: str, summary: str = "Add dark mode toggle", description: str = "On every page.") -> str:
        """Let the tracker send a ticket, which starts a run. Returns the run's id."""
        return self.service.accept(jira_body(key=key, summary=summary, description=description))

    async def person(self, browsing: Browsing, name: str, *, at: str | None = None, **options: Any) -> Person:
        """Somebody who is signed in, with a page of their own at the first page.

        The form is filled in once for each name. `at` is another address of the service, such as a proxy's; `options`
        are those of Playwright's `new_context`.
        """
        page = await browsing.page(base_url=at or self.url, storage_state=self._cookies.get(name), **options)
        person = Person(page, name)
        await page.goto("/")
        if name not in self._cookies:
            await person.sign_in(ACCESS_CODE)
            self._cookies[name] = await page.context.storage_state()
        return person

    def __enter__(self) -> Self:
        self.world.__enter__()
        self.service = self.world.service(**self._settings)
        self.service.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.service.stop()  # by itself it leaves no process behind that would still write
        self.service.__exit__(kind, error, trace)
        self.world.__exit__(kind, error, trace)


class People:
    """The people of one test, in an `async with`: they come when they are called, and leave the office as it was.

    It fails when one of their pages complained: see `Browsing`.
    """

    def __init__(self, office: Office, browser: Browser) -> None:
        self.browsing = Browsing(browser)
        self._office = office

    async def __call__(self, name: str = "Ada Lovelace", **options: Any) -> Person:
        """Somebody at the first page: see `Office.person`."""
        return await self._office.person(self.browsing, name, **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.browsing.close()
        self._office.world.mend()
        self._office.world.open_gates()
        if error is None:
            assert self.browsing.complaints == []


def about(words: str) -> Callable[[ModelRequest], bool]:
    """Requests of the turn whose prompt has these words, for gates and faults of the model."""
    return lambda request: words in World.prompt_of(request)
