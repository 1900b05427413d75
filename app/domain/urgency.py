"""How urgent a ticket is, from what its tracker calls its priority: 1 is worked on first, 5 last."""

import re

USUAL = 3
"""Of a ticket that says nothing, or in words that nobody knows here."""

_NAMES = {
    **dict.fromkeys(("highest", "blocker", "urgent", "critical", "immediate", "emergency", "showstopper"), 1),
    **dict.fromkeys(("high", "major", "important"), 2),
    **dict.fromkeys(("medium", "normal", "moderate", "none"), 3),
    **dict.fromkeys(("low", "minor"), 4),
    **dict.fromkeys(("lowest", "trivial"), 5),
}
_NUMBERED = re.compile(r"(?:p|prio|priority|sev|severity)[\s_-]?([0-9])\b")
_FIRST, _LAST = 1, 5


def urgency_of(name: str | None, number: str | None) -> int:
    """By the name where it is a known one or has a number (`P1`), else by Jira's own id, which begins at the top.

    Sites rename their priorities, in any language, and the five that Jira comes with keep their ids. Ids of added ones
    say nothing.
    """
    words = (name or "").strip().lower()
    if words in _NAMES:
        return _NAMES[words]
    if (numbered := _NUMBERED.match(words)) is not None:
        return min(max(int(numbered[1]), _FIRST), _LAST)
    if number is not None and re.fullmatch(r"[1-5]", number):
        return int(number)
    return USUAL
