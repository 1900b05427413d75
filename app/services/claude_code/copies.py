"""What the CLI keeps of a session, as entries: read from its files as they grow, and made into files again.

A session has parts: "" is its own transcript, `subagents/…` are those of its sub-agents, `plans/…` and `tasks/…` small
files, of which the last entry is the newest text. Commands of the session can write where the CLI keeps them, so no
link is followed, and names and sizes are held to what the CLI makes.
"""

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from app.trees import remove_tree

Entry = Mapping[str, Any]
Parts = Mapping[str, Sequence[Entry]]

_MOST_BYTES = 256 << 20
"""Of one transcript, so that what a command writes there does not fill the service's memory."""
_MOST_BYTES_ASIDE = 1 << 20
_MOST_FILES = 1000
_DEEPEST = 6

_PLACES = ("plans", "tasks", "projects")
"""Of the configuration directory. The last one says that a session is there."""
_PROJECT = "travelled"
"""The CLI finds a session under any project's name, and goes on with it there."""
_NAME = r"\w[\w.-]{0,120}"
_SUB_AGENT = re.compile(rf"subagents(/{_NAME}){{1,3}}")
_ASIDE = re.compile(rf"plans/{_NAME}\.md|tasks/{_NAME}\.json")
_REQUESTS = frozenset({"api-request", "api-request-blob", "api-request-shape"})
"""What was sent to the model, once more: most of the file, and nothing that a session is resumed from."""


class Copies:
    """Reads what the files of one session hold that was not read yet. Not to be used by two at once."""

    def __init__(self, *, config_directory: Path, session_id: str) -> None:
        self._config = config_directory
        self._id = session_id
        self._read: dict[str, int] = {}
        """Bytes read of each transcript, by its path."""
        self._texts: dict[str, str] = {}

    def own(self) -> list[Entry]:
        """All entries of the session itself, the last line's too where that is whole but for its end."""
        files = (file for _, part, file in self._files("projects") if not part)
        return [entry for file in files for entry in _entries(file.read(_MOST_BYTES))]

    def news(self) -> dict[str, list[Entry]]:
        """The entries that were added since the last call, by part. A line that has not ended yet is left."""
        found: dict[str, list[Entry]] = {}
        for name, part, file in self._files(*_PLACES):
            entries = self._changed(part, file) if _ASIDE.fullmatch(part) else self._added(name, file)
            found.setdefault(part, []).extend(entries)
        return {part: entries for part, entries in found.items() if entries}

    def replace(self, parts: Parts) -> None:
        """Make the files hold exactly these entries. The session has no process here."""
        made = self._config.parent / "arriving"
        remove_tree(made)
        for part, entries in parts.items():
            if (place := self._place_of(part)) is None or not entries:
                continue
            file = made / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_text(entries[-1]) if _ASIDE.fullmatch(part) else "".join(map(_line, entries)))
        self._config.mkdir(parents=True, exist_ok=True)
        for each in _PLACES:
            remove_tree(self._config / each)
            if (made / each).exists():
                (made / each).rename(self._config / each)
        remove_tree(made)
        self._read.clear()
        self.news()

    def _added(self, name: str, file: BinaryIO) -> list[Entry]:
        begin = self._read.get(name, 0)
        file.seek(begin)
        lines, end, _ = file.read(max(0, _MOST_BYTES - begin)).rpartition(b"\n")
        self._read[name] = begin + len(lines) + len(end)
        return _entries(lines)

    def _changed(self, part: str, file: BinaryIO) -> list[Entry]:
        text = file.read(_MOST_BYTES_ASIDE).decode(errors="replace")
        if self._texts.get(part) == text:
            return []
        self._texts[part] = text
        return [{"type": "file", "text": text}]

    def _files(self, *places: str) -> Iterator[tuple[str, str, BinaryIO]]:
        """The regular files there that are parts of the session, open: path, part, file."""
        left = _MOST_FILES
        for place in places:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for directory, below, names, at in os.fwalk(self._config / place, follow_symlinks=False):
                    inside = Path(directory).relative_to(self._config)
                    if len(inside.parts) >= _DEEPEST:
                        below.clear()
                    for path in (inside / name for name in sorted(names)):
                        if left and (part := self._part_of(path)) is not None and (file := _opened(path.name, at)):
                            left -= 1
                            with file:
                                yield str(path), part, file

    def _part_of(self, path: Path) -> str | None:
        """Which part of the session a file of the configuration directory is; None when it is none."""
        match path.parts:
            case ("projects", _, name) if name == f"{self._id}.jsonl":
                return ""
            case ("projects", _, self._id, *rest) if path.suffix == ".jsonl":
                part = "/".join(rest).removesuffix(".jsonl")
                return part if _SUB_AGENT.fullmatch(part) else None
            case ("plans", name) | ("tasks", self._id, name):
                part = f"{path.parts[0]}/{name}"
                return part if _ASIDE.fullmatch(part) else None
        return None

    def _place_of(self, part: str) -> Path | None:
        """The other way round."""
        project = Path("projects", _PROJECT)
        if not part:
            return project / f"{self._id}.jsonl"
        if _SUB_AGENT.fullmatch(part):
            return project / self._id / f"{part}.jsonl"
        if not _ASIDE.fullmatch(part):
            return None
        place, name = part.split("/")
        return Path(place, name) if place == "plans" else Path(place, self._id, name)


def missing_in(archived: Parts, local: Parts) -> dict[str, list[Entry]]:
    """What the archive does not hold of the local entries."""
    found = {part: _missing(archived.get(part, ()), entries) for part, entries in local.items()}
    return {part: entries for part, entries in found.items() if entries}


def is_behind(local: Parts, archived: Parts) -> bool:
    """Whether the session went on elsewhere: the newest entry that the archive knows by an id is not here."""
    newest = next((known for entry in reversed(archived.get("", ())) if (known := _id_of(entry))), None)
    return newest is not None and newest not in map(_id_of, local.get("", ()))


def _missing(archived: Sequence[Entry], local: Sequence[Entry]) -> list[Entry]:
    if list(local) == list(archived[-len(local) :]):
        return []
    known = set(map(_id_of, archived)) - {None}
    last = max((i for i, entry in enumerate(local) if _id_of(entry) in known), default=-1)
    # What has no id and stands before the last known one was archived with it.
    behind = [_id_of(entry) is not None or i > last for i, entry in enumerate(local)]
    return [entry for entry, is_new in zip(local, behind, strict=True) if is_new and _id_of(entry) not in known]


def _id_of(entry: Entry) -> str | None:
    found = entry.get("uuid")
    return found if isinstance(found, str) else None


def _opened(name: str, at: int) -> BinaryIO | None:
    """A regular file; None of a link, a pipe or a device, or what is not there any more."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return None


def _entries(lines: bytes) -> list[Entry]:
    return [entry for line in lines.split(b"\n") if (entry := _entry(line)) is not None]


def _entry(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None  # the last line of a process that was killed, or what a command of the session wrote
    return entry if isinstance(entry, dict) and entry.get("type") not in _REQUESTS else None


def _line(entry: Entry) -> str:
    return f"{json.dumps(entry, separators=(',', ':'))}\n"


def _text(entry: Entry) -> str:
    return str(entry.get("text", ""))
