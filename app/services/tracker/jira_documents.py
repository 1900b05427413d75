"""Markdown as a document that Jira takes. What Jira has no place for becomes words: HTML, images, other addresses."""

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

Node = dict[str, Any]

_ADDRESSES = ("http://", "https://", "mailto:")
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("strikethrough")
_LISTS = {"bullet_list": "bulletList", "ordered_list": "orderedList"}
_MARKS = {"strong": "strong", "em": "em", "s": "strike"}


def document_of(markdown: str) -> Node:
    """A document with the text's paragraphs, headings, lists, quotes and code. The ends of its lines stay."""
    return {"type": "doc", "version": 1, "content": _blocks(SyntaxTreeNode(_MARKDOWN.parse(markdown)), top=True)}


def _blocks(node: SyntaxTreeNode, *, top: bool = False) -> list[Node]:
    return [block for child in node.children for block in _block(child, top=top)]


def _block(node: SyntaxTreeNode, *, top: bool) -> list[Node]:
    """A block. Jira has headings, rules and quotes at the top only; further down they are what they hold."""
    if node.type in _LISTS:
        return [_list(node)]
    if node.type in {"fence", "code_block"}:
        return [_code(node)]
    if node.type == "hr":
        return [{"type": "rule"}] if top else []
    if node.type == "blockquote":
        return [_node("blockquote", _held(node))] if top else _blocks(node)
    inline = [piece for child in node.children for piece in _inline(child, [])]
    if node.type == "heading" and top:
        return [_node("heading", inline, level=int(node.tag[1:]))]
    return [_node("paragraph", inline)]


def _held(node: SyntaxTreeNode) -> list[Node]:
    """What a quote or an item holds; Jira takes neither empty."""
    return _blocks(node) or [_node("paragraph", [])]


def _list(node: SyntaxTreeNode) -> Node:
    items = [_node("listItem", _held(item)) for item in node.children]
    if node.type == "ordered_list":
        return _node("orderedList", items, order=int(node.attrs.get("start", 1)))
    return _node("bulletList", items)


def _code(node: SyntaxTreeNode) -> Node:
    text = node.content.rstrip("\n")
    language = node.info.split(maxsplit=1)[:1]
    return _node("codeBlock", [_text(text, [])] if text else [], **({"language": language[0]} if language else {}))


def _inline(node: SyntaxTreeNode, marks: list[Node]) -> list[Node]:
    if node.type in {"softbreak", "hardbreak"}:
        return [{"type": "hardBreak"}]
    if node.type == "code_inline":
        # Of the other marks, Jira lets only a link stand with code.
        return [_text(node.content, [*(mark for mark in marks if mark["type"] == "link"), {"type": "code"}])]
    if node.type == "image":
        return _words(node.content, _linked(marks, str(node.attrs.get("src", ""))))
    if node.type == "link":
        marks = _linked(marks, str(node.attrs.get("href", "")))
    elif node.type in _MARKS and (mark := {"type": _MARKS[node.type]}) not in marks:
        marks = [*marks, mark]
    if node.children:
        return [piece for child in node.children for piece in _inline(child, marks)]
    return _words(node.content, marks)


def _words(text: str, marks: list[Node]) -> list[Node]:
    return [_text(text, marks)] if text else []


def _linked(marks: list[Node], address: str) -> list[Node]:
    if not address.lower().startswith(_ADDRESSES) or any(mark["type"] == "link" for mark in marks):
        return marks
    return [*marks, {"type": "link", "attrs": {"href": address}}]


def _text(text: str, marks: list[Node]) -> Node:
    return {"type": "text", "text": text} | ({"marks": marks} if marks else {})


def _node(kind: str, content: list[Node], **attrs: object) -> Node:
    return {"type": kind} | ({"attrs": attrs} if attrs else {}) | {"content": content}
