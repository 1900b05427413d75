"""Unified patches of git, read.

What they look like is in `diff_tables`. Both are pure and take their time: a server calls them in a thread.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_HEADER = re.compile(r"diff --git (.+)")
_HEADER_LINES = 2  # "---" and "+++", which difflib writes once
_QUOTED = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}

_LOCKS = (
    "Cargo.lock", "Gemfile.lock", "Pipfile.lock", "bun.lock", "composer.lock", "flake.lock", "go.sum", "mix.lock",
    "npm-shrinkwrap.json", "package-lock.json", "pnpm-lock.yaml", "poetry.lock", "pubspec.lock", "requirements.lock",
    "uv.lock", "yarn.lock",
)  # fmt: skip
_GENERATED = re.compile(
    r"(^|/)(dist|build|vendor|node_modules|__snapshots__)/|\.(min\.js|min\.css|map|snap|pb\.go)$|_pb2\.py$"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk: kind is ` `, `+` or `-`. Numbers count from 1; None on the side where it is not."""

    kind: str
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that belong together, from line `new` of the file; `title` is what git found above, often a function."""

    title: str
    new: int
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What a patch does to a file. `status` is modified, added, deleted, renamed, copied or mode."""

    path: str
    old_path: str
    status: str = "modified"
    binary: bool = False
    hunks: tuple[Hunk, ...] = ()

    @property
    def added(self) -> int:
        """Lines that are there afterwards only."""
        return self._count("+")

    @property
    def removed(self) -> int:
        """Lines that were there before only."""
        return self._count("-")

    @property
    def lines(self) -> int:
        """Lines that a reader would see."""
        return sum(len(hunk.lines) for hunk in self.hunks)

    def _count(self, kind: str) -> int:
        return sum(line.kind == kind for hunk in self.hunks for line in hunk.lines)


@lru_cache(maxsize=64)
def parse(patch: str) -> tuple[FileDiff, ...]:
    """The files of a patch of `git diff`, in its order. What is not understood is left out."""
    return tuple(_files(patch))


def edit(path: str, before: str, after: str) -> FileDiff:
    """The change between two texts of which nobody knows where in the file they stand: without line numbers."""
    hunks: list[list[Line]] = []
    for number, raw in enumerate(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")):
        if number < _HEADER_LINES:
            continue
        if raw.startswith("@@"):
            hunks.append([])
        else:
            hunks[-1].append(Line(raw[0], raw[1:]))
    known = tuple(Hunk(title="", new=0, lines=tuple(lines)) for lines in hunks)
    return FileDiff(path=path, old_path=path, status="modified" if before else "added", hunks=known)


def is_dull(path: str) -> bool:
    """Whether a file is made by machines, so that few want to read what changed in it."""
    return path.rpartition("/")[2] in _LOCKS or _GENERATED.search(path) is not None


@dataclass
class _File:
    path: str
    old_path: str
    status: str = "modified"
    binary: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    def done(self) -> FileDiff:
        return FileDiff(self.path, self.old_path, self.status, self.binary, tuple(self.hunks))


def _files(patch: str) -> Iterator[FileDiff]:
    file: _File | None = None
    lines = patch.split("\n")
    at = 0
    while at < len(lines):
        raw = lines[at]
        at += 1
        if header := _HEADER.fullmatch(raw):
            if file is not None:
                yield file.done()
            old, new = _names(header[1])
            file = _File(new, old)
        elif file is None:
            continue
        elif hunk := _HUNK.fullmatch(raw):
            found = list(_hunk_lines(hunk, lines, at))
            file.hunks.append(Hunk(title=hunk[5], new=int(hunk[3]), lines=tuple(line for line in found if line)))
            at += len(found)
        else:
            _tell(file, raw)
    if file is not None:
        yield file.done()


def _hunk_lines(header: re.Match[str], lines: list[str], start: int) -> Iterator[Line | None]:
    """Lines as the hunk's header counts them, because a removed one may look like a header; None for a remark."""
    old, new = int(header[1]), int(header[3])
    old_end, new_end = old + int(header[2] or 1), new + int(header[4] or 1)
    for raw in lines[start:]:
        kind, text = raw[:1] or " ", raw[1:]
        if kind not in " +-\\" or (old >= old_end and new >= new_end and kind != "\\"):
            return
        if kind == "\\":  # "No newline at end of file"
            yield None
            continue
        yield Line(kind, text, old if kind != "+" else None, new if kind != "-" else None)
        old += kind != "+"
        new += kind != "-"


_TOLD = {
    "new file mode": "added",
    "deleted file mode": "deleted",
    "rename from": "renamed",
    "copy from": "copied",
    "old mode": "mode",
}


def _tell(file: _File, raw: str) -> None:
    """Take in a line of a file's header."""
    for words, status in _TOLD.items():
        if raw.startswith(words):
            file.status = status
    if raw.startswith(("Binary files ", "GIT binary patch")):
        file.binary = True
    elif raw.startswith(("rename from ", "copy from ")):
        file.old_path = _unquoted(raw.split(" from ", 1)[1])
    elif raw.startswith(("rename to ", "copy to ")):
        file.path = _unquoted(raw.split(" to ", 1)[1])
    elif raw.startswith("--- ") and not raw.endswith("/dev/null"):
        file.old_path = _unquoted(raw[4:]).removeprefix("a/")
    elif raw.startswith("+++ ") and not raw.endswith("/dev/null"):
        file.path = _unquoted(raw[4:]).removeprefix("b/")


def _names(rest: str) -> tuple[str, str]:
    """Both names of a header; they are the same unless the file is renamed, and then said again below."""
    if rest.startswith('"'):
        end = re.match(r'"(?:[^"\\]|\\.)*"', rest)
        old = end[0] if end else rest
        new = rest[len(old) + 1 :] or old
    else:
        middle = rest.find(' "b/')
        cut = middle if middle >= 0 else len(rest) // 2
        old, new = rest[:cut], rest[cut + 1 :]
    return _unquoted(old).removeprefix("a/"), _unquoted(new).removeprefix("b/")


def _unquoted(name: str) -> str:
    """A name as it is: git quotes those with special characters as C does, and ends those with blanks by a tab."""
    name = name.removesuffix("\t")
    quoted = re.fullmatch(r'"(.*)"', name)
    return _QUOTED.sub(_character, quoted[1].encode()).decode(errors="replace") if quoted else name


def _character(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes([int(code, 8) & 0xFF]) if code.isdigit() else _ESCAPES.get(code, code)
