"""Saved work put back: a worktree as it would be without it, and the work on top."""

from app.errors import NotFound
from app.results import Checkpoint, Saved
from app.services.github.bundles import header_of, take_in
from app.services.github.checkpoints import Checkpoints
from app.services.github.origin import Heads, Origin
from app.services.github.records import Record
from app.services.github.saving import bundle_of
from app.services.github.workshop import Workshop


class Comeback:
    """Puts back what `Saving` kept. Callers hold the branch."""

    def __init__(self, workshop: Workshop, origin: Origin) -> None:
        self._workshop = workshop
        self._origin = origin

    async def restored(
        self, branch: str, base: str, heads: Heads, *, name: str | None = None, instead_of: Checkpoint | None = None
    ) -> Record:
        """A worktree with the saved work, checked out. Raises NotFound."""
        workshop = self._workshop
        commit = await self._taken_in(await self._chosen(branch, name))
        (ours,) = await workshop.content.tree_of(commit)
        await self._kept_aside(branch, ours)
        record = await workshop.set_up(branch, base, heads)
        start = record.workspace.parent
        merged, conflicts = await workshop.content.merged(
            parent=await self._fork_point(commit, start), ours=ours, theirs=start
        )
        async with workshop.clone_lock.held():
            await workshop.git.clone("update-ref", f"refs/heads/{branch}", start)
        record = record.model_copy(update={"pending": merged}).with_workspace(conflicts=conflicts)
        workshop.records.save(record)
        if instead_of:
            Checkpoints(workshop, self._origin).follow(instead_of)
        await workshop.settle(record)
        return record

    async def _chosen(self, branch: str, name: str | None) -> Saved:
        found = [each for each in await self._workshop.saving.all() if each.branch == branch]
        for each in found:
            if name in {None, each.name}:
                return each
        there = f" There is: {', '.join(each.name for each in found)}." if found else ""
        what = f"work of {branch} called {name}" if name else f"work of {branch}"
        raise NotFound(f"No {what} is saved in {self._workshop.places.saved}.{there}")

    async def _taken_in(self, saved: Saved) -> str:
        bundle = bundle_of(saved)
        header = header_of(bundle)
        async with self._workshop.clone_lock.held():
            for commit in await self._origin.lacks(*(header.needs if header else ())):
                await self._origin.bring(commit)
        return (await take_in(self._workshop.git, bundle)).commit

    async def _kept_aside(self, branch: str, ours: str) -> None:
        """Save what the worktree holds, unless it is what comes."""
        workshop = self._workshop
        if (known := workshop.usable(branch)) is None:
            return
        workspace = (await workshop.found(known)).workspace
        tree, tip = await workshop.snapshot(workspace), await workshop.worktrees.tip(branch)
        if tree != ours:
            await workshop.saving.save(branch, tip=tip, tree=tree, parent=workspace.parent)

    async def _fork_point(self, commit: str, start: str) -> str:
        """What the saved work grew from, as far as it is in what it is brought onto."""
        done = await self._workshop.git.private("merge-base", commit, start, check=False)
        return done.text.strip() or start
