"""Groups of steps: what one line says of them when they are folded."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from app.web.presenters.fragments import Fragment
from app.web.presenters.steps import Step, StepKind
from app.web.presenters.wording import between, count


@dataclass(frozen=True, kw_only=True)
class Label:
    """`Worked for 6m 40s · edited 3 files`; while it goes on, `words` has no time and `since` says from when.

    `failed` counts the steps that failed. `agent` is the step of the sub-agent whose group it is.
    """

    words: str
    failed: int = 0
    since: datetime | None = None
    agent: Step | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group as it is drawn, around its steps; `agent` is the step of the sub-agent whose group it is."""

    label: Fragment
    live: bool
    agent: Step | None = None


@dataclass(kw_only=True)
class Work:
    """A group as it grows. `agent` is set for the group of a sub-agent."""

    id: str
    into: str
    started: datetime
    ended: datetime
    agent: Step | None = None
    live: bool = True
    _steps: dict[str, Step] = field(default_factory=dict)
    _kinds: Counter[StepKind] = field(default_factory=Counter)
    _files: dict[StepKind, set[str]] = field(default_factory=lambda: defaultdict(set))
    _failed: int = 0

    @property
    def inside(self) -> str:
        """Where its steps go."""
        return f"#{self.id}-in"

    def put(self, id_: str, step: Step) -> None:
        """Add a step, or say what became of it. Counted as it comes: a label is asked for at every event."""
        known = self._steps.get(id_)
        self._kinds[step.kind] += known is None
        self._failed += step.failed - (known.failed if known else False)
        self._files[step.kind].add(step.argument)
        self._steps[id_] = step

    def get(self, id_: str) -> Step:
        """A step as it is now."""
        return self._steps[id_]

    def fragment(self, label: Fragment | None = None) -> Fragment:
        """The group itself, with its label."""
        view = Group(label=label or self.label(), live=self.live, agent=self.agent)
        return Fragment(id=self.id, template=f"thread/{self._kind}.html", view=view, into=self.into)

    def label(self) -> Fragment:
        """What its summary says now."""
        words = self._agent_words() if self.agent is not None else (self._verb(), *self._counts())
        since = self.started if self.live else None
        label = Label(words=" · ".join(words), failed=self._failed, since=since, agent=self.agent)
        return Fragment(id=f"{self.id}-label", template=f"thread/{self._kind}_label.html", view=label)

    @property
    def _kind(self) -> str:
        return "agent" if self.agent is not None else "work"

    def _agent_words(self) -> Iterator[str]:
        if self._steps:
            yield count(len(self._steps), "step")
        if not self.live:
            yield between(self.started, self.ended)

    def _verb(self) -> str:
        changing = self._kinds[StepKind.EDIT] or self._kinds[StepKind.RUN]
        if self.live:
            return "Working" if changing else "Exploring"
        return f"{'Worked' if changing else 'Explored'} for {between(self.started, self.ended)}"

    def _counts(self) -> Iterator[str]:
        if self._kinds[StepKind.EDIT]:
            yield f"edited {count(len(self._files[StepKind.EDIT]), 'file')}"
        if self._kinds[StepKind.RUN]:
            yield f"ran {count(self._kinds[StepKind.RUN], 'command')}"
        if self._kinds[StepKind.READ]:
            yield f"read {count(len(self._files[StepKind.READ]), 'file')}"
        if self._kinds[StepKind.SEARCH]:
            yield count(self._kinds[StepKind.SEARCH], "search", "searches")
        if self._kinds[StepKind.AGENT]:
            yield count(self._kinds[StepKind.AGENT], "sub-agent")
        if self._kinds[StepKind.OTHER]:
            yield count(self._kinds[StepKind.OTHER], "other step")
