"""Workflows for engines, and what became of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from app.services.engine import Steps

_ALL = "*"

LIMIT_S = 20.0
"""How long a test waits for what must happen."""


class Record:
    """A workflow of steps that are told by name, and what became of them. Those in `held` wait until let go."""

    def __init__(self, *names: str, held: frozenset[str] = frozenset()) -> None:
        self._names = names
        self._held = held
        self._free: set[str] = set()
        self._news = asyncio.Condition()
        self.begun: list[tuple[str, str]] = []
        self.cancelled: list[tuple[str, str]] = []
        self.results: dict[str, list[Any]] = {}
        self.errors: dict[str, Exception] = {}
        self.at_work: set[str] = set()
        self.most_at_work = 0

    async def __call__(self, run_id: str, steps: Steps) -> None:
        """The workflow."""
        results = [await steps.run(name, self._step(run_id, name), str) for name in self._names]
        await self._say(lambda: self.results.update({run_id: results}))

    async def let_go(self, *run_ids: str) -> None:
        """Let held steps of these runs end; without names, of all."""
        await self._say(lambda: self._free.update(run_ids or {_ALL}))

    async def until(self, happened: Callable[[], bool]) -> None:
        """Return when it has happened."""
        async with asyncio.timeout(LIMIT_S), self._news:
            await self._news.wait_for(happened)

    async def until_at_work(self, count: int) -> None:
        """Return when so many runs are in a step, or more."""
        await self.until(lambda: len(self.at_work) >= count)

    async def until_ended(self, count: int) -> None:
        """Return when so many runs have ended."""
        await self.until(lambda: len(self.results) >= count)

    def _step(self, run_id: str, name: str) -> Callable[[], Awaitable[str]]:
        async def step() -> str:
            self.at_work.add(run_id)
            self.most_at_work = max(self.most_at_work, len(self.at_work))
            await self._say(lambda: self.begun.append((run_id, name)))
            try:
                if name in self._held:
                    async with self._news:
                        await self._news.wait_for(lambda: bool(self._free & {run_id, _ALL}))
            except asyncio.CancelledError:
                self.cancelled.append((run_id, name))
                raise
            finally:
                await self._say(lambda: self.at_work.discard(run_id))
            return f"{name} of {run_id}, begun as number {len(self.begun)}"

        return step

    async def _say(self, change: Callable[[], None]) -> None:
        async with self._news:
            change()
            self._news.notify_all()
