"""Markdown as a page would show it, by a renderer that lets HTML through and knows tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

_RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_TEXTS = {"text", "text_special", "code_inline", "fence", "code_block"}
_BREAKS = {"softbreak", "hardbreak"}


@dataclass
class Rendered:
    """What people see of it: the kinds of its blocks and marks, its words, and where its links go."""

    kinds: set[str] = field(default_factory=set)
    words: str = ""
    links: list[str] = field(default_factory=list)


def rendered(markdown: str) -> Rendered:
    """The same as a page has it."""
    seen = Rendered()
    for token in _flat(_RENDERER.parse(markdown)):
        seen.kinds.add(token.type.removesuffix("_open").removesuffix("_close"))
        if token.type == "link_open":
            seen.links.append(str(token.attrs["href"]))
        seen.words += token.content if token.type in _TEXTS else "\n" if token.type in _BREAKS or token.block else ""
    seen.words = " ".join(seen.words.split())
    return seen


def said(text: str) -> str:
    """A text's words, to compare with what is seen. Markdown shows U+0000 as U+FFFD."""
    return " ".join(re.sub("\0", "\ufffd", text).split())


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])
