"""A runner that takes tickets and works on none: for doors."""

from collections.abc import Mapping
from typing import Any

from app.domain.eligibility import Starters
from app.domain.model_limits import OPEN, Standing
from app.models import PipelineOptions
from app.services.github.base import Repositories
from app.services.runner.desk import Desk
from app.services.store.base import Store
from app.services.tracker.base import Tracker


class MockRunner(Desk):
    """Keeps tickets in `store`, where a test says what happens in their runs. `queued` are the works in their order."""

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

    async def start(self) -> None:
        await self._store.start()

    async def stop(self) -> None:
        await self._store.stop()

    @property
    def standing(self) -> Standing:
        return OPEN

    def _enqueue(self, transaction: Any, work: str) -> None:  # noqa: ARG002
        self.queued.append(work)

    async def _cancel(self, work: str) -> None:
        self.cancelled.append(work)
