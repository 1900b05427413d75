"""Finds what a crash left, and mends it where that is asked for.

Nothing that is in use is touched, and nothing that is nowhere else is thrown away. What only a person can mend comes
with what to do. Each part is looked at for itself: one that cannot be is a finding too.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Iterable
from pathlib import Path

from app.domain.naming import key_of_branch
from app.domain.workforce import ALIVE_S
from app.errors import AutoCodeError, NotFound
from app.logger import get_logger
from app.models import Model
from app.results import Finding, Saved, Workspace
from app.sandbox import Leftover
from app.services.github.base import GitHub
from app.services.runner.estate import Estate
from app.services.runner.reconciling import left_over, reconcile
from app.services.runner.strays import stray_sessions

_log = get_logger(__name__)

_LOOK_AGAIN_S = 0.5
_MEND = "Run `auto-code doctor --mend`."

Findings = Iterable[Finding]


class Examination(Model):
    """What was found, and what was not looked at, with the reason."""

    findings: tuple[Finding, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Nothing is left to do."""
        return all(finding.mended for finding in self.findings)


class Doctor:
    """Examines one WORKSPACE_DIR and its database."""

    def __init__(self, estate: Estate, *, look_again_s: float = _LOOK_AGAIN_S) -> None:
        self._store = estate.store
        self._engine = estate.engine
        self._repositories = estate.repositories
        self._claude_code = estate.claude_code
        self._leftovers = estate.leftovers
        self._disk = estate.disk
        self._workspace = estate.workspace
        self._look_again_s = look_again_s

    async def examine(self, *, mend: bool, beside: bool = False, clear: bool = True) -> Examination:
        """Look at everything. `beside`: another process is at work in this WORKSPACE_DIR, which may have just begun to
        use what looks forgotten. Without `clear` the worktrees that the database does not know are told, and stay:
        where it was lost, they may be all that is left.
        """
        found = [
            *await self._alone("the disk", self._room()),
            *await self._alone("processes", self.processes(mend=mend)),
            *await self._alone("the workers", self._workers(mend=mend)),
            *await self._alone("runs", self._runs(mend=mend)),
        ]
        for name in self._repositories.names:
            found += await self._alone(name, self._repository(self._repositories.of(name), mend=mend, clear=clear))
        if (skipped := self._skipped(beside=beside)) is None:
            found += await self._alone("sessions", self._sessions(mend=mend))
        return Examination(findings=tuple(found), skipped=() if skipped is None else (skipped,))

    async def processes(self, *, mend: bool) -> Findings:
        """Programs of conversations that nobody watches over any more; they would go on to write."""
        seen = await asyncio.to_thread(self._leftovers.find)
        if not seen:
            return ()
        await asyncio.sleep(self._look_again_s)
        both = seen & await asyncio.to_thread(self._leftovers.find)
        return [self._ended(each, mend=mend) for each in sorted(both, key=lambda each: each.pid)]

    def _ended(self, leftover: Leftover, *, mend: bool) -> Finding:
        what = f"Process {leftover.pid} ({leftover.program}) of session {leftover.room} outlived its service."
        if mend:
            self._leftovers.end(leftover)
        return _finding(what, mend)

    async def _room(self) -> Findings:
        if wrong := await asyncio.to_thread(_cannot_write, self._workspace):
            remedy = "Let the service's user write WORKSPACE_DIR, or free some space."
            return (Finding(what=wrong, mended=False, remedy=remedy),)
        shortage = await self._disk.shortage()
        return (Finding(what=shortage, mended=False, remedy="Free some space."),) if shortage else ()

    async def _workers(self, *, mend: bool) -> Findings:
        gone = [(worker, ago_s) for worker, ago_s in await self._store.workers() if ago_s > ALIVE_S]
        for worker, _ in gone if mend else ():
            await self._store.leave(worker.id)
        said = (f"Worker {each.id} on {each.host} was last seen {ago_s:.0f} s ago." for each, ago_s in gone)
        return [_finding(what, mend) for what in said]

    async def _runs(self, *, mend: bool) -> Findings:
        if mend:
            runs, works = await reconcile(store=self._store, engine=self._engine)
        else:
            runs, works = await left_over(store=self._store, engine=self._engine)
        return [
            *(_finding(f"Run {run} looked as if it was worked on, and no worker had it.", mend) for run in runs),
            *(_finding(f"Work {work} was queued, and no run waited for it.", mend) for work in works),
        ]

    async def _repository(self, github: GitHub, *, mend: bool, clear: bool) -> Findings:
        found = await github.examine(mend=mend, clear=clear)
        forgotten = [each for each in await github.worktrees() if not await self._knows(each.branch)]
        removed = [await self._forgotten(github, each, mend=mend and clear) for each in forgotten]
        remains = [_remains(each) for each in await github.saved() if not await self._knows(each.branch)]
        return [*found, *removed, *remains]

    async def _forgotten(self, github: GitHub, workspace: Workspace, *, mend: bool) -> Finding:
        what = f"{workspace.directory} is a worktree of {workspace.branch}, of which the database knows nothing."
        place = await github.remove(workspace) if mend else None
        return _finding(f"{what} What it held is in {place}." if place else what, mend)

    async def _sessions(self, *, mend: bool) -> Findings:
        strays = await stray_sessions(store=self._store, claude_code=self._claude_code, leftovers=self._leftovers)
        for session_id in strays if mend else ():
            await self._claude_code.forget(session_id)
        return [_finding(f"Session {each} is no conversation's any more.", mend) for each in strays]

    def _skipped(self, *, beside: bool) -> str | None:
        if not self._leftovers.can_look:
            return "Processes and sessions were not looked at: this system does not tell whose processes are."
        if beside:
            return "Sessions were not looked at: a service is at work here, which may have just begun one."
        return None

    async def _knows(self, branch: str) -> bool:
        key = key_of_branch(branch)
        try:
            return key is not None and await self._store.ticket(key) is not None
        except NotFound:
            return False

    async def _alone(self, what: str, part: Awaitable[Findings]) -> Findings:
        try:
            return await part
        except (AutoCodeError, OSError) as error:
            wrong = f"{what[0].upper()}{what[1:]} cannot be looked at: {error}"
            return (Finding(what=wrong, mended=False, remedy="Mend that, then look again."),)


def tell(examination: Examination) -> None:
    """Write the findings to the log, a line each."""
    for finding in examination.findings:
        if finding.mended:
            _log.warning("mended", what=finding.what)
        else:
            _log.error("needs a person", what=finding.what, remedy=finding.remedy)


def _finding(what: str, mended: bool) -> Finding:
    return Finding(what=what, mended=mended, remedy="" if mended else _MEND)


def _remains(saved: Saved) -> Finding:
    what = f"{saved.place} holds work of {saved.branch} ({saved.what}), of which the database knows nothing."
    return Finding(what=what, mended=False, remedy="Look at it, and delete the directory when nobody wants it.")


def _cannot_write(directory: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"x" * 4096)
    except OSError as error:
        return f"{directory} cannot be written: {error.strerror}."
    return ""
