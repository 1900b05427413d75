"""Text from outside as a model may read it: nothing in it that people would not have seen.

Prose is `cleaned` as a page shows it; code and what programs print is `revealed` as it is, because there a comment is
for everybody to see; a name is `named` on one line. It judges no words: what a text asks for is not known here.
"""

import re
import unicodedata

HIDDEN = "[a hidden comment was removed]"

_LONGEST_NAME = 500

_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*+\n){3,}")
_OPEN_COMMENT = re.compile(r"^ {0,3}<!--", re.MULTILINE)
# A link's definition that nothing uses is Markdown's other way to write what is not shown.
_UNUSED_LINK = re.compile(r"^ {0,3}\[[^\]\n]{1,200}\]: {0,3}(?:#|<>)[^\n]*$", re.MULTILINE)

# Control characters; Unicode's Default_Ignorable_Code_Point (zero width, bidi, fillers, tags, variation selectors)
# without the four below; annotation marks; halves of surrogate pairs. Neither line end nor tab.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\ud800-\udfff]"
)
# What emoji, Persian and the scripts of India are spelt with; elsewhere they spell nothing.
_STRAY_SELECTOR = re.compile("(?<![^\x00-\x7f\u200c\u200d\ufe0e\ufe0f])[\ufe0e\ufe0f]")
_STRAY_JOINER = re.compile(
    "(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f\u200c\u200d\ufe0e\ufe0f])"
)
_UNSEEN = (_INVISIBLE, _STRAY_SELECTOR, _STRAY_JOINER)


def cleaned(text: str) -> str:
    """Prose without comments (`HIDDEN` stands where one was), invisible characters, and more than two blank lines.

    Letters are composed (NFC) and otherwise stay what they are. A second time changes nothing.
    """
    text = _LINE_END.sub("\n", text)
    for unseen in _UNSEEN:
        text = unicodedata.normalize("NFC", unseen.sub("", text))
    text = _UNUSED_LINK.sub(HIDDEN, _without_comments(text))
    return _BLANK_LINES.sub("\n\n\n", text)


def revealed(text: str) -> str:
    """Code or output as it is, each invisible character shown by its number: `[U+202E]`."""
    text = text.replace("\r\n", "\n")
    for unseen in _UNSEEN:
        text = unseen.sub(_number, text)
    return text


def named(text: str, most: int = _LONGEST_NAME) -> str:
    """A name from outside on one line: revealed, line ends and tabs too, and cut to `most` characters."""
    text = revealed(text[: 2 * most]).replace("\n", "[U+000A]").replace("\t", "[U+0009]")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _number(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"


def _without_comments(text: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        end = text.find("-->", start + len("<!"))  # `<!-->` is a whole one
        if end < 0:
            return "".join([*kept, _without_open_comment(text[at:])])
        kept += [text[at:start], HIDDEN]
        at = end + len("-->")
    return "".join([*kept, text[at:]])


def _without_open_comment(text: str) -> str:
    """Nothing ends a comment: at the beginning of a line it hides all that follows, elsewhere it is ordinary text."""
    found = _OPEN_COMMENT.search(text)
    return text if found is None else text[: found.start()] + HIDDEN
