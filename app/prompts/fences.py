"""Text from outside in a prompt: cleaned, bounded, and between fences that it cannot know.

Every text that people, repositories, programs or models wrote goes into a prompt through `fenced`; a name, on a line of
our own words, through `app.domain.incoming.named`.
"""

import re
import secrets
from dataclasses import dataclass

from app.domain.incoming import cleaned, revealed

_WORD_BYTES = 16
_LIKE_A_FENCE = re.compile(r"<(?=/?[\w-]{1,40}\s{1,4}fence\s{0,4}=)")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of text from outside: the name of its fence, and the characters that it may have.

    Prose is what a page shows of it; without, every character counts, as in code.
    """

    tag: str
    most: int
    prose: bool = False


TICKET = Kind(tag="ticket", most=100_000, prose=True)
GUIDE = Kind(tag="guide", most=40_000, prose=True)
COMMITS = Kind(tag="commits", most=20_000)
MESSAGE = Kind(tag="message", most=100_000)
PLAN = Kind(tag="plan", most=100_000)
ANSWERS = Kind(tag="answers", most=100_000)
FINDINGS = Kind(tag="findings", most=40_000)
FILES = Kind(tag="files", most=40_000)
DIFF = Kind(tag="diff", most=200_000)
OUTPUT = Kind(tag="output", most=40_000)


def fenced(kind: Kind, text: str, *, share: int = 1) -> str:
    """The text between fences with a random word of 128 bits; of several that `share` a bound, each has its part.

    What is cut is said. What looks like a fence in prose cannot be taken for one.
    """
    word = secrets.token_hex(_WORD_BYTES)
    text = _LIKE_A_FENCE.sub("‹", cleaned(text)) if kind.prose else revealed(text)
    return f'<{kind.tag} fence="{word}">\n{_cut(text, kind.most // share)}\n</{kind.tag} fence="{word}">'


def _cut(text: str, most: int) -> str:
    """The first whole lines within `most` characters, and how many there were; of one endless line, its beginning."""
    if len(text) <= most:
        return text
    kept = text[:most].rpartition("\n")[0] or text[:most]
    return f"{kept}\n[Cut here: {len(text):,} characters in all.]"
