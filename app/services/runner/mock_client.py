"""A runner that takes tickets and works on none: for doors."""

from collections.abc import Mapping
from typing import Any

from app.domain.eligibility import Starters
from app.domain.model_limits import OPEN, Standing
from app.errors import StoreUnavailable
from app.models import PipelineOptions, Work
from app.results import WorkerState
from app.services.github.base import Repositories
from app.services.runner.desk import Desk
from app.services.store.base import Store
from app.services.tracker.base import Tracker


class MockRunner(Desk):
    """Keeps tickets in `store`, where a test says what happens in their runs. `queued` are the works in their order.

    `amiss` is what keeps it from beginning a run, and what pages show of that.
    """

    def __init__(
        self,
        *,
        store: Store,
        tracker: Tracker,
        repositories: Repositories,
        options: PipelineOptions | None = None,
        models: Mapping[str, str] | None = None,
        starters: Starters = Starters(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(
            store=store,
            tracker=tracker,
            repositories=repositories,
            options=options or PipelineOptions(),
            models=models or {"claude-sonnet-4-6": "Sonnet 4.6", "claude-opus-4-8": "Opus 4.8"},
            starters=starters,
        )
        self.queued: list[str] = []
        self.cancelled: list[str] = []
        self.amiss: dict[str, str] = {}
        self._draining = False

    async def start(self) -> None:
        await self._store.start()

    async def drain(self) -> None:
        self._draining = True

    async def stop(self) -> None:
        await self._store.stop()

    @property
    def state(self) -> WorkerState:
        if self._draining:
            return WorkerState.DRAINING
        return WorkerState.FULL if "disk" in self.amiss else WorkerState.WORKING

    @property
    def at_work(self) -> tuple[str, ...]:
        return ()

    @property
    def notice(self) -> str:
        return " ".join(self.amiss.values())

    async def hindrances(self) -> Mapping[str, str]:
        draining = {"draining": "This process takes nothing new."} if self._draining else {}
        try:
            await self.check()
        except StoreUnavailable as error:
            return self.amiss | draining | {"database": error.message}
        return self.amiss | draining

    @property
    def standing(self) -> Standing:
        return OPEN

    def _enqueue(self, transaction: Any, work: Work) -> None:  # noqa: ARG002
        self.queued.append(work.id)

    async def _cancel(self, work: str) -> None:
        self.cancelled.append(work)
