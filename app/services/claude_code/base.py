"""Claude Code sessions: prompts in, events and a result out.

The room knows the Agent SDK and its CLI. It knows nothing of tickets, git or the database, and decides nothing about
what comes next.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from app.models import Answer, EventKind, Model, Question
from app.results import Account, Turn

Emit = Callable[[EventKind, Mapping[str, Any]], Awaitable[None]]
"""Where a turn tells what happens in it, as it happens. WRITING without text: the model writes what is not shown."""


class Archive(Protocol):
    """Keeps the transcripts of sessions beyond this machine: JSON entries, as the CLI writes them, in their order.

    `subpath` is "" for the session itself, and names a sub-agent's transcript else.
    """

    async def keep_entries(self, session_id: str, subpath: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add entries at the end. One whose `uuid` is there already is ignored."""

    async def entries(self, session_id: str) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """All entries by subpath; nothing of a session that is not known."""


class SessionRef(Model):
    """A session: its id, a UUID chosen before it begins so that it is known after a crash, and where it works.

    It starts in `directory` and may use `others` likewise: the worktrees of a workspace with several repositories.
    `reads` are the git directories behind them. What it asks of the model is charged to `account`. `restored`: the
    worktrees had to be made anew from what was saved of them, so they may be older than what the session remembers.
    """

    id: str
    directory: Path
    others: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    account: Account | None = None
    restored: bool = False

    @property
    def worktrees(self) -> tuple[Path, ...]:
        """Where it works, the first directory first."""
        return (self.directory, *self.others)


class Prompt(Model):
    """What one turn is asked. `id` is a UUID that stays the same when the same turn is asked again after a crash."""

    id: str
    text: str


class Reply(Model):
    """What people answered to the question that a turn stopped for; the turn goes on with it.

    `prompt` is asked instead where the session does not know the question any more (its transcript is gone). `news` is
    told with the answer: what people did in the worktrees while they were asked.
    """

    question: Question
    answer: Answer
    prompt: Prompt
    news: str = ""


class Permission(StrEnum):
    """What a turn of the author may do. Held by code at each tool call, whatever the model was told.

    READ: look, and ask people. PLAN: look, ask, and propose a plan. EDIT: everything in the worktrees, and ask.
    ALONE: everything in the worktrees; nobody is there to ask.
    """

    READ = "read"
    PLAN = "plan"
    EDIT = "edit"
    ALONE = "alone"


class ClaudeCode(ABC):
    """Runs turns in resumable sessions. Turns of one session come one after the other.

    Turns raise `SessionLost` when the CLI died more often than it was resumed, `TemporarilyFailed` when the model
    could not be reached or stayed overloaded, `Parked` when it takes no requests of anybody for a while, and
    `WorkFailed` for what a person must mend (credential, CLI missing, money spent).
    """

    @abstractmethod
    async def start(self, *, reads: tuple[Path, ...] = ()) -> None:
        """Get ready to work: make the first spare process. Called once, on the main thread's event loop.

        `reads` are the git directories that the next session will most likely read.
        """

    @abstractmethod
    async def stop(self) -> None:
        """End every process of this client. Sessions can be resumed by another one."""

    @abstractmethod
    async def reserve(self) -> str:
        """An id for a new session, of a process that waits ready where there is one."""

    @abstractmethod
    async def ground(self, session_id: str) -> Path | None:
        """An empty directory that should become the session's worktree, by a rename: its process, which waits ready,
        can work there and nowhere else. None where it makes no difference.
        """

    @abstractmethod
    async def remembers(self, session_id: str) -> bool:
        """Whether the session was asked something before, here or on another machine, and can be resumed."""

    @abstractmethod
    def waits(self, session_id: str) -> bool:
        """Whether the session waits for others: for a process to become free, or for the archive."""

    @abstractmethod
    async def warm(self, session: SessionRef) -> None:
        """Open the author's connection, so that the first turn pays no start-up. The directory must exist.

        Never fails: what goes wrong here shows in the turn.
        """

    async def run_implementation(self, session: SessionRef, prompt: Prompt, emit: Emit) -> Turn:
        """One turn of the author by itself, who may change files."""
        return await self.run_turn(session, prompt, emit, permission=Permission.ALONE)

    @abstractmethod
    async def run_turn(
        self,
        session: SessionRef,
        ask: Prompt | Reply,
        emit: Emit,
        *,
        permission: Permission,
        model: str | None = None,
    ) -> Turn:
        """One turn of the author, or its rest after people answered. The session is opened or resumed as needed.

        A prompt that the session was given before is not given again: a turn that was cut off goes on, and one that was
        answered in full gives the stored answer. `Turn.question` is set where the turn stopped to ask people; nothing
        of it waits in a process then. `model` None is the default one.
        """

    @abstractmethod
    async def run_code_review(self, session: SessionRef, prompt: Prompt, emit: Emit, *, beside: str) -> Turn:
        """The one turn of a reviewer, in a session of its own that can read and nothing else.

        `beside` is the author's session: where no process may be added its process makes room, and is resumed later.
        """

    @abstractmethod
    async def close(self, session_id: str) -> None:
        """End the session's process, if it has one. The session stays resumable."""

    @abstractmethod
    async def sessions(self) -> tuple[str, ...]:
        """Ids of the sessions that have a directory on this machine and no process of this client, in no order."""

    @abstractmethod
    async def forget(self, session_id: str) -> None:
        """End the session's process and delete its directory: transcript, home and all. What is archived stays.

        Deleting what is not there is no error. Raises WorkFailed for what is no session's id, and where the directory,
        which it names, cannot be deleted.
        """

    @abstractmethod
    async def check(self) -> str:
        """Ask the model one small question with the credential in use. One line on what was found.

        Raises WorkFailed with what to mend.
        """
