"""What an event's payload may hold: JSON without NUL characters, whatever keeps it."""

from collections.abc import Mapping
from typing import Any

_NULL = "\x00"


def without_null(value: Any) -> Any:
    """The same value without NUL characters, which Postgres takes in no text."""
    if isinstance(value, str):
        return value.replace(_NULL, "\N{REPLACEMENT CHARACTER}") if _NULL in value else value
    if isinstance(value, Mapping):
        return {without_null(key): without_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_null(item) for item in value]
    return value
