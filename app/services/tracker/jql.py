"""Jira's query language: words that people type become a query, and can never be one."""

import re

NEWEST = "created >= -520w ORDER BY created DESC"
"""Every ticket of ten years: Jira refuses a query without a restriction."""

_MOST_WORDS = 10
_MOST_LETTERS = 40


def search_for(words: str) -> str | None:
    """A query for tickets with all of the words, newest first; None when there is no word in the text.

    The last word may be the beginning of one. Without any text it is `NEWEST`.
    """
    if not words.strip():
        return NEWEST
    # Letters and digits only, in lower case: no quote or backslash ends the string, no sign means something inside
    # of it (`-dark`, `dark~`), and neither does a word (`AND`). Jira's index has no signs either.
    found = [word[:_MOST_LETTERS] for word in re.findall(r"[^\W_]+", words.lower())[:_MOST_WORDS]]
    if not found:
        return None
    text = " ".join(found)
    # The index holds stems: "settings*" does not find "settings", so that the whole word is asked for too.
    return f'(text ~ "{text}" OR text ~ "{text}*") ORDER BY created DESC'
