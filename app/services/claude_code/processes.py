"""The CLI processes: one a session, never more than the limit, and a spare that waits ready in a slot nobody needs."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app import metrics
from app.errors import WorkFailed
from app.services.claude_code.base import Archive, Reply, SessionRef
from app.services.claude_code.directories import Directories
from app.services.claude_code.doors import Surroundings
from app.services.claude_code.live import LiveSession
from app.services.claude_code.mirrors import Mirrors
from app.services.claude_code.options import Opening, Role
from app.services.claude_code.transcripts import History, Transcript


class Processes:
    """Opens, keeps and ends them. Who waits for a process gets one in order of asking.

    Without a `spare_role` there is no spare.
    """

    def __init__(
        self, *, surroundings: Surroundings, limit: int, spare_role: Role | None, archive: Archive | None
    ) -> None:
        self._around = surroundings
        self._cli = surroundings.cli
        self._spare_role = spare_role
        self._directories = Directories(surroundings.cli)
        self._mirrors = Mirrors(archive=archive, cli=surroundings.cli)
        self._free = asyncio.Semaphore(limit)
        self._waiting: Counter[str] = Counter()
        """Sessions that wait for others."""
        self._live: dict[str, LiveSession] = {}
        self._spare: LiveSession | None = None
        self._making_spare: asyncio.Task[None] | None = None
        self.expected_reads: tuple[Path, ...] = ()
        """The git directories that the spare may read: the last session's, which the next most likely needs, too."""

    async def stop(self) -> None:
        """End them all."""
        if self._making_spare is not None:
            self._making_spare.cancel()
            await asyncio.wait({self._making_spare})
        await self._give_up_spare()
        await asyncio.gather(*(self.drop(session_id) for session_id in list(self._live)))
        await self._mirrors.stop()

    def reserve(self) -> str:
        """An id for a new session. The spare, where there is one, is that session's from now on."""
        spare, self._spare = self._spare, None
        if spare is None:
            return str(uuid.uuid4())
        self._live[spare.session.id] = spare  # with the slot that it holds, also where it did not start
        return spare.session.id

    async def ground(self, session_id: str) -> Path | None:
        """The directory that the session's process can work in, while that is no worktree yet."""
        live, ground = self._live.get(session_id), self._directories.ground(session_id)
        if live is None or live.session.directory != ground:
            return None
        try:
            await live.ready()  # once it is in its room, that follows the directory wherever it goes
        except WorkFailed:
            return None
        return ground

    async def open(
        self, session: SessionRef, role: Role, *, model: str | None = None, reply: Reply | None = None
    ) -> LiveSession:
        """The session's process: the one that runs, a spare that moves in, or a new one that resumes what there is.

        A `reply` is given to a new process as it opens: only then does the CLI take up the call that waits for it.
        """
        live = self._live.get(session.id)
        if reply is None and live is not None and not live.lost and await _is_at(live, session):
            return live
        await self.drop(session.id)
        if session.reads:
            self.expected_reads = session.reads
        history = await self.history(session.id)
        mirror = self._mirrors.of(session.id)
        opening = Opening(session=session, role=role, model=model or self._cli.model, history=history, mirror=mirror)
        if self._free.locked():
            await self._give_up_spare()
        with self._said_to_wait(session.id):
            await self._take_slot()
        opened = self._live[session.id] = LiveSession(surroundings=self._around, opening=opening, reply=reply)
        opened.open_soon()
        return opened

    async def drop(self, session_id: str) -> None:
        """End the session's process, if it has one."""
        if (live := self._live.pop(session_id, None)) is not None:
            try:
                await asyncio.shield(live.close())
            finally:
                self._give_slot_back()

    def waits(self, session_id: str) -> bool:
        """Whether the session waits for a process to become free, or for the archive."""
        return self._waiting[session_id] > 0

    async def settle(self, session_id: str) -> None:
        """Return when the archive has what the session did, or is away."""
        if (mirror := self._mirrors.of(session_id)) is not None:
            await mirror.settle()

    async def leave(self, session_id: str) -> None:
        """End the session's process, and let go of the session: it may go on elsewhere."""
        await self.drop(session_id)
        await self._mirrors.leave(session_id)

    async def sessions(self) -> tuple[str, ...]:
        """The sessions with a directory here that no process of ours is of."""
        found = await asyncio.to_thread(self._directories.sessions)
        kept = {self._spare.session.id} if self._spare is not None else set()
        return tuple(each for each in found if each not in kept and each not in self._live)

    async def forget(self, session_id: str) -> None:
        """Delete the session's directory. It has no process."""
        await asyncio.to_thread(self._directories.remove, session_id)

    async def remove_leftovers(self) -> None:
        """Delete what spares of processes that died have left. Called before there is a spare."""
        await asyncio.to_thread(self._directories.remove_leftovers)

    async def make_room(self, beside: str) -> None:
        """Let one more process be opened: by the spare's end, or else by that of the session `beside`."""
        if self._free.locked() and self._spare is None:
            await self.drop(beside)

    def refill(self) -> None:
        """Make a spare in the background, if there is none and a slot is free."""
        wanted = self._spare is None and self._making_spare is None and not self._free.locked()
        if wanted and self._spare_role is not None:
            self._making_spare = asyncio.create_task(self._make_spare(self._spare_role))

    async def history(self, session_id: str) -> History:
        """What the CLI wrote down of the session, here or where it was at work last."""
        if (mirror := self._mirrors.of(session_id)) is not None:
            with self._said_to_wait(session_id):
                await mirror.meet()
        transcript = Transcript(config_directory=self._cli.config_directory(session_id), session_id=session_id)
        return await asyncio.to_thread(transcript.read)

    @contextlib.contextmanager
    def _said_to_wait(self, session_id: str) -> Iterator[None]:
        self._waiting[session_id] += 1
        try:
            yield
        finally:
            self._waiting[session_id] -= 1
            self._waiting += Counter()  # which takes away what is at nothing

    async def _take_slot(self) -> None:
        await self._free.acquire()
        metrics.cli_processes.inc()

    def _give_slot_back(self) -> None:
        metrics.cli_processes.dec()
        self._free.release()

    async def _make_spare(self, role: Role) -> None:
        try:
            await self._take_slot()
            session_id = str(uuid.uuid4())
            ground = self._directories.ground(session_id)
            ground.mkdir(parents=True)
            session = SessionRef(id=session_id, directory=ground, reads=self.expected_reads)
            mirror = self._mirrors.of(session_id)
            opening = Opening(session=session, role=role, model=self._cli.model, mirror=mirror)
            self._spare = LiveSession(surroundings=self._around, opening=opening)
            with contextlib.suppress(WorkFailed):  # who takes it meets the same, and says it
                await self._spare.ready()
        finally:
            self._making_spare = None

    async def _give_up_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            try:
                await asyncio.shield(spare.close())
            finally:
                self._give_slot_back()
            with contextlib.suppress(WorkFailed):  # the next start tries again, and says so
                await self.forget(spare.session.id)


async def _is_at(live: LiveSession, session: SessionRef) -> bool:
    """Whether the process works where the session does; a spare moves there if its room reaches so far."""
    if live.session == session:
        return True
    if not live.can_work_at(session):
        return False
    try:
        await live.move_to(session)
    except WorkFailed:
        return False
    return True
