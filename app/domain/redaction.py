"""Takes secrets out of text before it is kept, logged or shown: known values, and what has the shape of a credential.

It is the last line and no wall: whoever wants to say a secret in other words can. What must stay secret is kept away
from whoever could say it.
"""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import quote, unquote

from app.domain.credential_shapes import BEGUN, SHAPES
from app.models import Model

T = TypeVar("T")

SHORTEST = 8
"""Characters of a value that is looked for: shorter ones are part of ordinary words."""

_FEWEST_BEGUN = 4
_LONGEST_BEGUN = 400
"""Characters at the end of an unfinished text that may be the beginning of a secret."""

_PASSWORD = re.compile(r"://[^/?#:@]*:([^/?#]*)@")


class Redactor:
    """Knows `secrets`, name to value, and the shapes of credentials. Safe to use from several threads.

    A value is also found in Base64, wherever it stands in what was encoded, quoted as in a URL, and escaped as in JSON;
    of a URL with a password, the password is found by itself.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        known = {value: name for name, secret in secrets.items() for value in _values(secret) if _is_told(name, value)}
        self._values = tuple(known)
        forms = {form: name for value, name in known.items() for form in _forms(value)}
        # The longest first: one may be a part of another.
        self._forms = tuple((form, _label(forms[form])) for form in sorted(forms, key=len, reverse=True))

    def redact(self, value: T) -> T:
        """The same value with `[redacted: WHAT]` in place of each secret in its text. 64 kB take about 1 ms.

        Takes text, JSON-like values and models, and does nothing to what it has done already. Text that is JSON stays
        JSON.
        """
        return each_text(value, self._redact)

    def redact_unfinished(self, text: str) -> str:
        """The same for a text that is being written: it ends before what may become a secret."""
        text = self._redact(text)
        begun = BEGUN.search(text, max(0, len(text) - _LONGEST_BEGUN))
        if begun is not None:
            text = text[: begun.start()]
        return text[: len(text) - max((_overlap(text, value) for value in self._values), default=0)]

    def _redact(self, text: str) -> str:
        if len(text) < SHORTEST:
            return text
        found = text
        for form, label in self._forms:
            if form in found:
                found = found.replace(form, label)
        for shape in SHAPES:
            found = shape.pattern.sub(shape.label, found)
        return text if found == text else found  # an enum's value stays an enum's


def each_text(value: T, change: Callable[[str], str]) -> T:
    """The same text, JSON-like value or model, with every text in it changed."""
    return cast("T", _changed(value, change))


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_changed(key, change): _changed(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        changed = [_changed(item, change) for item in value]
        return changed if isinstance(value, list) else tuple(changed)
    if isinstance(value, Model):
        return value.model_copy(update={name: _changed(item, change) for name, item in value})
    return value


def _label(name: str) -> str:
    return f"[redacted: {name}]"


def _values(secret: str) -> Iterator[str]:
    """What of a setting is secret: all of it, and the password where it is a URL."""
    yield secret.strip()
    if (found := _PASSWORD.search(secret)) is not None:
        yield found[1]
        yield unquote(found[1])


def _is_told(name: str, value: str) -> bool:
    """Whether a text that names the value says a secret; a label would say this one again and again."""
    return len(value) >= SHORTEST and value not in _label(name)


def _forms(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    for before in range(3):
        encoded = b"\0" * before + value.encode()
        # Only the characters that nothing around the value has a part in.
        first, last = -(-8 * before // 6), 8 * len(encoded) // 6
        yield b64encode(encoded)[first:last].decode()
        yield urlsafe_b64encode(encoded)[first:last].decode()


def _overlap(text: str, value: str) -> int:
    """How many characters at the end of the text are the beginning of the value."""
    longest = min(len(value) - 1, len(text))
    return next((size for size in range(longest, _FEWEST_BEGUN - 1, -1) if text.endswith(value[:size])), 0)
