"""Shortening what programs print to what a reader needs. It rewords nothing, and says what it left out."""

import re
from collections.abc import Iterator
from itertools import groupby

SHORTEST_LIMIT = 400
_LONGEST_LINE = 2_000
_ROOM_FOR_NOTE = 40
_FEWEST_REPEATS = 3

# Colours and cursor moves (CSI), titles and links (OSC and its kin, ended by BEL or ST), two-character sequences.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]P^_X])[^\x07\x1b\n]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)


def excerpt(text: str, limit_chars: int = 12_000) -> str:
    """The text without terminal control, at most `limit_chars` characters of it (`SHORTEST_LIMIT` or more).

    The first third and the last two thirds are kept, cut between lines: a compiler says the cause first, a test
    runner sums up last. A line repeated three times or more is shown once and counted; a progress bar is shown as
    it ended.
    """
    lines = list(_folded(_plain(text)))
    head_room = (limit_chars - 2 * _ROOM_FOR_NOTE) // 3
    longest = min(_LONGEST_LINE, head_room - 1)
    lines = [_cut(line, longest) for line in lines]
    if sum(map(len, lines)) + len(lines) - 1 <= limit_chars:
        return "\n".join(lines)
    head = _fitting(lines, head_room)
    tail = _fitting(lines[::-1], limit_chars - head_room - _ROOM_FOR_NOTE)
    left_out = len(lines) - head - tail
    return "\n".join([*lines[:head], f"… {left_out:,} lines left out …", *lines[len(lines) - tail :]])


def _plain(text: str) -> list[str]:
    """Lines as a terminal would show them in the end, outer blank lines left out."""
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    lines = [_printable(line.rstrip("\r").rpartition("\r")[2]).rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n").split("\n")


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else " " if c.isspace() else "" for c in line)


def _folded(lines: list[str]) -> Iterator[str]:
    for line, group in groupby(lines):
        count = len(list(group))
        if not line:
            yield line
        elif count < _FEWEST_REPEATS:
            yield from [line] * count
        else:
            yield from (line, f"… {count:,} times")


def _cut(line: str, longest: int) -> str:
    if len(line) <= longest:
        return line
    kept = longest - _ROOM_FOR_NOTE
    left_out = len(line) - kept
    return f"{line[: kept // 2]}… {left_out:,} characters left out …{line[len(line) - (kept - kept // 2) :]}"


def _fitting(lines: list[str], room: int) -> int:
    """How many lines from the start fit into `room` characters, line ends counted."""
    for count, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return count
    return len(lines)
