"""What the service remembers of a worktree: on disk, where no agent looks, so that another process can go on."""

import shutil
from pathlib import Path
from urllib.parse import quote, unquote
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.results import Workspace
from app.services.github.git import Desk, write_whole

_LONGEST_TRAIL = 20


class Mark(BaseModel):
    """Which checkpoint: the `count`th of a `line`, which are those that one machine made one after the other."""

    model_config = ConfigDict(frozen=True)

    line: str = Field(default_factory=lambda: str(uuid4()))
    count: int = 0

    def covers(self, other: "Mark") -> bool:
        """It is the other one, or a later one of the same line."""
        return self.line == other.line and self.count >= other.count


class Memory(BaseModel):
    """What outlives a worktree.

    `head` is the commit of the branch up to which what people pushed is known; `base` is the one that the pull request
    was last given. `mark` is of the last checkpoint made here; `trail` has the last of each line before it, as one
    machine took over from another.
    """

    model_config = ConfigDict(frozen=True)

    head: str | None = None
    base: str | None = None
    mark: Mark = Field(default_factory=Mark)
    trail: tuple[Mark, ...] = ()

    def knows(self, mark: Mark) -> bool:
        """All that the checkpoint holds came about before."""
        return any(known.covers(mark) for known in (self.mark, *self.trail))

    def followed(self) -> "Memory":
        """The memory after one more checkpoint."""
        return self.model_copy(update={"mark": Mark(line=self.mark.line, count=self.mark.count + 1)})

    def taken_over(self) -> "Memory":
        """The memory of whoever goes on from here on another machine."""
        return self.model_copy(update={"mark": Mark(), "trail": (*self.trail, self.mark)[-_LONGEST_TRAIL:]})


class State(BaseModel):
    """A worktree at a checkpoint: its files are those of `commit`, and its branch in the clone is at `tip`.

    `gone`: it was removed. The `mark` of the memory is that of the checkpoint itself.
    """

    model_config = ConfigDict(frozen=True)

    memory: Memory
    workspace: Workspace
    tip: str
    commit: str
    tree: str
    gone: bool = False

    def same_as(self, other: "State | None") -> bool:
        """Nothing has changed between the two checkpoints."""
        return (
            other is not None
            and self == other.model_copy(update={"memory": self.memory})
            and ((self.memory.head, self.memory.base) == (other.memory.head, other.memory.base))
        )


class Record(BaseModel):
    """A worktree: its workspace, git's administrative directory for it, and the tree still to be checked out.

    `checkpoint` is the last that was made here, or that the files were last brought to.
    """

    model_config = ConfigDict(frozen=True)

    workspace: Workspace
    admin: Path
    pending: str | None = None
    checkpoint: State | None = None

    def with_workspace(self, **changes: object) -> "Record":
        """The record with some facts of its workspace changed."""
        return self.model_copy(update={"workspace": self.workspace.model_copy(update=changes)})


class Records:
    """For each branch a lock, a memory, and a directory with its record and its private index."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def branches(self) -> tuple[str, ...]:
        """The branches that have a record, in no order."""
        return tuple(unquote(path.parent.name) for path in self._directory.glob("*/record.json"))

    def lock_path(self, branch: str) -> Path:
        """The file whose lock is held while the branch's worktree is used."""
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._beside(branch, ".lock")

    def desk(self, branch: str, directory: Path) -> Desk:
        """The worktree and its private index."""
        home = self._home(branch)
        home.mkdir(parents=True, exist_ok=True)
        return Desk(directory, home / "index")

    def load(self, branch: str) -> Record | None:
        """The record of a branch; None when there is none, or none that can be read."""
        try:
            return Record.model_validate_json((self._home(branch) / "record.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, record: Record) -> None:
        """Keep a record, whole or not at all."""
        path = self._home(record.workspace.branch) / "record.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, record.model_dump_json())

    def memory(self, branch: str) -> Memory:
        """What is remembered of a branch; empty when there is nothing, or nothing that can be read."""
        try:
            return Memory.model_validate_json(self._beside(branch, ".json").read_bytes())
        except (OSError, ValidationError):
            return Memory()

    def remember(self, branch: str, memory: Memory) -> None:
        """Keep a memory, whole or not at all."""
        write_whole(self._beside(branch, ".json"), memory.model_dump_json())

    def forget(self, branch: str) -> None:
        """Drop the record and the index of a branch. Its memory stays."""
        shutil.rmtree(self._home(branch), ignore_errors=True)

    def _home(self, branch: str) -> Path:
        return self._directory / quote(branch, safe="")

    def _beside(self, branch: str, suffix: str) -> Path:
        return self._directory / f"{quote(branch, safe='')}{suffix}"
