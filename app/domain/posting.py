"""Text that the service posts to a forge or a tracker: it says the same words, and does nothing there.

It comes from tickets, repositories, commands and the model. Nobody is notified by it, nothing is closed, loaded or
hidden. What would act is written with a look-alike sign (`＠`, `＃`, `‹›`), because that holds in code, in prose and in
each forge's own Markdown alike: no other's idea of where code begins has to be shared.
"""

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.domain.incoming import cleaned

Redact = Callable[[str], str]
"""Takes secrets out of a text."""

MOST_CHARS = 60_000
"""GitHub takes 65,536 for a body; the rest is for what the service says itself."""

_MOST_OPEN = 20
_CUT = "\n\n… (cut)"

_TAG = re.compile(
    r"<(?P<address>https?://[^\s<>]+)>"
    r"|(?P<fold></?details>|<details open>|<summary>[^\n<>]*</summary>)"
    r"|<(?P<inside>[A-Za-z/!?][^<>]*)(?P<end>>?)",
    re.IGNORECASE,
)
_FOLD = re.compile(r"<(/?(?:details|summary)[^<>]*)>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot);)(?=(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)")
_AT_IN_ADDRESS = re.compile(r"(https?://[^\s@]{1,300}/)@")
_MENTION = re.compile(r"(?<![A-Za-z0-9])@(?=\w)")
_CLOSING = re.compile(
    r"(?<![A-Za-z0-9])(?P<word>clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?)"
    r"(?P<between>(?:[^A-Za-z0-9]|</?(?:details|summary)>){1,20}?)"
    r"(?P<what>(?:[\w.-]{1,100}/[\w.-]{1,100})?#\d|GH-\d|https?://\S{1,300}?/(?:issues|pull|merge_requests|work_items)/\d)",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"(?<!\w)#(?=[A-Za-z])")
_SKIPS = re.compile(r"\[((?:skip|no)[ -](?:ci|actions)|(?:ci|actions)[ -]skip)\]", re.IGNORECASE)


def safe_markdown(text: str, *, redact: Redact, most: int = MOST_CHARS) -> str:
    """Markdown of at most about `most` characters, which leaves what is written below it alone."""
    text = _inert(text, redact).strip()
    if len(text) > most:
        text = text[:most].rpartition("\n")[0] or text[:most]
        text = _closed(text) + _CUT
    return _closed(text)


def safe_line(text: str, *, redact: Redact, most: int = 256) -> str:
    """One line of at most `most` characters: also for commits and titles, where trackers and CI look for commands."""
    line = " ".join(_unfolded(_inert(text, redact)).split())
    line = "".join(each for each in line if each.isprintable())
    line = _SKIPS.sub(r"(\1)", _COMMAND.sub("＃", line))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _inert(text: str, redact: Redact) -> str:
    text = redact(cleaned(text))  # in this order: characters that are not seen may stand in a secret
    text = _TAG.sub(_untagged, text)
    text = text.replace("![", "! [")
    text = _ENTITY.sub("&amp;", text)
    text = _CLOSING.sub(_kept_open, text)
    text = _AT_IN_ADDRESS.sub(r"\1%40", text)
    return _MENTION.sub("＠", text)


def _untagged(found: re.Match[str]) -> str:
    if found["address"]:
        return found["address"]
    if found["fold"]:
        # By itself between blank lines, so that no Markdown is taken for the inside of an HTML block.
        return f"\n\n{found['fold']}\n\n"
    return f"‹{found['inside']}{'›' if found['end'] else ''}"


def _kept_open(found: re.Match[str]) -> str:
    what = found["what"].replace("#", "＃")
    if what.upper().startswith("GH-"):
        what = what.replace("-", "\N{NON-BREAKING HYPHEN}")
    elif "://" in what:
        what = f"at {what}"
    return f"{found['word']}{found['between']}{what}"


def _closed(text: str) -> str:
    """The text with its open code block and folds closed, so that what follows is not taken into them."""
    blocks = MarkdownIt("commonmark").parse(text)
    if blocks and blocks[-1].type == "fence" and _is_open(blocks[-1], text.splitlines()):
        text = f"{text}\n{blocks[-1].markup}"
    opened, closed = (len(re.findall(tag, text, re.IGNORECASE)) for tag in ("<details(?: open)?>", "</details>"))
    if opened - closed > _MOST_OPEN:
        return _unfolded(text)
    return text + "\n\n</details>" * max(0, opened - closed)


def _unfolded(text: str) -> str:
    return _FOLD.sub(r"‹\1›", text)


def _is_open(fence: Token, lines: list[str]) -> bool:
    first, end = fence.map or (0, 0)
    last = lines[end - 1].strip()
    is_closing = end - first > 1 and set(last) == {fence.markup[0]} and len(last) >= len(fence.markup)
    return end >= len(lines) and not is_closing
