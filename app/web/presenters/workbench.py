"""Steps as they are taken: each in its group, and those of a sub-agent in a group of their own."""

from collections.abc import Callable
from datetime import datetime

from app.models import Event
from app.web.presenters import steps
from app.web.presenters.fragments import Fragment
from app.web.presenters.sheet import Sheet
from app.web.presenters.work import Work


class Workbench:
    """The groups of a thread. `voice` gives the place for what the speaker of an event does."""

    def __init__(self, key: str, sheet: Sheet, voice: Callable[[Event], str]) -> None:
        self._key = key
        self._sheet = sheet
        self._voice = voice
        self._work: Work | None = None
        self._agents: dict[str, Work] = {}
        self._calls: dict[str, tuple[Work, str]] = {}

    def called(self, event: Event) -> None:
        """Take in that a tool was called."""
        step = steps.called(self._key, event)
        if step is None:
            return
        parent, call, id_ = event.payload.get("parent"), str(event.payload.get("id", "")), f"step-{event.seq}"
        work = self.agent(str(parent), event) if parent else self._group(event)
        self._calls[call] = (work, id_)
        if step.kind is steps.StepKind.AGENT:
            self._begin_agent(call, id_, work.inside, step, event.at)
        self._show(work, id_, step)

    def returned(self, event: Event) -> None:
        """Take in what a tool gave."""
        call = str(event.payload.get("id", ""))
        if call not in self._calls:
            return
        work, id_ = self._calls.pop(call)
        step = steps.returned(work.get(id_), event)
        work.ended = max(work.ended, event.at)
        if call in self._agents:
            agent = self._agents[call]
            agent.agent, agent.ended = step, event.at
            self._end(agent)
        self._show(work, id_, step)

    def agent(self, call: str, event: Event) -> Work:
        """The group of a sub-agent; one without a name where its call was before the thread began."""
        if call not in self._agents:
            unknown = steps.unnamed_agent(self._key, event)
            self._begin_agent(call, f"agent-{event.seq}", self._group(event).inside, unknown, event.at)
        return self._agents[call]

    def end(self) -> None:
        """Say that the group is complete; the next step begins another one."""
        if self._work is not None:
            self._end(self._work)
            self._work = None

    def settle(self) -> None:
        """Say that nothing is under way any more."""
        self.end()
        for work, id_ in self._calls.values():
            self._show(work, id_, steps.ended(work.get(id_)))
        self._calls.clear()
        for agent in self._agents.values():
            self._end(agent)

    def _group(self, event: Event) -> Work:
        into = self._voice(event)
        if self._work is None:
            self._work = Work(id=f"work-{event.seq}", into=into, started=event.at, ended=event.at)
            self._sheet.put(self._work.fragment())
        return self._work

    def _begin_agent(self, call: str, id_: str, into: str, step: steps.Step, at: datetime) -> None:
        self._agents[call] = Work(id=id_, into=into, started=at, ended=at, agent=step)
        self._sheet.put(self._agents[call].fragment())

    def _show(self, work: Work, id_: str, step: steps.Step) -> None:
        work.put(id_, step)
        if step.kind is not steps.StepKind.AGENT:
            self._sheet.put(Fragment(id=id_, template="thread/step.html", view=step, into=work.inside))
        self._relabel(work)

    def _end(self, work: Work) -> None:
        if work.live:
            work.live = False
            self._relabel(work)

    def _relabel(self, work: Work) -> None:
        label = work.label()
        self._sheet.keep(work.fragment(label))
        self._sheet.send(label)
