"""Atlassian Document Format to text that people and models read. It keeps the text of nodes that it does not know."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from app.domain import markdown
from app.errors import InvalidInput

DEEPEST = 50
"""Nodes within nodes; what people write in Jira has fewer than twenty."""

Node = dict[str, Any]

_FIELD = "issue.fields.description"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_NUMBER = 999_999_999  # Markdown's, of a list's item


def to_text(document: object) -> str:
    """Text for models: Markdown's structure around words as they were written, and links with their addresses.

    A string comes back as it is, None as nothing. Raises InvalidInput naming the description.
    """
    if document is None:
        return ""
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        raise InvalidInput(_FIELD, "must be a string, null or an Atlassian document")
    return _Text().content(document, 0).strip()


def to_markdown(document: Node) -> str:
    """Markdown for pages: words that look like Markdown or HTML stay words. Raises InvalidInput as `to_text` does."""
    return _Markdown().content(document, 0).strip()


class _Text:
    """Walks a document. What is written for whom differs in the methods under "For whom"."""

    # For whom

    gap = "\n"
    """Between the blocks of a list's item or of a panel."""
    line_break = "\n"

    def words(self, text: str) -> str:
        """What a node says without marks: a mention, a file's name."""
        return text

    def address(self, address: str) -> str:
        """A card or another thing of which only the address is known."""
        return address

    def text(self, node: Node) -> str:
        """Words with their marks."""
        text = _string(node, "text")
        for mark in _marks(node):
            text = _marked(text, mark)
        return text

    def line(self, pieces: Iterable[str]) -> str:
        """What flows in a line."""
        return "".join(pieces)

    # Blocks

    def content(self, node: Node, depth: int, between: str = "\n\n") -> str:
        """The children of a node: neighbours that flow in a line together, blocks apart."""
        return between.join(self.parts(_children(node), depth))

    def parts(self, nodes: Iterable[Node], depth: int) -> list[str]:
        """Each block's text, without empty ones."""
        parts: list[str] = []
        for flows, group in groupby(nodes, key=_flows):
            texts = (self.render(child, depth + 1) for child in group)
            parts += [self.line(texts)] if flows else texts
        return [part for part in parts if part.strip()]

    def render(self, node: Node, depth: int) -> str:
        """One node."""
        if depth > DEEPEST:
            raise InvalidInput(_FIELD, "nested too deeply")
        kind = _kind(node)
        if kind in _INLINE:
            return _INLINE[kind](self, node)
        if kind in _BLOCKS:
            return _BLOCKS[kind](self, node, depth)
        if isinstance(node.get("text"), str):
            return self.text(node)
        return self.content(node, depth) or self.line([self.label(node)])

    def heading(self, node: Node, depth: int) -> str:
        return f"{'#' * _level(node)} {' '.join(self.content(node, depth).split())}"

    def code_block(self, node: Node, depth: int) -> str:
        return markdown.fenced(_Text().content(node, depth, "\n"), _attr(node, "language"))

    def quote(self, node: Node, depth: int) -> str:
        return markdown.quoted(self.content(node, depth))

    def panel(self, node: Node, depth: int) -> str:
        title = self.words(_attr(node, "panelType") or "info")
        return markdown.quoted(f"**{title}**{self.gap}{self.content(node, depth)}")

    def expand(self, node: Node, depth: int) -> str:
        title = self.words(_attr(node, "title"))
        return f"**{title}**\n\n{self.content(node, depth)}" if title else self.content(node, depth)

    def items(self, node: Node, depth: int) -> str:
        first = _number(node, "order", most=_LARGEST_NUMBER) if _kind(node) == "orderedList" else None
        children = enumerate(_children(node))
        return "\n".join(self.item(child, depth, None if first is None else first + i) for i, child in children)

    def item(self, node: Node, depth: int, number: int | None) -> str:
        if _kind(node) in _LISTS:  # a list of tasks inside a list of tasks has no item around it
            return markdown.prefixed(self.render(node, depth + 1), "  ", "  ")
        bullet = "- " if number is None else f"{number}. "
        between = "\n" if all(map(_follows_closely, _children(node)[1:])) else self.gap
        text = self.content(node, depth + 1, between) or self.render(node, depth + 1)
        return markdown.prefixed(text, bullet + _checkbox(node), " " * len(bullet))

    def table(self, node: Node, depth: int) -> str:
        rows = [[self.render(cell, depth + 2) for cell in _children(row) or [row]] for row in _children(node)]
        return markdown.table(rows)

    # Inline

    def mention(self, node: Node) -> str:
        return self.words(_attr(node, "text") or f"@{_attr(node, 'id')}")

    def date(self, node: Node) -> str:
        try:
            day = _EPOCH + timedelta(milliseconds=int(_attr(node, "timestamp")))
        except (ValueError, OverflowError):
            return self.words(_attr(node, "timestamp"))
        return day.date().isoformat()

    def media(self, node: Node) -> str:
        name = _attr(node, "alt", "url", "id")
        return self.words(f"[attachment: {name}]" if name else "[attachment]")

    def label(self, node: Node) -> str:
        """What a node without content says of itself."""
        data = _attrs(node).get("data")
        address = _attr(node, "url") or (str(data.get("url", "")) if isinstance(data, dict) else "")
        said = _attr(node, "text", "title", "alt")
        return self.words(said) if said else self.address(address) or self.words(_attr(node, "shortName"))


