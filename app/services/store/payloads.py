"""What may be kept, whatever keeps it: text that every database and every encoding takes, and no secret in it."""

import re
from typing import TypeVar

from app.domain.redaction import Redactor, each_text

T = TypeVar("T")

# Postgres takes no NUL. Half of a surrogate pair is what is left of an emoji that a program cut in two; UTF-8 has no
# place for it, so that one would break every answer that shows it.
_UNFIT = re.compile("[\x00\ud800-\udfff]")


class Intake:
    """Makes fit what comes into the store. Every method of the store that takes text hands it through here first."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def fit(self, value: T) -> T:
        """The same text, JSON-like value or model, without secrets, and with replacement characters for what cannot be
        kept.
        """
        return each_text(value, self._fit)

    def unfinished(self, text: str) -> str:
        """The same for a text that is being written, which only passes through."""
        return self._redactor.redact_unfinished(text)

    def _fit(self, text: str) -> str:
        return self._redactor.redact(text if text.isascii() and "\0" not in text else _replaced(text))


def _replaced(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
