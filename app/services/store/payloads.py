"""What may be kept, whatever keeps it: text that every database and every encoding takes."""

import re
from collections.abc import Mapping
from typing import Any

# Postgres takes no NUL. Half of a surrogate pair is what is left of an emoji that a program cut in two; UTF-8 has no
# place for it, so that one would break every answer that shows it.
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def storable(value: Any) -> Any:
    """The same value, with replacement characters where its text cannot be kept."""
    if isinstance(value, str):
        return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
