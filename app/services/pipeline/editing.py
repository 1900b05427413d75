"""What the author's tool calls tell of its edits, before anybody has looked at the files."""

import asyncio
from collections.abc import Mapping
from typing import Any

from app.models import EventKind

_EDITING = frozenset({"Edit", "Write", "Bash"})


class Edits:
    """Hears a turn's events, and knows when files may have changed: once a call that edits has returned."""

    def __init__(self) -> None:
        self._calls: set[str] = set()
        self._made = asyncio.Event()

    def hear(self, kind: EventKind, payload: Mapping[str, Any]) -> None:
        """Take in one event of the turn."""
        if kind is EventKind.TOOL_CALLED and payload["name"] in _EDITING:
            self._calls.add(payload["id"])
        elif kind is EventKind.TOOL_RETURNED and payload["id"] in self._calls:
            self._calls.discard(payload["id"])
            self._made.set()

    async def wait(self) -> None:
        """Return when there was an edit since `clear`."""
        await self._made.wait()

    def clear(self) -> None:
        """Look at later edits only."""
        self._made.clear()
