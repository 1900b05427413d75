"""From a conversation's events to what its page shows.

A thread begins at any event and takes those that follow, in order. What it makes of them depends on nothing else, so
that a page and the stream that keeps it going agree on every id while both begin at the same event.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from app.models import Answer, Event, EventKind, PullRequest, Question, StageName
from app.web.presenters import cards
from app.web.presenters.fragments import Fragment
from app.web.presenters.gates import gate_line
from app.web.presenters.sheet import Sheet
from app.web.presenters.todo import todo
from app.web.presenters.turns import Turns
from app.web.presenters.wording import STAGES, clock, first_line, short_name
from app.web.presenters.workbench import Workbench

_SPEAKERS = {"author": "Claude", "reviewer": "Reviewer"}
_QUIET_STAGES = frozenset({StageName.WORKSPACE, StageName.ANSWER, StageName.PLAN, StageName.IMPLEMENT})
"""Stages that the turn's own line announces."""


class Thread:
    """The items of a conversation, from some event on.

    `turns_before` counts the turns before that event; None when nobody knows, and turns then go without a number.
    """

    def __init__(self, key: str, *, models: Mapping[str, str], turns_before: int | None = 0) -> None:
        self._key = key
        self._sheet = Sheet()
        self._turns = Turns(models, turns_before)
        self._speaker: tuple[str, str] | None = None
        self._bench = Workbench(key, self._sheet, self._voice)
        self._questions: dict[str, tuple[str, Question]] = {}
        self._failures: list[str] = []
        self._attempts: dict[str, int] = {}
        self.todo = todo(())
        self._handlers: dict[str, Callable[[Event], object]] = {
            EventKind.RUN_STATUS: self._status,
            EventKind.MESSAGE_SENT: self._message,
            EventKind.COST_UPDATED: self._turns.cost,
            EventKind.TURN_ENDED: self._turn_ended,
            EventKind.TURN_RESUMED: self._resumed,
            EventKind.TEXT: self._text,
            EventKind.TOOL_CALLED: self._bench.called,
            EventKind.TOOL_RETURNED: self._bench.returned,
            EventKind.TODO_UPDATED: self._todo,
            EventKind.STAGE_STARTED: self._stage_started,
            EventKind.STAGE_ENDED: self._stage_ended,
            EventKind.GATE_CHECKED: self._gate,
            EventKind.QUESTION_ASKED: self._asked,
            EventKind.PLAN_PROPOSED: self._asked,
            EventKind.ANSWERED: self._answered,
            EventKind.PULL_REQUEST: self._pull_request,
            EventKind.PUBLISH_FAILED: self._publish_failed,
            EventKind.ERROR: self._error,
            EventKind.NOTICE: self._told,
            EventKind.PARKED: self._parked,
            EventKind.TICKET_UPDATED: self._ticket_updated,
            EventKind.MESSAGE_QUEUED: self._queued,
            EventKind.MESSAGE_WITHDRAWN: self._withdrawn,
        }

    @property
    def items(self) -> tuple[Fragment, ...]:
        """All items, for the page."""
        return self._sheet.items()

    def apply(self, event: Event) -> tuple[Fragment, ...]:
        """Take an event in, and return what a page that has the items so far needs, in order."""
        handle = self._handlers.get(event.kind)
        if handle is not None:
            handle(event)
        return self._sheet.sent()

    def writing(self, text: str | None) -> Fragment:
        """The text that is being written, below all items; None when nothing is."""
        return Fragment(id="writing", template="thread/writing.html", view=text or "")

    def settle(self) -> None:
        """Say that nothing here is under way or to be done: later events are in a thread of their own."""
        self._bench.settle()
        self._leave_questions("Decided later")
        self._leave_failures()
        self._sheet.sent()

    # Turns

    def _status(self, event: Event) -> None:
        told = self._turns.status(event)
        if told.begins is not None:
            self._begin_turn(told.begins)
        if told.pauses:
            self._bench.end()
        if told.ends is not None:
            self._sheet.put(told.ends)
        if told.is_over:
            self._bench.settle()
            self._leave_questions("Not answered")
            self._show_todo(())
        if told.words:
            self._notice(event, told.words, icon="check")

    def _message(self, event: Event) -> None:
        self._begin_turn(self._turns.message(event))
        text, by = str(event.payload.get("text", "")), str(event.payload.get("by") or "Somebody")
        if text.strip():
            self._stop_speaking()
            spoken = cards.Spoken(by=by, at=event.at, text=text)
            self._place("message", event, spoken)

    def _begin_turn(self, header: Fragment) -> None:
        self._stop_speaking()
        self._sheet.put(header)
        self._leave_failures()

    def _turn_ended(self, _event: Event) -> None:
        self._bench.end()

    # Words and steps

    def _text(self, event: Event) -> None:
        parent = event.payload.get("parent")
        spoken = cards.Spoken(by="", at=event.at, text=str(event.payload.get("text", "")))
        if parent:
            self._place("aside", event, spoken, into=self._bench.agent(str(parent), event).inside)
            return
        self._bench.end()
        self._place("text", event, spoken, into=self._voice(event))

    # Stages and gates

    def _stage_started(self, event: Event) -> None:
        stage = str(event.payload.get("stage", ""))
        if stage in _QUIET_STAGES or stage not in STAGES:
            return
        self._stop_speaking()
        name = f"{event.run_id} {stage}"
        self._attempts[name] = self._attempts.get(name, 0) + 1
        attempt = f"attempt {self._attempts[name]}" if self._attempts[name] > 1 else ""
        words = tuple(filter(None, [STAGES[StageName(stage)], attempt]))
        self._place("turn", event, cards.Turn(words=words, at=event.at))

    def _stage_ended(self, event: Event) -> None:
        summary, stage = first_line(str(event.payload.get("summary", ""))), str(event.payload.get("stage", ""))
        self._bench.end()
        if summary and stage == StageName.REVIEW:
            self._notice(event, summary)

    def _gate(self, event: Event) -> None:
        self._bench.end()
        self._place("gate", event, gate_line(self._key, event), into=self._voice(event))

    # Cards

    def _asked(self, event: Event) -> None:
        self._bench.end()
        question = Question.model_validate(event.payload)
        card = cards.question_card(self._key, question, event.at)
        template = "plan" if question.plan is not None else "question"
        self._questions[question.id] = (self._place(template, event, card, into=self._voice(event)), question)

    def _answered(self, event: Event) -> None:
        id_, question = self._questions.pop(str(event.payload.get("question", "")), ("", None))
        answer = Answer.model_validate(event.payload)
        decided = cards.decided(question, answer, event.at)
        self._close(id_, decided, answer)
        if question is None:
            self._notice(event, f"{decided.by}: {decided.words}", icon="check")

    def _leave_questions(self, words: str) -> None:
        for id_, _ in self._questions.values():
            self._close(id_, cards.Decided(words=words), None)
        self._questions.clear()

    def _leave_failures(self) -> None:
        for id_ in self._failures:
            failed = self._sheet.get(id_)
            if failed is not None and isinstance(failed.view, cards.FailureCard):
                self._sheet.put(replace(failed, view=replace(failed.view, action=None)))
        self._failures.clear()

    def _close(self, id_: str, decided: cards.Decided, answer: Answer | None) -> None:
        card = self._sheet.get(id_)
        if card is not None and isinstance(card.view, cards.PlanCard):
            self._sheet.put(replace(card, view=replace(card.view, decided=decided)))
        elif card is not None and isinstance(card.view, cards.QuestionCard):
            answers = cards.given(card.view.asked, answer.answers) if answer else ()
            self._sheet.put(replace(card, view=replace(card.view, decided=decided, given=answers)))

    def _pull_request(self, event: Event) -> None:
        self._bench.end()
        card = cards.pull_request_card(PullRequest.model_validate(event.payload))
        self._place("pull_request", event, card, into=self._voice(event))

    def _publish_failed(self, event: Event) -> None:
        repository = str(event.payload.get("repository", ""))
        title = f"{short_name(repository)} could not be published"
        self._failure(event, title, action="open-pr", repository=repository)

    def _error(self, event: Event) -> None:
        self._failure(event, "The turn failed", action="retry")

    def _failure(self, event: Event, title: str, *, action: str, repository: str | None = None) -> None:
        self._bench.end()
        card = cards.FailureCard(
            run=event.run_id or "",
            title=title,
            message=str(event.payload.get("message", "")),
            at=event.at,
            action=f"/code-runs/{self._key}/{action}",
            repository=repository,
        )
        self._failures.append(self._place("failure", event, card, into=self._voice(event)))

    # Lines

    def _told(self, event: Event) -> None:
        self._notice(event, first_line(str(event.payload.get("text", ""))))

    def _parked(self, event: Event) -> None:
        until = datetime.fromisoformat(event.payload["until"])
        words = f"Parked until {clock(until, seen_at=event.at)}, then it goes on by itself."
        self._notice(event, f"{words} {first_line(str(event.payload['reason']))}", icon="queue")

    def _ticket_updated(self, event: Event) -> None:
        summary = first_line(str(event.payload.get("summary", "")))
        self._notice(event, f"The ticket changed: {summary}", icon="ticket")

    def _resumed(self, event: Event) -> None:
        self._notice(event, f"The turn goes on: {first_line(str(event.payload.get('reason', '')))}", icon="retry")

    def _queued(self, event: Event) -> None:
        words = f"{event.payload.get('by') or 'Somebody'} sent a message that waits for its turn"
        self._notice(event, words, icon="queue")

    def _withdrawn(self, event: Event) -> None:
        self._notice(event, f"{event.payload.get('by') or 'Somebody'} withdrew a message", icon="queue")

    def _todo(self, event: Event) -> None:
        self._show_todo(event.payload.get("items", ()))

    def _show_todo(self, items: object) -> None:
        self.todo = todo(items if isinstance(items, list) else ())
        self._sheet.send(self.todo)

    def _notice(self, event: Event, words: str, *, icon: str = "hand") -> None:
        into = f"#{self._speaker[1]}-in" if self._speaker else "#thread"
        self._place("notice", event, cards.Notice(words=words, at=event.at, icon=icon), into=into)

    # Places

    def _place(self, template: str, event: Event, view: object, *, into: str = "#thread") -> str:
        id_ = f"{template.replace('_', '-')}-{event.seq}"
        self._sheet.put(Fragment(id=id_, template=f"thread/{template}.html", view=view, into=into))
        return id_

    def _voice(self, event: Event) -> str:
        """Where the words of an event's speaker go: on, or below a new head."""
        role = str(event.payload.get("role", "author"))
        if self._speaker is None or self._speaker[0] != role:
            self._bench.end()
            said = cards.Spoken(by=_SPEAKERS.get(role, role.title()), at=event.at)
            self._speaker = (role, self._place("said", event, said))
        return f"#{self._speaker[1]}-in"

    def _stop_speaking(self) -> None:
        self._bench.end()
        self._speaker = None
