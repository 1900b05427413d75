"""Vocabulary: what the rooms say to each other. Data only; rules about it are in `app.domain`."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A value: frozen, compared by content, JSON in and out."""

    model_config = ConfigDict(frozen=True)


# Tickets and runs


class Ticket(Model):
    """What a tracker says of a piece of work. `description` is plain text or markup, empty when there is none."""

    key: str
    summary: str
    description: str = ""
    url: str | None = None


class RunStatus(StrEnum):
    """Where a run stands, as people see it."""

    QUEUED = "queued"
    RUNNING = "running"
    NEEDS_INPUT = "needs_input"
    FAILED = "failed"
    PR_OPENED = "pr_opened"
    IDLE = "idle"


class RunMode(StrEnum):
    """What a run is for."""

    IMPLEMENT = "implement"


class Trigger(StrEnum):
    """What started a run."""

    WEBHOOK = "webhook"
    COMMAND = "command"


class PipelineOptions(Model):
    """Which optional stages a run has."""

    review: bool = False
    lint: bool = False
    tests: bool = False
    dry_run: bool = False


class Tokens(Model):
    """Tokens of model requests, as the API counts them."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
        )


class StageName(StrEnum):
    """The stages of a run, in their order."""

    WORKSPACE = "workspace"
    IMPLEMENT = "implement"
    REVIEW = "review"
    SETUP = "setup"
    LINT = "lint"
    TESTS = "tests"
    PUBLISH = "publish"


class StageStatus(StrEnum):
    """How a stage stands. `warned` ended without what it was for, and the run went on."""

    RUNNING = "running"
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"


class Stage(Model):
    """One stage of one run. `rounds` counts the fixes that it needed; `summary` is one line for people."""

    name: StageName
    status: StageStatus
    started_at: datetime
    ended_at: datetime | None = None
    rounds: int = 0
    summary: str = ""


class PullRequest(Model):
    """A pull request at the forge. `created` is false when it was there already."""

    url: str
    number: int
    repository: str
    draft: bool = False
    created: bool = True


class Run(Model):
    """One run of a ticket's conversation, as the JSON API shows it."""

    id: str
    ticket: str
    status: RunStatus
    mode: RunMode
    trigger: Trigger
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stages: tuple[Stage, ...] = ()
    pull_requests: tuple[PullRequest, ...] = ()
    cost_usd: float = 0.0
    tokens: Tokens = Tokens()
    error: str | None = None
    outcome: str | None = Field(None, description="One sentence on how the run ended.")


class Job(Model):
    """What a worker needs to know of a run. `session_id` is the conversation's author, None before its first turn."""

    run_id: str
    ticket: Ticket
    mode: RunMode
    trigger: Trigger
    options: PipelineOptions
    session_id: str | None
    status: RunStatus


class RunFilter(Model):
    """Which runs a list shows, newest first. `before` is the cursor that the page before gave."""

    ticket: str | None = None
    status: RunStatus | None = None
    trigger: Trigger | None = None
    before: int | None = None
    limit: int = 50


class RunPage(Model):
    """A page of runs and the cursor of the next one; None at the end."""

    runs: tuple[Run, ...]
    next: int | None


class Event(Model):
    """One thing that happened in a run. `seq` counts from 1 without gaps."""

    seq: int
    kind: str
    at: datetime
    payload: dict[str, Any]


class EventKind(StrEnum):
    """What an event tells; each kind's payload is described by its fields here."""

    RUN_STATUS = "run.status"  # status, by?, reason?
    STAGE_STARTED = "stage.started"  # stage
    STAGE_ENDED = "stage.ended"  # stage, status, rounds, summary
    TURN_STARTED = "turn.started"  # turn, role, prompt
    TURN_RESUMED = "turn.resumed"  # turn, reason
    TURN_ENDED = "turn.ended"  # turn, role, turns, cost_usd, tokens, duration_s
    TEXT = "text"  # text, role, parent?
    TOOL_CALLED = "tool.called"  # id, name, input, role, parent?
    TOOL_RETURNED = "tool.returned"  # id, content, failed, role, parent?
    TODO_UPDATED = "todo.updated"  # items: [{id, subject, status}]
    GATE_CHECKED = "gate.checked"  # gate, outcome, command, output, round, duration_s
    COST_UPDATED = "cost.updated"  # cost_usd, tokens: of the run so far
    PULL_REQUEST = "pull_request.opened"  # url, number, repository, draft, created
    TICKET_UPDATED = "ticket.updated"  # summary: the ticket changed while the run was active
    NOTICE = "notice"  # text
    ERROR = "error"  # message


# What hands give back


class Workspace(Model):
    """A worktree that a run works in.

    `parent` is the commit that the next commit builds on: the branch's head at the forge, or the base's where there
    is no such branch yet (`on_remote` is then false). `conflicts` are files with conflict markers, left by bringing
    unpushed work together with what people pushed.
    """

    directory: Path
    branch: str
    base: str
    base_commit: str
    parent: str
    on_remote: bool
    conflicts: tuple[str, ...] = ()


class Changes(Model):
    """What a workspace holds beyond its base, new files included. `patch` is a unified diff."""

    files: tuple[str, ...] = ()
    patch: str = ""
    unpublished: bool = False
    """There is something that the branch at the forge does not have yet."""


class Turn(Model):
    """What one turn of a Claude session gave. `tokens` and `turns` (model answers) are of this turn alone."""

    text: str
    session_id: str
    turns: int = 0
    session_cost_usd: float = 0.0
    """What the session has cost since it began, as Claude Code says it."""
    cost_usd: float = 0.0
    """What this turn added; known once the turn is recorded."""
    tokens: Tokens = Tokens()
    duration_s: float = 0.0
    finished: bool = True
    """False when the turn was cut at its limit of turns; the work so far is in the worktree."""


class CheckOutcome(StrEnum):
    """`skipped`: the repository has nothing of the kind. `unavailable`: the command could not be run here."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNAVAILABLE = "unavailable"


class CheckResult(Model):
    """One run of a setup, lint or test command. `output` is shortened to what a fixer needs."""

    outcome: CheckOutcome
    command: str = ""
    output: str = ""
    duration_s: float = 0.0


class GateReport(Model):
    """What a gate of a run found, for the pull request. `found` is one line; `status` is the gate's end."""

    gate: StageName
    status: StageStatus
    found: str
    rounds: int = 0
    duration_s: float = 0.0
    turns: int = 0
    cost_usd: float = 0.0


class Outcome(Model):
    """How the work on a run ended, when it did not fail."""

    status: RunStatus
    sentence: str


class Verdict(Model):
    """A reviewer's answer. `clear` is false when the answer did not say whether there are issues."""

    has_issues: bool
    findings: str = ""
    clear: bool = True


class Commands(Model):
    """Commands that a repository names for its checks; empty where it leaves the choice to its toolchain."""

    setup: tuple[str, ...] = ()
    lint: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


# Receipts


class Receipt(Model):
    """What became of a delivered ticket."""

    status: Literal["accepted", "duplicate", "ignored"]
    ticket: str | None = None
    run_id: str | None = None
    reason: str | None = None
