"""What hands give back: the vocabulary of the work. Data only, like `app.models`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.models import FileChange, Model, Question, RunStatus, StageName, StageStatus, Ticket, Tokens


class Account(Model):
    """Whom a turn's model requests are charged to. `ceiling_usd` is a ceiling of the ticket below the service's own."""

    ticket: str
    run_id: str
    ceiling_usd: float | None = None


class Workspace(Model):
    """A worktree that a run works in, of one repository (`owner/name`).

    `parent` is the commit that the next commit builds on: the branch's head at the forge, or the base's where there
    is no such branch yet (`on_remote` is then false). `conflicts` are files with conflict markers, left by bringing
    unpushed work together with what people pushed. `arrived` are their commits, a line each, oldest first. `common`
    is the git directory that the worktree's own git must be able to read; None where there is no git. `restored`: the
    files are as a checkpoint had them, and nobody has worked on them here since.
    """

    repository: str
    directory: Path
    branch: str
    base: str
    base_commit: str
    parent: str
    on_remote: bool
    conflicts: tuple[str, ...] = ()
    arrived: tuple[str, ...] = ()
    common: Path | None = None
    restored: bool = False

    @property
    def reads(self) -> tuple[Path, ...]:
        """What programs that work in it must be able to read beside it."""
        return (self.common,) if self.common is not None else ()


class Checkpoint(Model):
    """What a conversation has done in one repository and the forge does not have: enough to go on on another machine.

    `id` is a UUID. `bundle` is a git bundle, None where no file differs; `state` is JSON that only its maker reads.
    """

    id: str
    repository: str
    state: Mapping[str, Any]
    bundle: bytes | None = None


class Saved(Model):
    """Work that was nowhere else when its worktree was removed. `name` is what `restore` calls it, unique here.

    `what` says in words how much it is; `size` is in bytes.
    """

    name: str
    repository: str
    branch: str
    at: datetime
    size: int
    what: str
    place: Path


class Finding(Model):
    """Something that a crash left: one sentence on what, whether it is mended, and else what a person can do."""

    what: str
    mended: bool
    remedy: str = ""


class Changes(Model):
    """What a workspace holds beyond its base, new files included. `patch` is a unified diff."""

    files: tuple[FileChange, ...] = ()
    patch: str = ""
    unpublished: bool = False
    """There is something that the branch at the forge does not have yet."""


class RefusalReason(StrEnum):
    """Why a change may not be published as it is."""

    SECRET = "secret"  # noqa: S105 - the word, not one
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    LARGE_FILE = "large_file"
    PROTECTED = "protected"


class Refusal(Model):
    """A place of a change that may not be published: a path, with a line where one is known, and a word on it.

    `what` is the kind of a secret, never the secret.
    """

    reason: RefusalReason
    place: str
    what: str = ""


class Inspection(Model):
    """What code found in a change that is to be published.

    `protected` are the protected paths that the pull request changes against its base; `adds_protected` says that the
    branch at the forge does not have all of that yet.
    """

    protected: tuple[str, ...] = ()
    adds_protected: bool = False
    refusals: tuple[Refusal, ...] = ()


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
    question: Question | None = None
    """What the turn stopped for: it goes on in the same session once people have answered."""


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
    """What a gate of a run found, for the pull request. `found` is one line; `status` is the gate's end.

    `repository` is None for what is of all of them: the author's work and the review.
    """

    gate: StageName
    repository: str | None = None
    status: StageStatus
    found: str
    rounds: int = 0
    duration_s: float = 0.0
    turns: int = 0
    cost_usd: float = 0.0


class Outcome(Model):
    """How the work on a run ended, when it did not fail. With `question` it has not ended: people are asked."""

    status: RunStatus
    sentence: str
    question: Question | None = None


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


class TicketHit(Model):
    """A ticket as a search shows it."""

    key: str
    summary: str
    status: str = ""
    kind: str = ""
    url: str | None = None


class TicketProject(Model):
    """A project of the tracker where tickets can be created. `key` is what its tickets' keys begin with."""

    key: str
    name: str


class TicketComment(Model):
    """What somebody said at the tracker; Markdown."""

    by: str
    at: datetime
    text: str


class TicketLink(Model):
    """A relation to another ticket, in the tracker's words (`is blocked by`)."""

    relation: str
    ticket: TicketHit


class TicketAttachment(Model):
    """A file at the tracker. It is listed, never loaded."""

    name: str
    bytes: int
    kind: str = ""


class TicketDetails(Model):
    """All that the tracker knows of a ticket. The ticket's description is Markdown here."""

    ticket: Ticket
    status: str = ""
    kind: str = ""
    assignee: str | None = None
    reporter: str | None = None
    comments: tuple[TicketComment, ...] = ()
    links: tuple[TicketLink, ...] = ()
    attachments: tuple[TicketAttachment, ...] = ()


class WorkerState(StrEnum):
    """What a worker does: work, end what it has begun before it goes, or wait for room on its disk."""

    WORKING = "working"
    DRAINING = "draining"
    FULL = "full"


class Worker(Model):
    """A process that works on the queue, as it says itself. `at_work` counts the runs that it is in the middle of.

    Both times are the database's; what comes in with them is not looked at.
    """

    id: str
    host: str
    state: WorkerState
    note: str = ""
    at_work: int = 0
    started_at: datetime
    seen_at: datetime
