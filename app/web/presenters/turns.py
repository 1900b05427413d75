"""Which turn it is, and what the line above it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.domain.run_state import has_ended
from app.models import Event, RunMode, RunStatus, Trigger
from app.web.presenters.cards import Turn
from app.web.presenters.fragments import Fragment
from app.web.presenters.wording import MODES, between, first_line, model_name, money

_SENT = {Trigger.WEBHOOK: "Sent by Jira", Trigger.COMMAND: "Started by command"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a run's status means for its turn. `words` is worth a line of its own."""

    begins: Fragment | None = None
    ends: Fragment | None = None
    pauses: bool = False
    is_over: bool = False
    words: str = ""


@dataclass(frozen=True)
class _Known:
    id: str
    at: datetime
    number: int | None
    told: Mapping[str, str] = field(default_factory=dict)


class Turns:
    """Follows runs: each is a turn. `before` counts those that came earlier; None when nobody knows."""

    def __init__(self, models: Mapping[str, str], before: int | None) -> None:
        self._models = models
        self._count = before
        self._run: str | None = None
        self._known: _Known | None = None
        self._cost = 0.0

    def status(self, event: Event) -> Change:
        """Take in that a run's status changed."""
        status = RunStatus(event.payload["status"])
        if status is RunStatus.QUEUED and event.run_id != self._run:
            return Change(begins=self._begin(event, _told(event)))
        over = has_ended(status)
        # What a pull request or an error says has a card of its own.
        tells = status is RunStatus.IDLE
        return Change(
            ends=self._header(self._known, ended=event.at) if over and self._known else None,
            pauses=over or status is RunStatus.NEEDS_INPUT,
            is_over=over,
            words=first_line(str(event.payload.get("reason") or "")) if tells else "",
        )

    def message(self, event: Event) -> Fragment:
        """The line above the turn that a person's message asks for."""
        told = _told(event)
        if self._known is None or event.run_id != self._run:
            return self._begin(event, told)
        self._known = replace(self._known, told={**self._known.told, **told, "sent": ""})
        return self._header(self._known)

    def cost(self, event: Event) -> None:
        """Take in what the run has cost so far."""
        self._cost = float(event.payload.get("cost_usd") or 0)

    def _begin(self, event: Event, told: Mapping[str, str]) -> Fragment:
        if self._count is not None:
            self._count += 1
        self._run, self._cost = event.run_id, 0.0
        self._known = _Known(f"turn-{event.seq}", event.at, self._count, told)
        return self._header(self._known)

    def _header(self, known: _Known, ended: datetime | None = None) -> Fragment:
        told = known.told
        words = [f"Turn {known.number}" if known.number else "Turn"]
        words += [told.get("mode", ""), model_name(told.get("model"), self._models), told.get("by", "")]
        words.append(told.get("sent", ""))
        if ended is not None:
            words += [between(known.at, ended), money(self._cost) if self._cost else ""]
        view = Turn(words=tuple(filter(None, words)), at=known.at)
        return Fragment(id=known.id, template="thread/turn.html", view=view, into="#thread")


def _told(event: Event) -> dict[str, str]:
    told = {name: str(event.payload[name]) for name in ("model", "by") if event.payload.get(name)}
    if event.payload.get("mode"):
        told["mode"] = MODES[RunMode(event.payload["mode"])]
    if event.payload.get("retry") and told.get("by"):
        told["by"] = f"Retried by {told['by']}"
    if event.payload.get("trigger") and not told.get("by"):
        told["sent"] = _SENT.get(Trigger(event.payload["trigger"]), "")
    return told
