"""Colours for code: pygments' tokens as classes `c-…`. The one place that knows pygments."""

from collections.abc import Iterator
from typing import Any

from markupsafe import escape
from pygments import lex
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

Span = tuple[str, str]
"""A class without its `c-`, empty for none, and the text that it is for."""

_OPTIONS: dict[str, Any] = {"stripnl": False, "ensurenl": False}
_UNCOLOURED = frozenset({"", "n", "p", "w", "x", "err", "esc", "ge", "gs"})


def lines_of_file(path: str, code: str) -> list[list[Span]]:
    """The spans of each line, by the language that the file's name tells."""
    try:
        lexer = get_lexer_for_filename(path, **_OPTIONS)
    except ClassNotFound:
        lexer = TextLexer(**_OPTIONS)
    lines: list[list[Span]] = [[]]
    for kind, text in _spans(lexer, code):
        first, *rest = text.split("\n")
        lines[-1].append((kind, first))
        lines.extend([(kind, part)] for part in rest)
    return lines


def block(language: str, code: str) -> str:
    """HTML of a block in a language that its author named; only escaped where nobody knows the language."""
    try:
        lexer = get_lexer_by_name(language, **_OPTIONS)
    except ClassNotFound:
        return str(escape(code))
    return "".join(span(kind, text) for kind, text in _spans(lexer, code))


def span(kind: str, text: str) -> str:
    """One span as HTML."""
    return f'<span class="c-{kind}">{escape(text)}</span>' if kind else str(escape(text))


def _spans(lexer: Lexer, code: str) -> Iterator[Span]:
    for token, text in lex(code, lexer):
        known = token
        while known not in STANDARD_TYPES and known.parent is not None:
            known = known.parent
        kind = STANDARD_TYPES.get(known, "")
        yield ("" if kind in _UNCOLOURED else kind), text
