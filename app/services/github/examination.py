"""What killed processes left of worktrees, found while nobody else uses them, and mended."""

import time
from collections.abc import Iterator
from pathlib import Path

from app.results import Finding, Workspace
from app.services.github.repository import locks_in
from app.services.github.workshop import Workshop
from app.trees import remove_tree

_LOCKS = ("index.lock", "HEAD.lock", "locked")


class Examination:
    """Looks at one repository's places. What is younger than `age_s` seconds may be somebody's at work."""

    def __init__(self, workshop: Workshop, *, age_s: float) -> None:
        self._workshop = workshop
        self._age_s = age_s

    async def findings(self, *, mend: bool, clear: bool) -> tuple[Finding, ...]:
        """See GitHub."""
        async with self._workshop.clone_lock.held():
            found = [*self._locks(mend=mend), *self._vanished(mend=mend), *self._leftovers(mend=mend)]
        for workspace in await self._workshop.all():
            async with self._workshop.alone(workspace.branch):
                if what := self._fault(workspace):
                    mends = mend and (clear or self._workshop.records.load(workspace.branch) is not None)
                    if mends:
                        await self._put_right(workspace)
                    found.append(_finding(what, mended=mends))
        return tuple(found)

    def _locks(self, *, mend: bool) -> Iterator[Finding]:
        workshop = self._workshop
        admins = [entry.admin for entry in workshop.worktrees.ours()]
        own = [admin / name for admin in admins for name in _LOCKS]
        clone = locks_in(workshop.git.clone_dir) if workshop.owns_clone else []
        for lock in (*clone, *locks_in(workshop.git.private_dir), *own):
            if self._is_old(lock):
                if mend:
                    lock.unlink(missing_ok=True)
                yield _finding(f"{lock} is a lock of git that nobody holds any more", mended=mend)

    def _vanished(self, *, mend: bool) -> Iterator[Finding]:
        known = self._workshop.records.branches()
        for entry in self._workshop.worktrees.vanished():
            if entry.branch in known:
                continue  # told of by its record
            if mend:
                remove_tree(entry.admin)
            yield _finding(f"git still lists a worktree that is gone, at {entry.admin}", mended=mend)

    def _leftovers(self, *, mend: bool) -> Iterator[Finding]:
        for leftover in self._workshop.places.leftovers():
            if self._is_old(leftover):
                if mend:
                    remove_tree(leftover)
                yield _finding(f"{leftover} was being removed or made when its process ended", mended=mend)

    def _fault(self, workspace: Workspace) -> str:
        record = self._workshop.records.load(workspace.branch)
        directory = workspace.directory
        if record is None:
            return (
                f"The worktree {directory} belongs to nothing that is known of {workspace.branch}"
                if directory.exists()
                else ""
            )
        if not directory.is_dir():
            return f"The worktree {directory} is gone, but {workspace.branch} is still known"
        return f"The worktree {directory} was not checked out to its end" if record.pending else ""

    async def _put_right(self, workspace: Workspace) -> None:
        record = self._workshop.usable(workspace.branch)
        if record is not None:
            await self._workshop.found(record)
        else:
            await self._workshop.tear_down(workspace)

    def _is_old(self, path: Path) -> bool:
        try:
            return time.time() - path.lstat().st_ctime >= self._age_s
        except OSError:
            return False


def _finding(what: str, *, mended: bool) -> Finding:
    return Finding(what=f"{what}.", mended=mended)
