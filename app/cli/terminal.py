"""How the command line looks: quiet lines on any terminal, in a pipe and without colours.

Text of models, programs and repositories passes `printable`, so that it can neither steer the terminal nor style
itself.
"""

import sys
import textwrap
from io import TextIOWrapper
from typing import TextIO

from rich.console import Console
from rich.text import Text

_INDENT = 2
_NARROWEST = 40


def make_console(stream: TextIO | None = None, *, width: int | None = None) -> Console:
    """A console, on standard output unless a stream is given: no markup, no emoji codes, no guessed highlights."""
    stream = stream or sys.stdout
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")  # a check mark must not end the program on an ASCII terminal
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def printable(text: str) -> str:
    """The text without what a terminal would act on: of control characters, only ends of lines and tabs stay."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")


def one_line(text: str) -> str:
    """The text on one line."""
    return " ".join(printable(text).split())


def cut(text: str, *, most_lines: int) -> str:
    """The first lines of the text, and how many more there were."""
    lines = text.splitlines()
    if len(lines) <= most_lines:
        return text
    return "\n".join([*lines[:most_lines], f"… {len(lines) - most_lines} more lines"])


class Lines:
    """Writes indented lines to a console: wrapped or cropped where a person reads, whole in a pipe."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def blank(self) -> None:
        """An empty line."""
        self.console.print()

    def line(self, *parts: str | tuple[str, str], indent: int = 0, folded: bool = False) -> None:
        """One line of parts, each text or (text, style). `folded`: cropped where it does not fit."""
        text = Text(" " * _INDENT * indent).append_text(Text.assemble(*parts))
        if folded and self.console.is_terminal:
            text.truncate(self.console.width, overflow="ellipsis")
        self.console.print(text, soft_wrap=True)

    def paragraphs(self, text: str, *, indent: int = 0, style: str = "") -> None:
        """Text of any number of lines, wrapped between words on a terminal."""
        room = max(_NARROWEST, self.console.width - _INDENT * indent - 1)
        for line in printable(text).splitlines():
            own = len(line) - len(line.lstrip(" -*"))
            wrapped = textwrap.wrap(line, room, subsequent_indent=" " * min(own, _NARROWEST // 2)) or [""]
            for part in wrapped if self.console.is_terminal else [line]:
                self.line((part, style), indent=indent if part else 0)

    def section(self, title: str) -> None:
        """A heading with a rule."""
        self.blank()
        self.line(("── ", "dim"), (title, "bold"), (" " + "─" * max(3, 56 - len(title)), "dim"))
        self.blank()