class _Markdown(_Text):
    """For pages."""

    gap = "\n\n"
    line_break = markdown.BREAK

    def words(self, text: str) -> str:
        return markdown.label(text)

    def address(self, address: str) -> str:
        return markdown.autolink(address)

    def text(self, node: Node) -> str:
        text = _string(node, "text")
        inner = text.strip()
        before, _, after = text.partition(inner) if inner else (text, "", "")
        return "".join([markdown.escaped(before), self._marked(inner, _marks(node)), markdown.escaped(after)])

    def line(self, pieces: Iterable[str]) -> str:
        return markdown.paragraph(markdown.inline(pieces))

    def heading(self, node: Node, depth: int) -> str:
        return markdown.heading(_level(node), self.content(node, depth))

    def _marked(self, text: str, marks: list[Node]) -> str:
        kinds = {_kind(mark) for mark in marks}
        address = next((_attr(mark, "href") for mark in marks if _kind(mark) == "link"), "")
        if "code" in kinds:
            shown = markdown.code_span(text)
        else:
            shown = markdown.escaped(text) if address else markdown.prose(text)
        for kind, sign in (("strike", "~~"), ("em", "*"), ("strong", "**")):
            shown = markdown.marked(sign, shown) if kind in kinds else shown
        return markdown.link(shown, address) if address else shown


def _marked(text: str, mark: Node) -> str:
    inner = text.strip()
    sign, url = _SIGNS.get(_kind(mark), ""), _attr(mark, "href")
    shown = f"{inner} ({url})" if url not in {"", inner} else f"{sign}{inner}{sign}"
    # "**bold **" is not bold in Markdown: the spaces go outside.
    return text.replace(inner, shown, 1) if inner else text


# Nodes


def _children(node: Node) -> list[Node]:
    children = node.get("content")
    return [child for child in children if isinstance(child, dict)] if isinstance(children, list) else []


def _kind(node: Node) -> str:
    return _string(node, "type")


def _string(node: Node, name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""


def _marks(node: Node) -> list[Node]:
    marks = node.get("marks")
    return [mark for mark in marks if isinstance(mark, dict)] if isinstance(marks, list) else []


def _flows(node: Node) -> bool:
    return _kind(node) in _INLINE or isinstance(node.get("text"), str)


def _follows_closely(node: Node) -> bool:
    """Markdown takes it as a block right after a paragraph's line: a list that does not begin beyond 1."""
    return _kind(node) in _LISTS and _number(node, "order", most=_LARGEST_NUMBER) == 1


def _checkbox(node: Node) -> str:
    if _kind(node) not in {"taskItem", "blockTaskItem"}:
        return ""
    return "[x] " if _attr(node, "state") == "DONE" else "[ ] "


def _level(node: Node) -> int:
    return max(1, _number(node, "level", most=6))


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
_INLINE: dict[str, Callable[[_Text, Node], str]] = {
    "text": lambda to, node: to.text(node),
    "hardBreak": lambda to, _: to.line_break,
    "mention": _Text.mention,
    "emoji": lambda to, node: to.label(node),
    "inlineCard": _Text.label,
    "placeholder": _Text.label,
    "inlineExtension": _Text.label,
    "status": lambda to, node: to.words(f"[{_attr(node, 'text')}]"),
    "date": _Text.date,
    "mediaInline": _Text.media,
}
_BLOCKS: dict[str, Callable[[_Text, Node, int], str]] = {
    **dict.fromkeys(_LISTS, _Text.items),
    "heading": _Text.heading,
    "codeBlock": _Text.code_block,
    "blockquote": _Text.quote,
    "panel": _Text.panel,
    "expand": _Text.expand,
    "nestedExpand": _Text.expand,
    "table": _Text.table,
    "rule": lambda _to, _node, _depth: "---",
    "media": lambda to, node, _depth: to.media(node),
}
