"""Vocabulary: what the rooms say to each other. Data only; rules about it are in `app.domain`."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A value: frozen, compared by content, JSON in and out."""

    model_config = ConfigDict(frozen=True)


# Tickets and runs


class Ticket(Model):
    """What a tracker says of a piece of work. `description` is plain text or markup, empty when there is none.

    `priority` is 1 for what is most urgent, up to 5. `updated_at` is the tracker's own time of this text, None where
    nobody said one.
    """

    key: str
    summary: str
    description: str = ""
    url: str | None = None
    priority: int = 3
    updated_at: datetime | None = None


class RunStatus(StrEnum):
    """Where a run stands, as people see it."""

    QUEUED = "queued"
    RUNNING = "running"
    NEEDS_INPUT = "needs_input"
    FAILED = "failed"
    PR_OPENED = "pr_opened"
    IDLE = "idle"


class RunMode(StrEnum):
    """What a run is for: a ticket's whole way to a pull request, a person's turn, or publishing what there is."""

    IMPLEMENT = "implement"
    ASK = "ask"
    PLAN = "plan"
    EDITS = "edits"
    PUBLISH = "publish"


class Trigger(StrEnum):
    """What started a run."""

    WEBHOOK = "webhook"
    COMMAND = "command"
    MESSAGE = "message"


class RepositoryChoice(Model):
    """A repository of a conversation, as `owner/name`, and the branch that its pull request goes to."""

    name: str
    base: str


class Request(Model):
    """What a run is asked to do, and by whom. `by` is None where a tracker or a script asks.

    `retry_of` is set where somebody has it done once more: whose words `text` are then, empty for a tracker's.
    `model` None is the service's default. No repositories: those of the conversation, or the service's default.
    """

    mode: RunMode = RunMode.IMPLEMENT
    text: str = ""
    by: str | None = None
    retry_of: str | None = None
    model: str | None = None
    auto_pr: bool = False
    repositories: tuple[RepositoryChoice, ...] = ()


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
    """The stages of a run, in their order. A run has one of answer, plan and implement, by its mode."""

    WORKSPACE = "workspace"
    ANSWER = "answer"
    PLAN = "plan"
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
    text: str = Field("", description="What the person wrote.")
    by: str | None = Field(None, description="The person who asked for the run.")
    model: str | None = None
    auto_pr: bool = False
    repositories: tuple[RepositoryChoice, ...] = ()
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stages: tuple[Stage, ...] = ()
    pull_requests: tuple[PullRequest, ...] = ()
    cost_usd: float = 0.0
    tokens: Tokens = Tokens()
    error: str | None = None
    outcome: str | None = Field(None, description="One sentence on how the run ended.")


class Choice(Model):
    """One answer that Claude offers."""

    label: str
    description: str = ""


class Asked(Model):
    """One question to people, with answers to choose from; `several` may be chosen at once."""

    question: str
    header: str = ""
    choices: tuple[Choice, ...] = ()
    several: bool = False


class Question(Model):
    """What a run waits for people with: questions, or a plan to review. `id` is the tool call that waits."""

    id: str
    asked: tuple[Asked, ...] = ()
    plan: str | None = None
    version: int = Field(0, description="Of a plan: counts from 1 in its conversation.")


class Answer(Model):
    """What people decided. `answers` are by question; `text` is what they wrote instead, or want changed in a plan."""

    by: str
    approved: bool = False
    auto_pr: bool = Field(False, description="Of an approval: open draft pull requests when the plan is done.")
    answers: dict[str, str] = {}
    text: str = ""


class Decision(Model):
    """A question with what became of it; `answer` is None while it waits."""

    question: Question
    run_id: str
    asked_at: datetime
    answer: Answer | None = None
    answered_at: datetime | None = None


class Job(Model):
    """What a worker needs to know of a run. `session_id` is the conversation's author, None before its first turn.

    A run that waited for people goes on with its next `leg`; `decision` is then what they said. `published` are the
    repositories where the conversation has a pull request.
    """

    run_id: str
    ticket: Ticket
    request: Request
    trigger: Trigger
    options: PipelineOptions
    session_id: str | None
    status: RunStatus
    leg: int = 1
    decision: Decision | None = None
    published: tuple[str, ...] = ()

    @property
    def mode(self) -> RunMode:
        """What the run is for."""
        return self.request.mode


