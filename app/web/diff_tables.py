"""A file's diff as a table that browsers find in, select, copy and read aloud: coloured, changed words marked."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise, zip_longest

from markupsafe import Markup, escape

from app.web.diffs import FileDiff, Hunk, Line
from app.web.highlighting import Span, lines_of_file, span
from app.web.plain import plain

MOST_LINES = 3_000
"""A file with more lines than this is only drawn when somebody asks for it."""

_COLOURED_LINES = 800
_COLOURED_BYTES = 64_000
"""Above either a file goes uncoloured: pygments takes 0.6 s for a thousand long lines."""

_LONGEST_LINE = 2_000
_LONGEST_PAIR = 400
_MOST_PAIRS = 20
_ALIKE = 0.5
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MARKS = {"+": "ins", "-": "del"}
_ROWS = {"+": "add", "-": "del", " ": ""}
_SAID = {"+": '<span class="vh">added </span>', "-": '<span class="vh">removed </span>', " ": ""}

Ranges = tuple[tuple[int, int], ...]


@lru_cache(maxsize=128)
def unified(file: FileDiff) -> Markup:
    """One column, as `git diff` has it."""
    code = _Code(file)
    rows = (row for hunk in file.hunks for row in (_title(hunk, 3), *(_row(line, code) for line in hunk.lines)))
    return _table(file, rows, "diff")


@lru_cache(maxsize=128)
def split(file: FileDiff) -> Markup:
    """Before and after side by side."""
    code = _Code(file)
    rows = (
        row
        for hunk in file.hunks
        for row in (_title(hunk, 4), *(_pair(before, after, code) for before, after in _sides(hunk.lines)))
    )
    return _table(file, rows, "diff split", columns=_SPLIT_COLUMNS)


# A fixed layout takes widths from the first row, which is a hunk's title over all columns.
_SPLIT_COLUMNS = '<colgroup><col class="ln"><col><col class="ln"><col></colgroup>'


class _Code:
    """The lines of a file as HTML, by their identity in the diff."""

    def __init__(self, file: FileDiff) -> None:
        lines = [line for hunk in file.hunks for line in hunk.lines]
        size = sum(len(line.text) for line in lines)
        self._marks: dict[int, Ranges] = {}
        self._spans: dict[int, list[Span]] = {}
        for hunk in file.hunks:
            self._marks.update(_changed_words(hunk.lines))
        if file.added + file.removed <= _COLOURED_LINES and size <= _COLOURED_BYTES:
            self._colour(file.path, [line for line in lines if line.kind != "-"])
            self._colour(file.old_path, [line for line in lines if line.kind == "-"])

    def html(self, line: Line) -> str:
        spans = self._spans.get(id(line)) or [("", _shown(line))]
        return _painted(spans, self._marks.get(id(line), ()), _MARKS.get(line.kind, "")) or "\u200b"

    def _colour(self, path: str, lines: Sequence[Line]) -> None:
        # One side as a whole, because strings and comments go over several lines.
        coloured = lines_of_file(path, "\n".join(_shown(line) for line in lines))
        self._spans.update({id(line): spans for line, spans in zip(lines, coloured, strict=False)})


def _table(file: FileDiff, rows: Iterable[str], kind: str, *, columns: str = "") -> Markup:
    label = escape(plain(file.path))
    return Markup(  # noqa: S704 - every text in it was escaped
        f'<table class="{kind}" aria-label="Changes in {label}">{columns}<tbody>{"".join(rows)}</tbody></table>'
    )


def _title(hunk: Hunk, columns: int) -> str:
    where = f"line {hunk.new}" if hunk.new else "part of the file"
    said = f"{where} · {escape(plain(hunk.title))}" if hunk.title else where
    return f'<tr class="hunk"><td class="ln" aria-hidden="true">⋯</td><td colspan="{columns - 1}">{said}</td></tr>'


def _row(line: Line, code: _Code) -> str:
    return (
        f'<tr class="{_ROWS[line.kind]}">{_number(line.old)}{_number(line.new)}'
        f'<td class="code">{_SAID[line.kind]}{code.html(line)}</td></tr>'
    )


def _pair(before: Line | None, after: Line | None, code: _Code) -> str:
    left = _half(before, before.old if before else None, code)
    right = _half(after, after.new if after else None, code)
    return f"<tr>{left}{right}</tr>"


def _half(line: Line | None, number: int | None, code: _Code) -> str:
    if line is None:
        return '<td class="ln"></td><td class="code none"></td>'
    kind = _ROWS[line.kind]
    return f'<td class="ln {kind}">{number or ""}</td><td class="code {kind}">{_SAID[line.kind]}{code.html(line)}</td>'


def _number(number: int | None) -> str:
    return f'<td class="ln">{number or ""}</td>'


def _shown(line: Line) -> str:
    text = plain(line.text[:_LONGEST_LINE]).replace("\n", "")
    return f"{text} …" if len(line.text) > _LONGEST_LINE else text


def _painted(spans: Iterable[Span], marks: Ranges, tag: str) -> str:
    """Spans for syntax and `tag` around changed words, in one pass."""
    cuts = sorted({place for mark in marks for place in mark})
    position, html = 0, []
    for kind, text in spans:
        places = [0, *(cut - position for cut in cuts if 0 < cut - position < len(text)), len(text)]
        for start, end in pairwise(places):
            piece = span(kind, text[start:end])
            marked = any(first <= position + start < last for first, last in marks)
            html.append(f"<{tag}>{piece}</{tag}>" if marked else piece)
        position += len(text)
    return "".join(html)


def _changed_words(lines: Sequence[Line]) -> Iterator[tuple[int, Ranges]]:
    """Where words changed, in each run of removed lines that as many added ones follow."""
    for removed, added in _runs(lines):
        if not 0 < len(removed) == len(added) <= _MOST_PAIRS:
            continue
        for before, after in zip(removed, added, strict=True):
            texts = _shown(before), _shown(after)
            if max(map(len, texts)) <= _LONGEST_PAIR:
                old, new = _word_ranges(*texts)
                yield from ((id(before), old), (id(after), new))


def _word_ranges(before: str, after: str) -> tuple[Ranges, Ranges]:
    words = _WORD.findall(before), _WORD.findall(after)
    matcher = difflib.SequenceMatcher(None, *words, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return (), ()
    ends = _ends(words[0]), _ends(words[1])
    changes = [each for each in matcher.get_opcodes() if each[0] != "equal"]
    old = tuple((ends[0][a1], ends[0][a2]) for _, a1, a2, _, _ in changes if a2 > a1)
    new = tuple((ends[1][b1], ends[1][b2]) for _, _, _, b1, b2 in changes if b2 > b1)
    return old, new


def _ends(words: Sequence[str]) -> list[int]:
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word))
    return ends


def _runs(lines: Sequence[Line]) -> Iterator[tuple[list[Line], list[Line]]]:
    removed: list[Line] = []
    added: list[Line] = []
    for line in lines:
        if line.kind == " " or (line.kind == "-" and added):
            yield removed, added
            removed, added = [], []
        if line.kind != " ":
            (removed if line.kind == "-" else added).append(line)
    yield removed, added


def _sides(lines: Sequence[Line]) -> Iterator[tuple[Line | None, Line | None]]:
    removed: list[Line] = []
    added: list[Line] = []
    for line in lines:
        if line.kind == " " or (line.kind == "-" and added):
            yield from zip_longest(removed, added)
            removed, added = [], []
        if line.kind == " ":
            yield line, line
        else:
            (removed if line.kind == "-" else added).append(line)
    yield from zip_longest(removed, added)
