"""Repositories: their clones, their worktrees, their branches at the forge and their pull requests.

The room knows git and gh, and nothing of tickets, Claude or the database. It refuses to run anything that the target
repository brings along (hooks, filters, monitors), and to overwrite or delete what is nowhere else.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.models import PullRequest
from app.results import Changes, Checkpoint, Finding, Inspection, Saved, Workspace

Guard = Callable[[], Awaitable[None]]
"""Awaited immediately before each program or request that writes at the forge. What it raises ends the call as it is,
and nothing was written; for a worker that lost the run to another one that is ClaimLost."""


class GitHub(ABC):
    """Worktrees and pull requests of one repository.

    Every method raises `TemporarilyFailed` for what may work later (network, an overloaded forge) and `WorkFailed`
    for what a person must mend; each message says which.
    """

    @abstractmethod
    async def start(self) -> None:
        """Mend what a killed process left (locks, half-made worktrees). No network. Called once, first of all."""

    @property
    @abstractmethod
    def common(self) -> Path | None:
        """The git directory that its worktrees read; None before `start`, and where there is no git."""

    @abstractmethod
    async def branches(self) -> tuple[str, ...]:
        """Branches at the forge that a pull request can go to, the default first; not those of the service.

        Asked over the network with a short limit, and remembered for some seconds.
        """

    @abstractmethod
    async def refresh(self) -> None:
        """Bring the clone up to date with the forge: clone it if it is missing, else fetch.

        Calls at the same time share one fetch. What a call fetched counts for a `prepare` that follows at once.
        """

    @abstractmethod
    async def prepare(
        self,
        branch: str,
        *,
        base: str | None = None,
        occupied: Callable[[Path], Awaitable[None]] | None = None,
        ground: Path | None = None,
        saved: Checkpoint | None = None,
    ) -> Workspace:
        """A worktree on `branch`, up to date with the forge. A second call gives the same worktree with its work kept.

        `base` is the branch that it starts from and that its pull request goes to; None is the repository's default.
        Raises WorkFailed naming a base that does not exist. With another base than before, a branch at the forge stays
        as it is and is compared with that one; work that is not there yet is brought onto it.

        A branch that exists at the forge is gone on with; else it starts from the base. Unpushed work of an earlier
        run is kept in the worktree, and brought together with what people pushed meanwhile (see `Workspace.conflicts`).
        Their commits are in `Workspace.arrived`, again in each call until `acknowledge` or `commit`, and also where the
        worktree was removed meanwhile.

        `occupied` is called with the directory as soon as it exists and git knows it, before files are checked out,
        and is awaited together with the check-out.

        `ground` is an empty directory on the same volume, made beforehand by somebody who needs to know it. A worktree
        that is made anew is made of it: moved to its usual place, it is still the same directory. A ground that was
        not used, because the worktree is there already, is removed; after an error it may still be there.

        `saved` is the newest checkpoint of the conversation, from whichever machine: work of an earlier run that it
        has and this machine has not is put back first, as by `arrive`.
        """

    @abstractmethod
    async def arrive(self, workspace: Workspace, saved: Checkpoint | None) -> Workspace:
        """The workspace on this machine, where another may have begun it. To be called before anything else uses it.

        `saved` is the newest checkpoint of the conversation. A worktree that is here and at least as new is left as it
        is, and nothing is asked of the network. Else the worktree is made, or brought, to what the checkpoint holds:
        ignored files are as they were here, which is mostly not at all. Local work that is in no later checkpoint is
        saved before it is replaced. See `Workspace.restored`. Directory and `common` are this machine's, all else is
        as it comes in.
        """

    @abstractmethod
    async def checkpoint(self, workspace: Workspace) -> Checkpoint | None:
        """What the worktree holds beyond the forge, and what another machine must know beside it.

        The same id as before when nothing has changed since. None when it is too large to travel, which is logged.
        """

    @abstractmethod
    async def acknowledge(self, workspace: Workspace) -> None:
        """Whoever works in the worktree knows what arrived in it: later calls of `prepare` tell what is newer."""

    @abstractmethod
    async def read(self, workspace: Workspace, path: str, *, limit_bytes: int = 256 << 10) -> str | None:
        """Text of a file at the base commit, cut at `limit_bytes`; None when there is no such regular file."""

    @abstractmethod
    async def changes(self, workspace: Workspace, *, patch_bytes: int = 2_000_000) -> Changes:
        """What the worktree holds beyond the base: new files too, ignored ones not.

        The patch is cut after its last whole line within the limit, and says so.
        """

    @abstractmethod
    async def commit(self, workspace: Workspace, message: str) -> str | None:
        """Commit the worktree's files as they are and return the commit; None when nothing differs from the parent.

        Author and committer are the service. The worktree's branch and index follow. Raises WorkFailed while a file of
        `workspace.conflicts` still has conflict markers.
        """

    @abstractmethod
    async def inspect(self, workspace: Workspace, commit: str | None = None) -> Inspection:
        """What code finds in the change that `commit` would publish; None is the worktree's files as they are.

        What people pushed to the branch themselves is not refused.
        """

    @abstractmethod
    async def push(self, workspace: Workspace, commit: str, *, guard: Guard) -> None:
        """Publish `commit` as the branch. Doing it twice is the same as once.

        Raises BranchMoved when the branch at the forge is neither the workspace's parent nor `commit`, and WorkFailed
        when `inspect` refuses it, or when the branch is the one that pull requests go to.
        """

    @abstractmethod
    async def open_pull_request(
        self, workspace: Workspace, *, title: str, body: str, draft: bool, hold: bool = False, guard: Guard
    ) -> PullRequest:
        """The open pull request of the branch: found and updated, or opened. Never a second one, never a closed one.

        An existing pull request keeps its base unless the workspace got another one since, and its draft state unless
        `hold`, which turns it into a draft where the forge can.
        """

    @abstractmethod
    async def remove(self, workspace: Workspace) -> Path | None:
        """Remove the worktree. What it holds beyond the forge is saved first: the return is where, if anything was."""

    @abstractmethod
    async def worktrees(self) -> tuple[Workspace, ...]:
        """The worktrees of this machine by branch, whoever left them, as `remove` takes them. No network."""

    @abstractmethod
    async def saved(self) -> tuple[Saved, ...]:
        """What `remove` and others saved on this machine, the newest first. No network."""

    @abstractmethod
    async def restore(
        self, branch: str, *, base: str | None = None, name: str | None = None, saved: Checkpoint | None = None
    ) -> Workspace:
        """A worktree of `branch`, up to date with the forge, with saved work on top: that of `name`, else the newest.

        The conversation's next run goes on with it. Other work that the worktree holds is saved first. `base` is as in
        `prepare`; `saved` is the newest checkpoint of the conversation, which the restored work replaces: make and keep
        another one afterwards. Raises NotFound where nothing of the branch is saved.
        """

    @abstractmethod
    async def maintain(self) -> None:
        """Pack what has piled up in the clone, for minutes at most; other calls on the repository may wait meanwhile.

        Nothing is lost by it, and a person's own repository is left alone. To be called once in a while.
        """

    @abstractmethod
    async def examine(self, *, mend: bool = False, clear: bool = True) -> tuple[Finding, ...]:
        """What killed processes left that nobody uses, mended where that is asked for; work is saved first. Without
        `clear` worktrees of which nothing is known are told, and stay.

        What was mended already, as this process opened the repository, comes along the first time.
        """

    @abstractmethod
    def removal_command(self, workspace: Workspace) -> str:
        """A command for people to copy that removes the worktree."""

    @abstractmethod
    async def check(self) -> str:
        """Try the real thing: reach the repository and the forge with the credential. One line on what was found.

        Raises WorkFailed with what to mend.
        """


class Repositories(ABC):
    """The repositories that the service may work on, by their names (`owner/name`), the default first."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """All names; the first is the default. Empty before `start`, and where nothing is configured."""

    @property
    @abstractmethod
    def default(self) -> str:
        """The first name. Raises ConfigurationError, which says what to set, where nothing is configured."""

    @abstractmethod
    def of(self, name: str) -> GitHub:
        """The repository of that name, the same object each time. Raises NotFound, which says what to set."""

    @abstractmethod
    def base_of(self, name: str) -> str:
        """The branch that pull requests go to unless another one is chosen. Raises NotFound."""

    @abstractmethod
    async def start(self) -> None:
        """Find out which they are, and start each of them. That there is none is no error.

        Raises ConfigurationError when two of them have the same name.
        """

    @abstractmethod
    async def check(self) -> str:
        """Start, and try each of them for real: what was found, on one line.

        Raises ConfigurationError and WorkFailed with what to mend.
        """
