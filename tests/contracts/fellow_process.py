"""Workers in processes of their own: each does what it is told on a socket, and says there what it does.

One process imports all that they need and becomes each of them by a fork, which takes milliseconds instead of seconds.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from app import logger
from app.database import Database
from app.services.engine.base import Patience
from app.services.engine.client import DbosEngine
from tests.contracts.records import Record


class SaidAloud(Record):
    """Tells whoever listens all that happens."""

    def __init__(self, *names: str, held: frozenset[str], writer: asyncio.StreamWriter) -> None:
        super().__init__(*names, held=held)
        self._writer = writer

    def tell(self, **news: Any) -> None:
        """Say a line."""
        self._writer.write(json.dumps(news).encode() + b"\n")

    async def _say(self, change: Callable[[], None]) -> None:
        await super()._say(change)
        self.tell(begun=self.begun, at_work=sorted(self.at_work), results=self.results, cancelled=self.cancelled)


async def _work(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    wanted = json.loads(await reader.readline())
    record = SaidAloud(*wanted["names"], held=frozenset(wanted["held"]), writer=writer)
    engine = DbosEngine(
        database=Database(url=wanted["url"]),
        **wanted["limits"],
        patience=Patience(retry_after_s=(0.01, 0.01, 0.01), overload_s=0.1),
        sweep_s=wanted["sweep_s"],
    )
    await engine.open()
    await engine.start(record)
    record.tell(worker_id=engine.worker_id, process=os.getpid())
    while line := await reader.readline():
        told, *what = json.loads(line)
        await _do(engine, record, told, what)
        record.tell(done=told, under_way=sorted(engine.under_way))
        if told == "stop":
            break
    await writer.drain()


async def _do(engine: DbosEngine, record: SaidAloud, told: str, what: list[str]) -> None:
    match told:
        case "let go":
            await record.let_go(*what)
        case "drain":
            engine.drain()
        case "halt":
            engine.halt()
        case "cancel":
            await engine.cancel(*what)
        case "stop":
            await engine.stop()
            await engine.release()


def _nurse(path: str) -> None:
    """Become a worker for each connection to the socket at `path`, until whoever started this is gone."""
    logger.configure("warning", stream=sys.stderr)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print(flush=True)  # noqa: T201 - it listens
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                asyncio.run(_work(connection))
                os._exit(0)  # threads of a database that is away may hang for long
            connection.close()


if __name__ == "__main__":
    _nurse(sys.argv[1])
