"""What pages are made of, with defaults: conversations, runs, and a history that events are added to; and a browser
that only knows elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from app.models import (
    Conversation,
    Decision,
    Event,
    EventKind,
    Question,
    RepositoryChoice,
    Request,
    Run,
    RunMode,
    RunStatus,
    Ticket,
    Trigger,
)
from app.web.presenters.fragments import Fragment
from app.web.presenters.thread import Thread

NOON = datetime(2026, 11, 20, 9, 41, tzinfo=UTC)
MODELS = {"claude-sonnet-4-6": "Sonnet 4.6", "claude-opus-4-8": "Opus 4.8"}
BACKEND = RepositoryChoice(name="acme/acme-backend", base="main")
WORKERS = RepositoryChoice(name="acme/acme-workers", base="release/2026.11")


class History:
    """The events of one conversation; each comes a second after the one before, unless told otherwise."""

    def __init__(self, *, run: str = "run-1", first: int = 1) -> None:
        self.events: list[Event] = []
        self.run = run
        self.at = NOON
        self._first = first

    def add(self, kind: EventKind, after_s: float = 1, /, **payload: Any) -> Event:
        """Append an event of the run."""
        self.at += timedelta(seconds=after_s)
        seq = self._first + len(self.events)
        event = Event(seq=seq, run_id=self.run, kind=kind, at=self.at, payload=payload)
        self.events.append(event)
        return event

    def begin(self, run: str = "run-1", *, trigger: str = "message", **payload: Any) -> Event:
        """A run that is queued."""
        self.run = run
        return self.add(EventKind.RUN_STATUS, status="queued", trigger=trigger, **payload)

    def text(self, text: str, *, role: str = "author", **payload: Any) -> Event:
        """Something that Claude says."""
        return self.add(EventKind.TEXT, text=text, role=role, **payload)

    def call(self, id_: str, name: str, parent: str | None = None, **given: Any) -> Event:
        """A tool call."""
        more: dict[str, Any] = {"parent": parent} if parent else {}
        return self.add(EventKind.TOOL_CALLED, id=id_, name=name, input=given, role="author", **more)

    def result(self, id_: str, content: str = "", *, failed: bool = False, after_s: float = 1) -> Event:
        """What a tool gave."""
        told: dict[str, Any] = {"id": id_, "content": content, "failed": failed, "role": "author"}
        return self.add(EventKind.TOOL_RETURNED, after_s, **told)

    def step(self, id_: str, name: str, result: str = "", *, took_s: float = 1, **given: Any) -> Event:
        """A tool call and its result; the call is returned."""
        called = self.call(id_, name, **given)
        self.result(id_, result, after_s=took_s)
        return called

    def thread(self, *, turns_before: int | None = 0) -> Thread:
        """The thread of all events so far."""
        thread = Thread("ACME-42", models=MODELS, turns_before=turns_before)
        for event in self.events:
            thread.apply(event)
        return thread


def flat(items: tuple[Fragment, ...]) -> list[Fragment]:
    """Fragments with those inside them, in the order of the page."""
    return [each for item in items for each in (item, *flat(item.children))]


def run(**facts: Any) -> Run:
    """A run of ACME-42 that is under way."""
    known: dict[str, Any] = {
        "id": "run-1",
        "ticket": "ACME-42",
        "status": RunStatus.RUNNING,
        "mode": RunMode.EDITS,
        "trigger": Trigger.MESSAGE,
        "by": "Mira Chen",
        "model": "claude-sonnet-4-6",
        "repositories": (BACKEND, WORKERS),
        "created_at": NOON,
        "started_at": NOON,
    }
    return Run(**{**known, **facts})


def conversation(*, run_facts: dict[str, Any] | None = None, **facts: Any) -> Conversation:
    """The conversation of ACME-42."""
    newest = run(**(run_facts or {}))
    known: dict[str, Any] = {
        "ticket": Ticket(key="ACME-42", summary="Add retry logic to the webhook handler"),
        "run": newest,
        "request": Request(mode=newest.mode, model=newest.model, repositories=newest.repositories),
        "updated_at": NOON,
    }
    return Conversation(**{**known, **facts})


def decision(question: Question, **facts: Any) -> Decision:
    """A question that waits."""
    return Decision(**{"question": question, "run_id": "run-1", "asked_at": NOON, **facts})


_VOID = frozenset({"br", "circle", "col", "hr", "input", "link", "meta", "path", "rect", "use"})


@dataclass
class Element:
    """An element, its attributes, and what is in it: elements and texts."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: list[Element | str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its id; empty without one."""
        return self.attributes.get("id", "")

    @property
    def text(self) -> str:
        """All words in it, with single spaces."""
        return " ".join(" ".join(each if isinstance(each, str) else each.text for each in self.inside).split())

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements in it, in order, that have the tag and the attributes."""
        found = []
        for each in self.inside:
            if isinstance(each, Element):
                named = not tag or each.tag == tag
                if named and attributes.items() <= each.attributes.items():
                    found.append(each)
                found += each.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> Element:
        """The only such element."""
        (found,) = self.all(tag, **attributes)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.open[-1].inside.append(data.strip())


def read_html(html: str) -> Element:
    """The document of a page or a fragment. Fails where a tag is not closed as it should be."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is not closed"
    return reader.open[0]


def patch(document: Element, html: str) -> None:
    """Put fragments into a document as the page's script does."""
    for root in read_html(html).inside:
        assert isinstance(root, Element), f"a loose text in a fragment: {root}"
        places = [parent for parent in (document, *document.all()) if any(_is(root.id, each) for each in parent.inside)]
        if places:
            (place,) = places
            place.inside = [root if _is(root.id, each) else each for each in place.inside]
        elif into := root.attributes.get("data-into"):
            document.one(id=into.removeprefix("#")).inside.append(root)


def _is(id_: str, each: Element | str) -> bool:
    return isinstance(each, Element) and each.id == id_
