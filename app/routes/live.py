"""What comes in one conversation while somebody reads it, heard once for all of its readers.

Nothing here belongs to a reader. Each takes what there is at its own pace; one that falls behind reads for itself until
it has come to where the others are.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from weakref import WeakValueDictionary

from app.errors import AutoCodeError
from app.models import Event, EventKind, PipelineOptions
from app.routes.drawing import Drawing, Told
from app.routes.standing import Aspect, Listing, Standing
from app.services.runner import Runner
from app.web.presenters.thread import Thread
from app.web.rendering import Rendering

_STAND_EVERY_S = 0.25

_BESIDE: dict[str, Aspect] = {
    EventKind.CHANGES_UPDATED: "changes",
    EventKind.PULL_REQUEST: "changes",
    EventKind.PLAN_PROPOSED: "plans",
    EventKind.ANSWERED: "plans",
    EventKind.RUN_STATUS: "details",
    EventKind.TURN_ENDED: "details",
}
"""What an event changes beside the thread."""


class Live:
    """A conversation, or the list of them alone where `key` is None, as its readers hear of it.

    `place` is the last event that was heard of, and `writing` the text that is being written. `drawn` are the ids of
    what changed of how things stand while somebody read, each with the event that it was last drawn for. `over` says
    that nothing more is heard: the database went away.
    """

    def __init__(self, runner: Runner, rendering: Rendering, standing: Standing, *, key: str | None) -> None:
        self.key = key
        self.place = 0
        self.writing: str | None = None
        self.over = False
        self.drawn: dict[str, int] = {}
        self._runner = runner
        self._rendering = rendering
        self._standing = standing
        self._drawings: WeakValueDictionary[int, Drawing] = WeakValueDictionary()
        self._bells: set[asyncio.Event] = set()
        self._hearing: asyncio.Task[None] | None = None
        self._stale = asyncio.Event()
        self._changed: dict[Aspect, int] = {}
        self._listed_at: float | None = None

    @contextmanager
    def reading(self, *, last: int) -> Iterator[asyncio.Event]:
        """A bell that rings at whatever comes, as long as the block lasts; at least once in 15 seconds.

        `last` is a number above which nothing was known a moment ago.
        """
        bell = asyncio.Event()
        self._bells.add(bell)
        if self._hearing is None:
            self.place, self.over = max(last, self.place), False
            self._hearing = asyncio.create_task(self._run())
        try:
            yield bell
        finally:
            self._bells.discard(bell)
            if not self._bells and self._hearing is not None:
                self._hearing.cancel()
                self._hearing = None

    async def since(self, number: int, *, limit: int) -> Sequence[Event]:
        """The first events of the conversation above the number, as they are stored."""
        return () if self.key is None else await self._runner.since(self.key, after=number, limit=limit)

    async def draw(self, wanted: Mapping[Aspect, int], *, listed_at: float | None) -> dict[str, bytes]:
        """See `Standing.draw`."""
        return await self._standing.draw(wanted, listed_at=listed_at)

    @property
    def parts(self) -> Mapping[str, bytes]:
        """How things stand, as it was last drawn, by the ids of its fragments."""
        return self._standing.parts

    def drawing(self, begin: int) -> Drawing:
        """The conversation's thread from `begin` on, for all who read that."""
        if (known := self._drawings.get(begin)) is None:
            known = self._drawings[begin] = self.own_drawing(begin)
        return known

    def own_drawing(self, begin: int) -> Drawing:
        """The same for one reader."""
        thread = Thread(self.key or "", models=self._runner.models, turns_before=0 if begin == 1 else None)
        return Drawing(thread, self._rendering, begin=begin)

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear())
                group.create_task(self._stand())
        except* AutoCodeError:
            pass  # the readers come again, and hear why
        finally:
            self.over = True
            self._ring()

    async def _hear(self) -> None:
        async for update in self._runner.watch(self.key, after=self.place):
            if update.events:
                self._tell(update.events)
            self.writing = update.writing
            if update.elsewhere:
                self._listed_at = time.monotonic()
            if update.events or update.elsewhere:
                self._stale.set()
            self._ring()

    def _tell(self, events: Sequence[Event]) -> None:
        for drawing in self._drawings.values():
            drawing.tell(events, after=self.place)
        self.place = events[-1].seq
        self._changed |= {"parts": self.place, **aspects_of(events)}

    async def _stand(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            (changed, self._changed), (listed_at, self._listed_at) = (self._changed, {}), (self._listed_at, None)
            drawn = await self.draw(changed, listed_at=listed_at)
            self.drawn |= dict.fromkeys(drawn, max(changed.values(), default=0))
            self._ring()
            await asyncio.sleep(_STAND_EVERY_S)

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()


class Audience:
    """The readers of this process: those of the same conversation hear the same `Live`, which is gone with the last."""

    def __init__(self, *, runner: Runner, rendering: Rendering, options: PipelineOptions) -> None:
        self._runner = runner
        self._rendering = rendering
        self._options = options
        self._listing = Listing(runner)
        self._lives: WeakValueDictionary[str | None, Live] = WeakValueDictionary()

    def live(self, key: str | None) -> Live:
        """A conversation as it goes on; None for the list of them alone."""
        if (known := self._lives.get(key)) is None:
            standing = Standing(self._runner, self._rendering, self._options, self._listing, key=key)
            known = self._lives[key] = Live(self._runner, self._rendering, standing, key=key)
        return known


def aspects_of(events: Iterable[Event | Told]) -> dict[Aspect, int]:
    """What the events change beside the thread, each with the number of the last that does."""
    return {_BESIDE[event.kind]: event.seq for event in events if event.kind in _BESIDE}
