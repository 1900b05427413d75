"""Groups of steps: what one line says of them when they are folded."""

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
    steps: dict[str, Step] = field(default_factory=dict)

    @property
    def inside(self) -> str:
        """Where its steps go."""
        return f"#{self.id}-in"

    def fragment(self) -> Fragment:
        """The group itself."""
        view = Group(label=self.label(), live=self.live, agent=self.agent)
        return Fragment(id=self.id, template=f"thread/{self._kind}.html", view=view, into=self.into)

    def label(self) -> Fragment:
        """What its summary says now."""
        if self.agent is not None:
            words = " · ".join(filter(None, [self._agent_words(), *([] if self.live else [self._took()])]))
        else:
            words = " · ".join([self._verb(), *self._counts()])
        failed = sum(step.failed for step in self.steps.values())
        label = Label(words=words, failed=failed, since=self.started if self.live else None, agent=self.agent)
        return Fragment(id=f"{self.id}-label", template=f"thread/{self._kind}_label.html", view=label)

    @property
    def _kind(self) -> str:
        return "agent" if self.agent is not None else "work"

    def _agent_words(self) -> str:
        return count(len(self.steps), "step") if self.steps else ""

    def _took(self) -> str:
        return between(self.started, self.ended)

    def _verb(self) -> str:
        changing = any(step.kind in {StepKind.EDIT, StepKind.RUN} for step in self.steps.values())
        if self.live:
            return "Working" if changing else "Exploring"
        return f"{'Worked' if changing else 'Explored'} for {self._took()}"

    def _counts(self) -> Iterator[str]:
        steps = self.steps.values()
        number = {kind: sum(step.kind is kind for step in steps) for kind in StepKind}
        edited = len({step.argument for step in steps if step.kind is StepKind.EDIT})
        read = len({step.argument for step in steps if step.kind is StepKind.READ})
        if edited:
            yield f"edited {count(edited, 'file')}"
        if number[StepKind.RUN]:
            yield f"ran {count(number[StepKind.RUN], 'command')}"
        if read:
            yield f"read {count(read, 'file')}"
        if number[StepKind.SEARCH]:
            yield count(number[StepKind.SEARCH], "search", "searches")
        if number[StepKind.AGENT]:
            yield count(number[StepKind.AGENT], "sub-agent")
        if number[StepKind.OTHER]:
            yield count(number[StepKind.OTHER], "other step")
