"""Sessions travel: their transcripts are copied into an archive as they grow, and brought back where it is newer.

What the CLI wrote is the truth on its machine, so the copy is made from its files, and the SDK only says when. An
archive that is away holds up no turn: what it does not have yet it gets later.
"""

import asyncio
from collections.abc import Mapping, Sequence

from claude_agent_sdk.types import SessionKey, SessionStore, SessionStoreEntry

from app.errors import AutoCodeError, WorkFailed
from app.logger import get_logger
from app.services.claude_code.base import Archive
from app.services.claude_code.copies import Copies, Entry, is_behind, missing_in
from app.services.claude_code.options import CliSettings

_log = get_logger(__name__)

_SETTLE_LIMIT_S = 5.0
"""For which a turn's end waits, so that whoever is told of the end finds it in the archive."""
_BATCH = 500
"""Entries that are archived at once."""


class Mirrors:
    """The copies of all sessions that are at work here; none without an archive."""

    def __init__(self, *, archive: Archive | None, cli: CliSettings) -> None:
        self._archive = archive
        self._cli = cli
        self._mirrors: dict[str, Mirror] = {}

    def of(self, session_id: str) -> "Mirror | None":
        """The session's copy, the same until `leave`."""
        if self._archive is None:
            return None
        if session_id not in self._mirrors:
            copies = Copies(config_directory=self._cli.config_directory(session_id), session_id=session_id)
            # What it leaves out of the SDK's store counts as not offered.
            made = Mirror(archive=self._archive, session_id=session_id, copies=copies)  # type: ignore[abstract]
            self._mirrors[session_id] = made
        return self._mirrors[session_id]

    async def leave(self, session_id: str) -> None:
        """The session's process has ended; it may go on elsewhere."""
        if (mirror := self._mirrors.pop(session_id, None)) is not None:
            await mirror.settle()

    async def stop(self) -> None:
        """The same for all."""
        await asyncio.gather(*map(self.leave, list(self._mirrors)))


class Mirror(SessionStore):
    """One session's copy. Its process tells it that there is news."""

    def __init__(self, *, archive: Archive, session_id: str, copies: Copies) -> None:
        self._archive = archive
        self._id = session_id
        self._copies = copies
        self._meeting = asyncio.Lock()
        self._has_met = False
        self._unsaved: list[tuple[str, list[Entry]]] = []
        self._has_news = False
        self._copying: asyncio.Task[None] | None = None

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:  # noqa: ARG002 - the SDK's
        """The CLI has written something down. Returns at once: the SDK holds back the end of a turn until then."""
        self._copy_soon()

    async def load(self, key: SessionKey) -> None:
        """Nothing: the SDK would resume in a directory of its own, which is in no session's room."""

    async def meet(self) -> None:
        """Return when the files are at least as new as the archive. Called before the session's process is asked
        anything here. What the archive lacks it gets from then on.

        Raises what the archive does, and WorkFailed where the files cannot be written.
        """
        async with self._meeting:
            if self._has_met:
                return
            archived = await self._archive.entries(self._id)
            local = await asyncio.to_thread(self._copies.news)
            if is_behind(local, archived):
                await asyncio.to_thread(self._replace, archived)
                _log.info("session_arrived", session=self._id)
            else:
                self._unsaved += missing_in(archived, local).items()
                self._copy_soon()
            self._has_met = True

    async def settle(self) -> None:
        """Return when everything is in the archive, or that took too long; then it goes on in the background."""
        self._copy_soon()
        if self._copying is not None:
            await asyncio.wait({self._copying}, timeout=_SETTLE_LIMIT_S)

    def _replace(self, archived: Mapping[str, Sequence[Entry]]) -> None:
        try:
            self._copies.replace(archived)
        except OSError as error:
            said = f"The session's transcript cannot be brought to this machine: {error}."
            raise WorkFailed(f"{said} Make room in WORKSPACE_DIR, or mend its rights, then retry the run.") from error

    def _copy_soon(self) -> None:
        self._has_news = True
        if self._copying is None or self._copying.done():
            self._copying = asyncio.create_task(self._copy())

    async def _copy(self) -> None:
        try:
            while self._has_news:
                self._has_news = False
                self._unsaved += (await asyncio.to_thread(self._copies.news)).items()
                await self._save()
        except (AutoCodeError, OSError) as error:
            _log.warning("transcript_not_archived", session=self._id, error=str(error))

    async def _save(self) -> None:
        while self._unsaved:
            subpath, entries = self._unsaved[0]
            while entries:
                await self._archive.keep_entries(self._id, subpath, entries[:_BATCH])
                del entries[:_BATCH]
            del self._unsaved[0]
