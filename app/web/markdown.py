"""Markdown of people and models to safe HTML. Nothing in it loads anything: images become links."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup, escape

from app.web import highlighting
from app.web.plain import plain

_COLOURED_CHARS = 16_000
"""Longest code block that is coloured: pygments takes about 6 ms a kilobyte."""

_ATTRIBUTES = {
    "a": {"href", "title"},
    "code": {"class"},
    "span": {"class"},
    "pre": {"tabindex"},
    "ol": {"start"},
}
_TAGS = set(_ATTRIBUTES) | {
    "blockquote", "br", "em", "h3", "h4", "h5", "h6", "hr", "li", "p", "s", "strong", "table", "tbody", "td",
    "th", "thead", "tr", "ul",
}  # fmt: skip
_CLASSES = {"code": re.compile(r"language-[\w+#.-]{1,32}"), "span": re.compile(r"c-[a-z][a-z0-9]{0,2}")}


@lru_cache(maxsize=1024)
def markdown(text: str) -> Markup:
    """The text as HTML that may stand in a page. Headings begin at the third level, below those of the page."""
    html = _PARSER.render(plain(text))
    return Markup(_CLEANER.clean(html))  # noqa: S704 - this is what has been made safe


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name != "class":
        return value
    allowed = _CLASSES.get(tag)
    return value if allowed is not None and allowed.fullmatch(value) else None


def _image(_renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object) -> str:
    """An image is a link to it, by its description."""
    source, described = str(tokens[index].attrGet("src") or ""), tokens[index].content
    return f'<a href="{escape(source)}">{escape(described or source)}</a>'


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"


def _coloured(code: str, language: str, _attributes: str) -> str:
    if not language or len(code) > _COLOURED_CHARS:
        return str(escape(code))
    return highlighting.block(language, code)


def _parser() -> MarkdownIt:
    options: dict[str, Any] = {"html": False, "linkify": True, "highlight": _coloured}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough", "linkify"])
    if parser.linkify is not None:
        # `handler.py` and `README.md` are files, not hosts in Paraguay and Moldova.
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    parser.add_render_rule("image", _image)
    parser.core.ruler.push("lower_headings", _lower_headings)
    return parser


_PARSER = _parser()
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"pre": {"tabindex": "0"}},  # keyboards scroll what has the focus
)
