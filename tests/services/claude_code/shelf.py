"""An archive of transcripts in memory."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import StoreUnavailable

Entry = Mapping[str, Any]


class Shelf:
    """Keeps entries as a database would, once it is `ready`. While it is `away`, it keeps nothing and says so."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, dict[str, list[Entry]]] = defaultdict(dict)
        self._changed = asyncio.Condition()
        self.away = False
        self.ready = asyncio.Event()
        self.ready.set()

    async def keep_entries(self, session_id: str, subpath: str, entries: Sequence[Entry]) -> None:
        await self.ready.wait()
        if self.away:
            raise StoreUnavailable("The database is away.")
        kept = self._kept[session_id].setdefault(subpath, [])
        known = {entry.get("uuid") for entry in kept} - {None}
        kept += [json.loads(json.dumps(entry)) for entry in entries if entry.get("uuid") not in known]
        async with self._changed:
            self._changed.notify_all()

    async def entries(self, session_id: str) -> Mapping[str, tuple[Entry, ...]]:
        if self.away:
            raise StoreUnavailable("The database is away.")
        return {subpath: tuple(entries) for subpath, entries in self._kept[session_id].items()}

    def text(self, session_id: str) -> str:
        """All that is kept of a session, as JSON."""
        return json.dumps(self._kept[session_id])

    async def until(self, session_id: str, text: str) -> None:
        """Return when what is kept of the session holds the text."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: text in self.text(session_id))


class Lost:
    """The way to the shelf of a machine that will be lost: nothing comes through from then on."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.lost = False

    async def keep_entries(self, session_id: str, subpath: str, entries: Sequence[Entry]) -> None:
        if not self.lost:
            await self._shelf.keep_entries(session_id, subpath, entries)

    async def entries(self, session_id: str) -> Mapping[str, tuple[Entry, ...]]:
        return await self._shelf.entries(session_id)
