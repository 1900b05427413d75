"""Jira's wiki markup, as webhooks describe issues, to Markdown for pages.

It keeps the words of what it does not know, and loads nothing: an image is named like any other attachment.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator

from app.domain import markdown

# No expression here can be made to look at a character many times: descriptions come from anybody.
_MACRO = re.compile(r"\{(code|noformat|quote|panel|info|note|tip|warning)(?::([^{}\n]*))?\}")
_COLOR = re.compile(r"\{color(?::[^{}\n]*)?\}")
_HEADING = re.compile(r"\s*h([1-6])\.\s+(.*)")
_QUOTE = re.compile(r"\s*bq\.\s+(.*)")
_RULE = re.compile(r"\s*-{4,}\s*")
_ITEM = re.compile(r"\s*([*#]+|-)\s+(\S.*)")
_ROW = re.compile(r"\s*\|")
_CELL = re.compile(r"(?:\\\||\[[^\[\]\n]*\]|\{\{[^{}\n]*\}\}|![^!|\n]+\|[^!\n]*!|[^|])+")

_INLINE = re.compile(
    r"""
      \\\\[ ]?\n?  # a break
    | \\(?P<sign>[{}\[\]()*_+^~!|\-])
    | \{\{(?P<mono>[^{}\n]+)\}\}
    | !(?P<image>https?://[^\s!|]+|[^!\n|]*[^\s!|]\.\w{1,5})(?:\|[^!\n]*)?!
    | \[\^(?P<file>[^\[\]\n|]+)\]
    | \[~(?:accountid:)?(?P<person>[^\[\]\n|]+)\]
    | \[(?P<shown>[^\[\]\n|]+)\|(?P<target>[^\[\]\n|]+)(?:\|[^\[\]\n]*)?\]
    | \[(?P<address>(?:https?://|mailto:)[^\[\]\n|\s]+)\]
    | (?P<bare>\bhttps?://[^\s\[\]{}|]+)
    | \{\*\}(?P<strong>[^*\n]+)\{\*\}
    | \{_\}(?P<em>[^_\n]+)\{_\}
    | \{-\}(?P<strike>[^\-\n]+)\{-\}
    | (?<![\w*])\*(?=[^\s*])(?P<strong_word>[^*\n]+)(?<!\s)\*(?![\w*])
    | (?<![\w])_(?=[^\s_])(?P<em_word>[^_\n]+)(?<!\s)_(?![\w])
    | (?<![\w-])-(?=[^\s-])(?P<strike_word>[^\-\n]+)(?<!\s)-(?![\w-])
    | (?<![\w+])\+(?=[^\s+])(?P<inserted>[^+\n]+)(?<!\s)\+(?![\w+])
    """,
    re.VERBOSE,
)
"""A sign for emphasis stands beside a word, or in braces inside of one."""


def to_markdown(text: str) -> str:
    """Markdown of a text in wiki markup: words that look like Markdown or HTML stay words."""
    return "\n\n".join(_blocks(text.replace("\r\n", "\n").replace("\r", "\n")))


# Blocks


def _blocks(text: str) -> Iterator[str]:
    """Blocks in their order. A macro that is not closed goes on to the end."""
    at = 0
    while found := _MACRO.search(text, at):
        yield from _plain_blocks(text[at : found.start()])
        closing = f"{{{found[1]}}}"
        end = text.find(closing, found.end())
        end = len(text) if end < 0 else end
        yield _macro(found[1], found[2] or "", text[found.end() : end])
        at = end + len(closing)
    yield from _plain_blocks(text[at:])


def _macro(name: str, given: str, inner: str) -> str:
    values = [part.partition("=") for part in given.split("|")]
    title = next((value.strip() for key, _, value in values if key == "title"), "")
    if name in {"code", "noformat"}:
        language = next((key for key, equals, _ in values if not equals), "")
        return _titled(title, markdown.fenced(inner.strip("\n"), language))
    if name not in {"quote", "panel"}:
        title = title or name
    return markdown.quoted(_titled(title, to_markdown(inner)))


def _titled(title: str, block: str) -> str:
    return f"**{markdown.label(title)}**\n\n{block}" if title else block


def _plain_blocks(text: str) -> Iterator[str]:
    """Blocks of text without macros."""
    lines = deque(_COLOR.sub("", text).split("\n"))
    while lines:
        if block := _next_block(lines):
            yield block


def _next_block(lines: deque[str]) -> str:
    line = lines.popleft()
    if found := _HEADING.fullmatch(line):
        return markdown.heading(int(found[1]), _paragraph([found[2]]))
    if found := _QUOTE.fullmatch(line):
        return markdown.quoted(_paragraph([found[1]]))
    if _RULE.fullmatch(line):
        return "---"
    lines.appendleft(line)
    if _ITEM.fullmatch(line):
        return _list(lines)
    if _ROW.match(line):
        return _table(lines)
    return _paragraph([lines.popleft(), *_rest_of_paragraph(lines)])


def _list(lines: deque[str]) -> str:
    items, open_lists = [], ""
    while lines and (found := _ITEM.fullmatch(lines[0])):
        lines.popleft()
        marker, text = found.groups()
        # An item deeper than the one before it by two would not be an item in Markdown.
        open_lists = open_lists[: len(marker) - 1] + marker[-1]
        indent = " " * sum(len(_bullet(each)) for each in open_lists[:-1])
        bullet = _bullet(marker[-1])
        item = _paragraph([text, *_rest_of_paragraph(lines)])
        items.append(markdown.prefixed(item, indent + bullet, indent + " " * len(bullet)))
    return "\n".join(items)


def _bullet(marker: str) -> str:
    return "1. " if marker == "#" else "- "


def _table(lines: deque[str]) -> str:
    rows = []
    while lines and _ROW.match(lines[0]):
        row = lines.popleft().strip()
        while not row.endswith("|") and lines and _is_prose(lines[0]):
            row = f"{row}\n{lines.popleft().strip()}"
        rows.append([_paragraph([cell]) for cell in _CELL.findall(row)])
    return markdown.table(rows)


def _paragraph(lines: list[str]) -> str:
    return markdown.paragraph(_inline("\n".join(line.strip() for line in lines)))


def _rest_of_paragraph(lines: deque[str]) -> Iterator[str]:
    while lines and _is_prose(lines[0]):
        yield lines.popleft()


def _is_prose(line: str) -> bool:
    starts = (_HEADING.fullmatch, _QUOTE.fullmatch, _RULE.fullmatch, _ITEM.fullmatch, _ROW.match)
    return bool(line.strip()) and not any(start(line) for start in starts)


# Inside a line


def _inline(text: str) -> str:
    pieces, end = [], 0
    for found in _INLINE.finditer(text):
        pieces += [markdown.escaped(text[end : found.start()]), _piece(found)]
        end = found.end()
    return markdown.inline([*pieces, markdown.escaped(text[end:])])


def _piece(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    if kind == "target":
        return markdown.link(markdown.label(found["shown"]), found["target"].strip())
    return _PIECES[kind](found[kind]) if kind else markdown.BREAK


def _marked(sign: str) -> Callable[[str], str]:
    return lambda text: markdown.marked(sign, _inline(text.strip()))


def _attachment(name: str) -> str:
    return markdown.label(f"[attachment: {name}]")


_PIECES: dict[str, Callable[[str], str]] = {
    "sign": markdown.escaped,
    "mono": markdown.code_span,
    "image": _attachment,
    "file": _attachment,
    "person": lambda name: markdown.label(f"@{name}"),
    "address": markdown.autolink,
    "bare": markdown.prose,
    **dict.fromkeys(("strong", "strong_word"), _marked("**")),
    **dict.fromkeys(("em", "em_word"), _marked("*")),
    **dict.fromkeys(("strike", "strike_word"), _marked("~~")),
    "inserted": _marked(""),
}
