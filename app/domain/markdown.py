"""Markdown that says what a text said: words that look like Markdown or HTML stay words.

What others wrote becomes Markdown piece by piece, and each piece is escaped or made by a function of this room. Only
addresses of the web and of mail become links; nothing becomes an image or HTML.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

BREAK = "\\\n"
"""The end of a line inside a paragraph. Inside a paragraph there is no other end of a line."""

_SPECIAL = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?]|$)|&(?=[#\w]|$)")
_LINE_START = re.compile(r"^[ \t]*(?:([#+=|:>-])|([0-9]{1,9})(?=[.)]))?", re.MULTILINE)
_BARE_ADDRESS = re.compile(r"\bhttps?://[^\s<>\"'`|\\{}\[\]]+", re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?)*_~"
_LINKABLE = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
_NOT_IN_ADDRESS = re.compile(r"[^\w!#$&'*+,/:;=?@%.~\[\]-]")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_LAST_HASHES = re.compile(r"#+$")
_NOT_IN_LANGUAGE = re.compile(r"[^\w+#.-]")


# Pieces of a line


def escaped(text: str) -> str:
    """Words for a place inside a line; ends of lines become breaks."""
    lines = _SPECIAL.sub(r"\\\g<0>", text.replace("\r\n", "\n").replace("\r", "\n"))
    return lines.replace("\n", BREAK)


def label(text: str) -> str:
    """Words on one line."""
    return escaped(" ".join(text.split()))


def prose(text: str) -> str:
    """Words in which a bare address of the web links to itself."""
    pieces, end = [], 0
    for found in _BARE_ADDRESS.finditer(text):
        address = found[0].rstrip(_AFTER_ADDRESS)
        pieces += [escaped(text[end : found.start()]), autolink(address)]
        end = found.start() + len(address)
    return "".join([*pieces, escaped(text[end:])])


def autolink(address: str) -> str:
    """A link that shows its address; words where it is no address to link to."""
    target = _target(address)
    return label(address) if target is None else f"<{target}>"


def link(shown: str, address: str) -> str:
    """A link with Markdown to click on; that alone where there is no address to link to."""
    target = _target(address)
    # In this place, unlike in an autolink, `&copy;` would be read as a sign.
    return shown if target is None or not shown else f"[{shown}]({_ENTITY.sub('&amp;', target)})"


def marked(sign: str, shown: str) -> str:
    """Markdown between signs such as `**`. Space at either end must be outside: `**bold **` is not bold."""
    return f"{sign}{shown}{sign}" if shown else ""


def code_span(text: str) -> str:
    """Code inside a line."""
    code = " ".join(text.split())
    fence = "`" * (1 + _longest_run(code))
    space = " " if code.startswith("`") or code.endswith("`") else ""
    return f"{fence}{space}{code}{space}{fence}" if code else ""


def inline(pieces: Iterable[str]) -> str:
    """Pieces in one line. A link after an exclamation mark is not taken for an image."""
    line: list[str] = []
    for piece in pieces:
        if piece.startswith("[") and line and line[-1].endswith("!"):
            line[-1] = line[-1][:-1] + "\\!"
        line += [piece] if piece else []
    return "".join(line)


# Blocks


def paragraph(line: str) -> str:
    """A paragraph of what `inline` gave: none of its lines begins a heading, a list, a table or code."""
    lines = line.split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
        lines[-1] = lines[-1][:-1]  # the break before it
    first = next((i for i, each in enumerate(lines) if each.strip(" \t") not in {"", "\\"}), 0)
    return _LINE_START.sub(_not_a_start, "\n".join(lines[first:])).rstrip()


def one_line(markdown: str) -> str:
    """Markdown without ends of lines, for headings and cells."""
    return " ".join(markdown.replace(BREAK, " ").split())


def heading(level: int, line: str) -> str:
    """A heading of level 1 to 6. A `#` at its end is a word too."""
    return f"{'#' * level} " + _LAST_HASHES.sub(r"\\\g<0>", one_line(line))


def fenced(code: str, language: str = "") -> str:
    """A block of code."""
    fence = "`" * max(3, 1 + _longest_run(code))
    # A carriage return ends a line in Markdown, so that text after it would leave the quote or the list around.
    lines = code.replace("\r\n", "\n").replace("\r", "\n")
    return f"{fence}{_NOT_IN_LANGUAGE.sub('', language)}\n{lines}\n{fence}"


def quoted(text: str) -> str:
    """A quote of blocks."""
    return prefixed(text, "> ", "> ")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, one line each, the first as the head. Short rows are filled: cells beyond the head get lost."""
    width = max(map(len, rows), default=0)
    lines = [_row([*row, *[""] * (width - len(row))]) for row in rows]
    return "\n".join([*lines[:1], "|" + "---|" * width, *lines[1:]]) if width else ""


def prefixed(text: str, first: str, rest: str) -> str:
    """Lines behind a bullet or a quote's sign: `first` before the first line, `rest` before the others."""
    head, *tail = text.split("\n")
    return "\n".join([(first + head).rstrip(), *((rest + line).rstrip() for line in tail)])


def _row(cells: Sequence[str]) -> str:
    # A renderer cuts a row at each `|` without a backslash before it, also inside of code, and before all else.
    return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def _not_a_start(found: re.Match[str]) -> str:
    sign, number = found.groups()
    return f"\\{sign}" if sign else f"{number}\\" if number else ""


def _target(address: str) -> str | None:
    if not _LINKABLE.fullmatch(address):
        return None
    return _NOT_IN_ADDRESS.sub(lambda sign: quote(sign[0], safe="", errors="replace"), address)


def _longest_run(code: str) -> int:
    return max(map(len, re.findall("`+", code)), default=0)