class Work(Model):
    """One leg of a run for the queue. Limits hold within its `bucket`, and the smaller `priority` is worked on first.

    People's messages and answers have priority 0, what a tracker sends has its ticket's.
    """

    id: str
    bucket: str
    priority: int


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


class Message(Model):
    """What a person sent while a run was active; it becomes a run of its own when its turn comes."""

    id: str
    at: datetime
    request: Request


class FileChange(Model):
    """A file of a change: lines added and removed, None for a binary one."""

    path: str
    added: int | None = None
    removed: int | None = None


class RepositoryChanges(Model):
    """The whole change of a conversation in one repository against its base, as it was last seen.

    `patch` is a unified diff; `unpublished` says that the branch at the forge does not have all of it.
    """

    repository: str
    branch: str
    base: str
    files: tuple[FileChange, ...] = ()
    patch: str = ""
    unpublished: bool = False


class Conversation(Model):
    """Everything that was said and done about a ticket, in short.

    `request` is how the last turn was asked, and so the default of the next; `run` is the newest one; `waits_for` is
    the open question; `queue` is in order of delivery. Cost and pull requests are of all runs.
    """

    ticket: Ticket
    run: Run
    request: Request
    waits_for: Decision | None = None
    queue: tuple[Message, ...] = ()
    pull_requests: tuple[PullRequest, ...] = ()
    cost_usd: float = 0.0
    updated_at: datetime
    last_seq: int = 0


class ConversationFilter(Model):
    """Which conversations a list shows, newest first. `words` are looked for in key and summary."""

    words: str = ""
    status: RunStatus | None = None
    mode: RunMode | None = None
    by: str | None = None
    limit: int = 50


class Event(Model):
    """One thing that happened in a conversation. `seq` counts up in it; `run_id` is None between runs."""

    seq: int
    run_id: str | None = None
    kind: str
    at: datetime
    payload: dict[str, Any]


class EventKind(StrEnum):
    """What an event tells; each kind's payload is described by its fields here."""

    RUN_STATUS = "run.status"  # status, by?, reason?; of a queued run also trigger, mode, retry?
    STAGE_STARTED = "stage.started"  # stage
    STAGE_ENDED = "stage.ended"  # stage, status, rounds, summary
    TURN_STARTED = "turn.started"  # turn, role, prompt
    TURN_RESUMED = "turn.resumed"  # turn, reason
    TURN_ENDED = "turn.ended"  # turn, role, turns, cost_usd, tokens, duration_s
    PARKED = "parked"  # until, reason: the model takes no requests of anybody; the run goes on by itself then
    TEXT = "text"  # text, role, parent?
    TOOL_CALLED = "tool.called"  # id, name, input, role, parent?
    TOOL_RETURNED = "tool.returned"  # id, content, failed, role, parent?
    TODO_UPDATED = "todo.updated"  # items: [{id, subject, status}]
    GATE_CHECKED = "gate.checked"  # gate, outcome, command, output, round, duration_s
    COST_UPDATED = "cost.updated"  # cost_usd, tokens: of the run so far
    PULL_REQUEST = "pull_request.opened"  # url, number, repository, draft, created
    TICKET_UPDATED = "ticket.updated"  # summary: the ticket changed while the run was active
    MESSAGE_SENT = "message.sent"  # text, by, mode, model: what the run was asked by a person; not of a retry
    MESSAGE_QUEUED = "message.queued"  # id, text, by, mode
    MESSAGE_WITHDRAWN = "message.withdrawn"  # id, by
    QUESTION_ASKED = "question.asked"  # a Question
    PLAN_PROPOSED = "plan.proposed"  # a Question
    ANSWERED = "question.answered"  # question: its id; and an Answer
    CHANGES_UPDATED = "changes.updated"  # repository, files, added, removed
    PUBLISH_FAILED = "publish.failed"  # repository, message
    NOTICE = "notice"  # text
    ERROR = "error"  # message
    WRITING = "writing"  # text, role: the text being written, so far; not kept


class Receipt(Model):
    """What became of a delivered ticket."""

    status: Literal["accepted", "queued", "answered", "duplicate", "ignored"]
    ticket: str | None = None
    run_id: str | None = None
    reason: str | None = None
