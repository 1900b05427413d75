"""Several workers on one database, each in a process of its own where the database is real."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.services.engine import Engine
from app.services.engine.mock_client import Journal, MockEngine
from tests.contracts.engines import SWEEP_S, InDatabase, InMemory, Place
from tests.contracts.records import LIMIT_S, Record

_ROOT = Path(__file__).parents[2]


class Fellow(ABC):
    """One of the workers. `record` is what its steps have done."""

    record: Record
    worker_id: str

    @abstractmethod
    async def let_go(self, *works: str) -> None:
        """Let held steps of these works end; without names, of all."""

    @abstractmethod
    async def tell(self, what: str, *works: str) -> frozenset[str]:
        """Have it `drain`, `halt` or `cancel`; what is under way after that."""

    @abstractmethod
    async def stop(self) -> None:
        """End in order."""

    @abstractmethod
    async def kill(self) -> None:
        """End at once."""


class Fleet(ABC):
    """What the workers share."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.outside: Engine = place.engine()

    @abstractmethod
    async def fellow(self, *names: str, held: tuple[str, ...] = (), **limits: int | None) -> Fellow:
        """Another worker, whose workflow has these steps."""

    async def close(self) -> None:
        """End every worker."""
        await self.place.close()


class _Near(Fellow):
    def __init__(self, engine: MockEngine, record: Record, journal: Journal) -> None:
        self.record = record
        self.worker_id = engine.worker_id
        self._engine = engine
        self._journal = journal

    async def let_go(self, *works: str) -> None:
        await self.record.let_go(*works)

    async def tell(self, what: str, *works: str) -> frozenset[str]:
        match what:
            case "drain":
                self._engine.drain()
            case "halt":
                self._engine.halt()
            case "cancel":
                await self._engine.cancel(*works)
        return self._engine.under_way

    async def stop(self) -> None:
        await self._engine.stop()
        await self._engine.release()

    async def kill(self) -> None:
        await self._engine.die()
        await self._engine.release()
        self._journal.leave(self.worker_id)  # as the others' sweep finds it


class MockFleet(Fleet):
    """Engines that share a journal."""

    def __init__(self) -> None:
        self._journal = Journal(shared=True)
        super().__init__(InMemory(self._journal))
        self._fellows: list[_Near] = []

    async def fellow(self, *names: str, held: tuple[str, ...] = (), **limits: int | None) -> Fellow:
        record = Record(*names, held=frozenset(held))
        engine = self.place.engine(**limits)  # type: ignore[arg-type]
        assert isinstance(engine, MockEngine)
        await engine.open()
        await engine.start(record)
        fellow = _Near(engine, record, self._journal)
        self._fellows.append(fellow)
        return fellow

    async def close(self) -> None:
        for each in self._fellows:
            await each.stop()
        await super().close()


class _Heard(Record):
    """What another process says of itself."""

    async def hear(self, news: Mapping[str, Any]) -> None:
        """Take a line."""
        if "begun" in news:
            await self._say(lambda: self._replace(news))

    def _replace(self, news: Mapping[str, Any]) -> None:
        self.begun = [(work, step) for work, step in news["begun"]]
        self.cancelled = [(work, step) for work, step in news["cancelled"]]
        self.at_work = set(news["at_work"])
        self.results = news["results"]


class Nursery:
    """Where the processes come from."""

    def __init__(self, directory: Path) -> None:
        self.socket = str(directory / "nursery")
        argv = [sys.executable, "-m", "tests.contracts.fellow_process", self.socket]
        self._process = subprocess.Popen(argv, cwd=_ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def close(self) -> None:
        """End it; its processes have ended."""
        self._process.kill()
        self._process.communicate()


class _Far(Fellow):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.record = self._heard = _Heard()
        self._reader, self._writer = reader, writer
        self._process = 0
        self._known = asyncio.Event()
        self._done: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    async def begin(self, wanted: Mapping[str, Any]) -> None:
        """Return when it works."""
        self._write(wanted)
        async with asyncio.timeout(LIMIT_S):
            await self._known.wait()

    async def let_go(self, *works: str) -> None:
        await self.tell("let go", *works)

    async def tell(self, what: str, *works: str) -> frozenset[str]:
        self._write([what, *works])
        async with asyncio.timeout(LIMIT_S):
            return await self._done.get()

    async def stop(self) -> None:
        self._write(["stop"])
        await self._ended()

    async def kill(self) -> None:
        if not self._reading.done():
            os.kill(self._process, signal.SIGKILL)
        await self._ended()

    def _write(self, line: object) -> None:
        self._writer.write(json.dumps(line).encode() + b"\n")

    async def _ended(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            await self._reading
        self._writer.close()

    async def _read(self) -> None:
        while line := await self._reader.readline():
            news = json.loads(line)
            if "worker_id" in news:
                self.worker_id, self._process = news["worker_id"], news["process"]
                self._known.set()
            if "done" in news:
                self._done.put_nowait(frozenset(news["under_way"]))
            await self._heard.hear(news)


class PostgresFleet(Fleet):
    """Processes on one database."""

    def __init__(self, place: InDatabase, nursery: Nursery) -> None:
        super().__init__(place)
        self._url = place.url
        self._nursery = nursery
        self._fellows: list[_Far] = []

    async def fellow(self, *names: str, held: tuple[str, ...] = (), **limits: int | None) -> Fellow:
        fellow = _Far(*await asyncio.open_unix_connection(self._nursery.socket, limit=2**20))
        self._fellows.append(fellow)
        limits = {"concurrency": 4, **limits}
        await fellow.begin({"url": self._url, "names": names, "held": held, "limits": limits, "sweep_s": SWEEP_S})
        return fellow

    async def close(self) -> None:
        for each in self._fellows:
            await each.kill()
        await super().close()
