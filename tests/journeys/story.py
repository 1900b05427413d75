"""How a conversation is told to the past: what people did, and what Claude did, one thing after the other."""

import uuid
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from app.models import (
    Answer,
    Asked,
    EventKind,
    FileChange,
    PipelineOptions,
    PullRequest,
    Question,
    Receipt,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    RunMode,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
    Tokens,
    Trigger,
    Work,
)
from app.results import CheckOutcome, Turn
from app.services.store.base import Claim
from tests.journeys.seeding import Past

T = TypeVar("T")

MIRA, BEN = "Mira Chen", "Ben Okafor"
SONNET = "claude-sonnet-4-6"
_PACE_S = 2.0


class Story:
    """One conversation, `ago_s` seconds back. Each thing that happens takes `_PACE_S` unless it says otherwise."""

    def __init__(self, past: Past, key: str, summary: str, *, ago_s: float, description: str = "") -> None:
        self.ticket = Ticket(key=key, summary=summary, description=description)
        self.run = ""
        self._past = past
        self._at = datetime.now(UTC) - timedelta(seconds=ago_s)
        self._calls = 0
        self._turns = 0
        past.turn_to(self._at)

    def after(self, seconds: float) -> Self:
        """Let time pass."""
        self._at += timedelta(seconds=seconds)
        self._past.turn_to(self._at)
        return self

    # Turns

    def begin(
        self,
        text: str = "",
        *,
        mode: RunMode = RunMode.EDITS,
        by: str | None = MIRA,
        repositories: Sequence[RepositoryChoice] = (),
        auto_pr: bool = False,
        works: bool = True,
    ) -> None:
        """Begin a run: by a person's message, or by the webhook where it is nobody's. It waits unless it `works`."""
        request = Request(mode=mode, text=text, by=by, model=SONNET, auto_pr=auto_pr, repositories=tuple(repositories))
        trigger = Trigger.MESSAGE if by else Trigger.WEBHOOK
        claim = Claim(ticket=self.ticket, request=request, trigger=trigger, options=PipelineOptions())
        store = self._past
        sent = store.send(claim, _no_work, message_id=str(uuid.uuid4())) if by else store.claim(claim, _no_work)
        self._begun(_now(sent), works=works)

    def message(self, text: str, *, by: str) -> None:
        """A message that waits for the end of the run."""
        claim = Claim(
            ticket=self.ticket,
            request=Request(mode=RunMode.EDITS, text=text, by=by, model=SONNET),
            trigger=Trigger.MESSAGE,
            options=PipelineOptions(),
        )
        _now(self.after(_PACE_S)._past.send(claim, _no_work, message_id=str(uuid.uuid4())))

    def turn(self, *, cost_usd: float, turns: int = 12) -> None:
        """Claude's turn is over, and has cost this much."""
        self._turns += 1
        tokens = Tokens(input=turns * 40, output=turns * 610, cache_read=turns * 41_300, cache_write=turns * 2_100)
        spent = Turn(
            text="", session_id=str(uuid.uuid4()), turns=turns, session_cost_usd=cost_usd, tokens=tokens, duration_s=200
        )
        _now(self._past.record_turn(self.run, f"turn {self._turns}", spent))

    def end(self, status: RunStatus = RunStatus.IDLE, *, outcome: str | None = None, error: str | None = None) -> None:
        """The run ends."""
        _now(self.after(_PACE_S)._past.move(self.run, status, outcome=outcome, error=error))

    # What Claude does

    def tell(self, kind: EventKind, after_s: float = _PACE_S, /, **payload: Any) -> None:
        """Any event of the run."""
        _now(self.after(after_s)._past.append(self.run, kind, payload))

    def say(self, text: str, *, role: str = "author") -> None:
        """Words."""
        self.tell(EventKind.TEXT, text=text, role=role)

    def call(self, name: str, *, parent: str | None = None, **given: Any) -> str:
        """A tool is called; the return is the call's id."""
        self._calls += 1
        call = f"toolu_{self._calls:04d}"
        more = {"parent": parent} if parent else {}
        self.tell(EventKind.TOOL_CALLED, id=call, name=name, input=given, role="author", **more)
        return call

    def returned(
        self, call: str, content: str = "", *, took_s: float = 1, failed: bool = False, parent: str | None = None
    ) -> None:
        """What the tool gave."""
        more = {"parent": parent} if parent else {}
        self.tell(EventKind.TOOL_RETURNED, took_s, id=call, content=content, failed=failed, role="author", **more)

    def step(self, name: str, result: str = "", *, took_s: float = 1, failed: bool = False, **given: Any) -> None:
        """A tool is called and returns."""
        self.returned(self.call(name, **given), result, took_s=took_s, failed=failed)

    def todo(self, *items: str, done: int) -> None:
        """The list of what to do; the first `done` are done, and the next is at work."""
        states = ["completed"] * done + ["in_progress"] + ["pending"] * len(items)
        listed = [{"id": str(n), "subject": item, "status": states[n]} for n, item in enumerate(items)]
        self.tell(EventKind.TODO_UPDATED, items=listed)

    # Stages

    def stage(self, name: StageName) -> None:
        """A stage begins."""
        _now(self.after(_PACE_S)._past.stage_started(self.run, name))

    def ended(
        self, name: StageName, status: StageStatus = StageStatus.PASSED, *, rounds: int = 0, summary: str = ""
    ) -> None:
        """The stage ends."""
        _now(self.after(_PACE_S)._past.stage_ended(self.run, name, status, rounds=rounds, summary=summary))

    def gate(
        self,
        gate: StageName,
        command: str,
        *,
        repository: str,
        output: str = "",
        failed: bool = False,
        took_s: float = 9,
    ) -> None:
        """A check of one repository."""
        outcome = CheckOutcome.FAILED if failed else CheckOutcome.PASSED
        told = {"gate": gate, "command": command, "repository": repository, "outcome": outcome, "output": output}
        self.tell(EventKind.GATE_CHECKED, took_s, **told, round=1, duration_s=took_s)

    # Cards

    def ask(self, *asked: Asked) -> str:
        """Questions to people; the return is their id."""
        return self._wait(Question(id=f"toolu_ask_{self._calls}", asked=asked))

    def plan(self, text: str) -> str:
        """A plan to review; the return is its id."""
        self._calls += 1
        return self._wait(Question(id=f"toolu_plan_{self._calls}", plan=text))

    def answer(self, question: str, answer: Answer, *, works: bool = True) -> None:
        """People decide, and the work goes on."""
        self.after(_PACE_S)
        self._begun(_now(self._past.answer(self.ticket.key, question, answer, _no_work)), works=works)

    def changed(self, repository: str, patch: str, *, base: str = "main", published: bool = False) -> None:
        """The change in a repository is now this one, as git's diff has it."""
        branch = f"ticket/{self.ticket.key.lower()}"
        whole = RepositoryChanges(
            repository=repository,
            branch=branch,
            base=base,
            files=files_of(patch),
            patch=patch,
            unpublished=not published,
        )
        _now(self.after(_PACE_S)._past.keep_changes(self.run, whole))

    def pull_request(self, repository: str, number: int, *, draft: bool = True) -> None:
        """A pull request is opened."""
        url = f"https://github.com/{repository}/pull/{number}"
        opened = PullRequest(url=url, number=number, repository=repository, draft=draft)
        _now(self.after(_PACE_S)._past.add_pull_request(self.run, opened))

    def _wait(self, question: Question) -> str:
        _now(self.after(_PACE_S)._past.ask(self.run, question))
        return question.id

    def _begun(self, receipt: Receipt, *, works: bool) -> None:
        assert receipt.run_id is not None, receipt
        self.run = receipt.run_id
        if works:
            _now(self.after(_PACE_S)._past.move(self.run, RunStatus.RUNNING))


def files_of(patch: str) -> tuple[FileChange, ...]:
    """The files of a unified diff, with their counts."""
    files = []
    for part in f"\n{patch}".split("\ndiff --git ")[1:]:
        lines = part.split("\n@@")
        path = part.partition("\n")[0].rpartition(" b/")[2]
        body = [line for hunk in lines[1:] for line in hunk.splitlines()[1:]]
        added, removed = (sum(line.startswith(sign) for line in body) for sign in "+-")
        files.append(FileChange(path=path, added=added, removed=removed))
    return tuple(files)


def _no_work(transaction: Any, work: Work) -> None:
    """Nobody works on what is seeded."""


def _now(call: Coroutine[Any, Any, T]) -> T:
    """The result of a call that waits for nothing: the transaction is one connection in this thread."""
    try:
        call.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError(f"{call} waits.")
