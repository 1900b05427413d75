"""Atlassian Document Format to text that people and models read. It keeps the text of nodes that it does not know."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from app.errors import InvalidInput

DEEPEST = 50
"""Nodes within nodes; what people write in Jira has fewer than twenty."""

_FIELD = "issue.fields.description"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Node = dict[str, Any]


def to_text(document: object) -> str:
    """Markdown of a document, a string as it is, empty for None. Raises InvalidInput naming the description."""
    if document is None:
        return ""
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        raise InvalidInput(_FIELD, "must be a string, null or an Atlassian document")
    return _content(document, 0).strip()


# Blocks


def _content(node: Node, depth: int, between: str = "\n\n") -> str:
    """The children of a node: neighbours that flow in a line together, blocks apart."""
    parts: list[str] = []
    for flows, group in groupby(_children(node), key=_flows):
        texts = (_render(child, depth + 1) for child in group)
        parts += ["".join(texts)] if flows else texts
    return between.join(part for part in parts if part.strip())


def _children(node: Node) -> list[Node]:
    children = node.get("content")
    return [child for child in children if isinstance(child, dict)] if isinstance(children, list) else []


def _kind(node: Node) -> str:
    kind = node.get("type")
    return kind if isinstance(kind, str) else ""


def _flows(node: Node) -> bool:
    return _kind(node) in _INLINE or isinstance(node.get("text"), str)


def _render(node: Node, depth: int) -> str:
    if depth > DEEPEST:
        raise InvalidInput(_FIELD, "nested too deeply")
    kind = _kind(node)
    if kind in _INLINE:
        return _INLINE[kind](node)
    if kind in _BLOCKS:
        return _BLOCKS[kind](node, depth)
    return _text(node) if isinstance(node.get("text"), str) else _content(node, depth) or _label(node)


def _heading(node: Node, depth: int) -> str:
    level = max(1, _number(node, "level", most=6))
    return f"{'#' * level} {' '.join(_content(node, depth).split())}"


def _code_block(node: Node, depth: int) -> str:
    code = _content(node, depth, "\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{_attr(node, 'language')}\n{code}\n{fence}"


def _quote(node: Node, depth: int) -> str:
    return _prefixed(_content(node, depth), "> ", "> ")


def _panel(node: Node, depth: int) -> str:
    return _prefixed(f"**{_attr(node, 'panelType') or 'info'}**\n{_content(node, depth)}", "> ", "> ")


def _expand(node: Node, depth: int) -> str:
    title = _attr(node, "title")
    return f"**{title}**\n\n{_content(node, depth)}" if title else _content(node, depth)


def _list(node: Node, depth: int) -> str:
    first = _number(node, "order", most=10**9) if _kind(node) == "orderedList" else None
    items = enumerate(_children(node))
    return "\n".join(_item(child, depth, None if first is None else first + i) for i, child in items)


def _item(node: Node, depth: int, number: int | None) -> str:
    if _kind(node) in _LISTS:  # a list of tasks inside a list of tasks has no item around it
        return _prefixed(_render(node, depth + 1), "  ", "  ")
    bullet = _bullet(node) if number is None else f"{number}. "
    text = _content(node, depth + 1, "\n") or _render(node, depth + 1)
    return _prefixed(text, bullet, " " * len(bullet))


def _bullet(node: Node) -> str:
    if _kind(node) in {"taskItem", "blockTaskItem"}:
        return "- [x] " if _attr(node, "state") == "DONE" else "- [ ] "
    return "- "


def _table(node: Node, depth: int) -> str:
    rows = [[_cell(cell, depth + 2) for cell in _children(row) or [row]] for row in _children(node)]
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    rule = "|" + "---|" * len(rows[0]) if rows else ""
    return "\n".join([*lines[:1], rule, *lines[1:]])


def _cell(node: Node, depth: int) -> str:
    return " ".join(_render(node, depth).split()).replace("|", "\\|")


def _prefixed(text: str, first: str, rest: str) -> str:
    head, *tail = text.split("\n")
    return "\n".join([(first + head).rstrip(), *((rest + line).rstrip() for line in tail)])


# Inline


def _text(node: Node) -> str:
    text = node.get("text")
    if not isinstance(text, str):
        return ""
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else ():
        if isinstance(mark, dict):
            text = _marked(text, mark)
    return text


def _marked(text: str, mark: Node) -> str:
    inner = text.strip()
    sign, url = _SIGNS.get(_kind(mark), ""), _attr(mark, "href")
    shown = f"{inner} ({url})" if url not in {"", inner} else f"{sign}{inner}{sign}"
    # "**bold **" is not bold in Markdown: the spaces go outside.
    return text.replace(inner, shown, 1) if inner else text


def _mention(node: Node) -> str:
    return _attr(node, "text") or f"@{_attr(node, 'id')}"


def _date(node: Node) -> str:
    try:
        day = _EPOCH + timedelta(milliseconds=int(_attr(node, "timestamp")))
    except (ValueError, OverflowError):
        return _attr(node, "timestamp")
    return day.date().isoformat()


def _media(node: Node) -> str:
    name = _attr(node, "alt", "url", "id")
    return f"[attachment: {name}]" if name else "[attachment]"


def _label(node: Node) -> str:
    """What a node without content says of itself."""
    data = _attrs(node).get("data")
    return _attr(node, "text", "title", "alt", "url", "shortName") or (
        str(data.get("url", "")) if isinstance(data, dict) else ""
    )


def _attrs(node: Node) -> Node:
    attrs = node.get("attrs")
    return attrs if isinstance(attrs, dict) else {}


def _number(node: Node, name: str, *, most: int) -> int:
    """A whole number from 0 to `most`; 1 where the attribute is anything else."""
    value = _attrs(node).get(name)
    return value if isinstance(value, int) and 0 <= value <= most else 1


def _attr(node: Node, *names: str) -> str:
    """The first of the attributes that has text; numbers count as text."""
    values: Iterable[object] = (_attrs(node).get(name) for name in names)
    return next((str(value) for value in values if isinstance(value, (str, int)) and value), "")


_SIGNS = {"strong": "**", "em": "_", "code": "`", "strike": "~~"}
_LISTS = frozenset({"bulletList", "orderedList", "taskList", "decisionList"})
_INLINE: dict[str, Callable[[Node], str]] = {
    "text": _text,
    "hardBreak": lambda _: "\n",
    "mention": _mention,
    "emoji": _label,
    "inlineCard": _label,
    "placeholder": _label,
    "inlineExtension": _label,
    "status": lambda node: f"[{_attr(node, 'text')}]",
    "date": _date,
    "mediaInline": _media,
}
_BLOCKS: dict[str, Callable[[Node, int], str]] = {
    **dict.fromkeys(_LISTS, _list),
    "heading": _heading,
    "codeBlock": _code_block,
    "blockquote": _quote,
    "panel": _panel,
    "expand": _expand,
    "nestedExpand": _expand,
    "table": _table,
    "rule": lambda _node, _depth: "---",
    "media": lambda node, _depth: _media(node),
}
