"""What a machine has on its disks in the mock: worktrees, what is remembered of them, and work that was saved."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from app.errors import NotFound
from app.models import Model
from app.results import Checkpoint, Saved, Workspace
from app.services.github.mock_files import Files, files_in, patch_of, write_files
from app.services.github.records import Memory, State

FilesOf = Callable[[str], Files]
"""Gives the files of a commit."""


class Work(Model):
    """Files that were saved, and the commit that they grew from."""

    branch: str
    parent: str
    files: Mapping[str, str]
    at: datetime


class MockMachine:
    """The places of one repository under `root`. Directories outlive it, all else is in memory."""

    def __init__(self, root: Path, repository: str) -> None:
        self._root = root
        self._repository = repository
        self.workspaces: dict[str, Workspace] = {}
        self.tips: dict[str, str] = {}
        """The last commit of each branch that was made here, or came with a checkpoint."""
        self._memories: dict[str, Memory] = {}
        self._checkpoints: dict[str, State] = {}
        self._names: Counter[str] = Counter()

    def directory(self, branch: str) -> Path:
        """Where the branch's worktree is."""
        return self._root / "worktrees" / branch

    def usable(self, branch: str) -> Workspace | None:
        """The workspace of a worktree that is here."""
        return self.workspaces.get(branch) if self.directory(branch).is_dir() else None

    def memory(self, branch: str) -> Memory:
        """What is remembered of a branch."""
        return self._memories.setdefault(branch, Memory())

    def remember(self, branch: str, **changes: Any) -> None:
        """Change what is remembered of a branch."""
        self._memories[branch] = self.memory(branch).model_copy(update=changes)

    def checkpoint(self, workspace: Workspace, files_of: FilesOf) -> Checkpoint:
        """See GitHub."""
        branch, known = workspace.branch, self.usable(workspace.branch)
        files = files_in(known.directory) if known else {}
        state, last = self._state(known or workspace, files, gone=known is None), self._checkpoints.get(branch)
        if last and state.same_as(last):
            state = last
        else:
            self._memories[branch] = self.memory(branch).followed()
            state = state.model_copy(update={"memory": self._memories[branch]})
        if known:
            self._checkpoints[branch] = state
            self.workspaces[branch] = known.model_copy(update={"restored": False})
        mark, is_new = state.memory.mark, known and files != files_of(known.parent)
        return Checkpoint(
            id=str(uuid5(UUID(mark.line), str(mark.count))),
            repository=self._repository,
            state=state.model_dump(mode="json"),
            bundle=json.dumps(files).encode() if is_new else None,
        )

    def arrive(self, workspace: Workspace, saved: Checkpoint | None, files_of: FilesOf) -> Workspace:
        """See GitHub."""
        branch = workspace.branch
        state = State.model_validate(saved.state) if saved else None
        is_known = state is None or self.memory(branch).knows(state.memory.mark)
        if state and saved and state.gone and not (is_known and self.usable(branch)):
            self.catch_up(branch, saved, files_of)
        elif not is_known or not self.usable(branch):
            files = (
                _files(saved) if saved and saved.bundle else files_of((state.workspace if state else workspace).parent)
            )
            self._put_back(state or self._state(workspace, files), files, files_of, is_kept=state is not None)
        known = self.usable(branch)
        here = {"directory": self.directory(branch), "restored": known is not None and known.restored}
        return workspace.model_copy(update=here)

    def catch_up(self, branch: str, saved: Checkpoint, files_of: FilesOf) -> None:
        """Have the work of earlier runs that a checkpoint has and this machine has not."""
        state = State.model_validate(saved.state)
        if self.memory(branch).knows(state.memory.mark) and (self.usable(branch) or saved.bundle is None):
            return
        if saved.bundle is not None:
            self._put_back(state, _files(saved), files_of)
            return
        self.keep_aside(branch, files_of, followed_by=state)
        self._drop(branch)
        self._memories[branch] = state.memory.taken_over()

    def follow(self, saved: Checkpoint) -> None:
        """What is here now is to replace the checkpoint."""
        state = State.model_validate(saved.state)
        self._memories[state.workspace.branch] = state.memory.taken_over()

    def remove(self, workspace: Workspace, files_of: FilesOf) -> Path | None:
        """Remove a worktree; where its work was saved, if it had any."""
        place = self.keep_aside(workspace.branch, files_of)
        self._drop(workspace.branch)
        return place

    def keep_aside(
        self, branch: str, files_of: FilesOf, *, unless: Files | None = None, followed_by: State | None = None
    ) -> Path | None:
        """Save what a worktree holds beyond the forge, unless it is known elsewhere."""
        known, last = self.usable(branch), self._checkpoints.get(branch)
        if known is None or (files := files_in(known.directory)) in (files_of(known.parent), unless):
            return None
        if followed_by and last and followed_by.memory.knows(last.memory.mark) and last.tree == _tree(files):
            return None
        self._names[branch] += 1
        place = self._root / "saved" / f"{branch.replace('/', '-')}-{self._names[branch]}"
        place.mkdir(parents=True)
        old = files_of(known.parent)
        patches = (patch_of(name, old.get(name), files.get(name)) for name in sorted({*old, *files}))
        (place / "work.patch").write_text("".join(patches))
        work = Work(branch=branch, parent=known.parent, files=files, at=datetime.now(UTC))
        (place / "work.json").write_text(work.model_dump_json())
        return place

    def saved(self) -> tuple[Saved, ...]:
        """What was saved, the newest first."""
        found = [(place, _work(place)) for place in (self._root / "saved").glob("*")]
        listed = (
            Saved(
                name=place.name,
                repository=self._repository,
                branch=work.branch,
                at=work.at,
                size=(place / "work.patch").stat().st_size,
                what=f"{(place / 'work.patch').read_text().count('diff --git')} files",
                place=place,
            )
            for place, work in found
        )
        return tuple(sorted(listed, key=lambda each: each.at, reverse=True))

    def work(self, branch: str, name: str | None) -> Work:
        """What was saved of a branch: the newest, or that of the name. Raises NotFound."""
        for each in self.saved():
            if each.branch == branch and name in {None, each.name}:
                return _work(each.place)
        raise NotFound(f"No work of {branch} is saved in {self._root / 'saved'}.")

    def _put_back(self, state: State, files: Files, files_of: FilesOf, *, is_kept: bool = True) -> None:
        branch = state.workspace.branch
        self.keep_aside(branch, files_of, unless=files, followed_by=state)
        directory = self.directory(branch)
        directory.mkdir(parents=True, exist_ok=True)
        write_files(directory, files, instead_of=files_in(directory))
        here = {"directory": directory, "restored": True}
        self.workspaces[branch] = state.workspace.model_copy(update=here)
        if is_kept:
            self._checkpoints[branch], self._memories[branch] = state, state.memory.taken_over()
            self.tips[branch] = state.tip

    def _drop(self, branch: str) -> None:
        self.workspaces.pop(branch, None)
        self._checkpoints.pop(branch, None)
        shutil.rmtree(self.directory(branch), ignore_errors=True)

    def _state(self, workspace: Workspace, files: Files, *, gone: bool = False) -> State:
        of_no_machine = {"directory": Path(), "arrived": (), "restored": False}
        return State(
            memory=self.memory(workspace.branch),
            workspace=workspace.model_copy(update=of_no_machine),
            tip=self.tips.get(workspace.branch, workspace.parent),
            commit=workspace.parent,
            tree=_tree(files),
            gone=gone,
        )


def _tree(files: Files) -> str:
    return hashlib.sha1(json.dumps(files, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def _files(saved: Checkpoint) -> Files:
    files: dict[str, str] = json.loads(saved.bundle or b"{}")
    return files


def _work(place: Path) -> Work:
    return Work.model_validate_json((place / "work.json").read_bytes())
