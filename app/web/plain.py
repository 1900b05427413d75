"""Text as people may see it: without what makes it look like something else."""

import re

_TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor moves
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links
    r"|\x1b[@-Z\\^_]?"
)
# Bidirectional controls let source code read differently from what it does (CVE-2021-42574).
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_BREAK = re.compile(r"\r\n?")


def plain(text: str) -> str:
    """The text without terminal codes, control characters and bidirectional controls; each line ends with one LF."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub("", _BREAK.sub("\n", _TERMINAL.sub("", text)))
