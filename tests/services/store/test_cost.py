"""How many statements the store needs where it is asked often."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.database import Database, sqlite_url
from app.models import ConversationFilter, EventKind
from app.services.store.client import DatabaseStore
from tests.contracts.conversing import QUESTION, asking, send
from tests.contracts.test_store import accepted, claim_of, queue


class Counted:
    """A store on a file, and the statements that it has sent."""

    def __init__(self, directory: Path) -> None:
        database = Database(url=sqlite_url(directory / "auto-code.db"))
        self.store = DatabaseStore(database=database, patience_s=0)
        self.statements: list[str] = []
        for engine in (database.writer, database.reader):
            sa.event.listen(engine, "before_cursor_execute", self._heard)

    def told(self) -> list[str]:
        """The statements since the last time, without those that begin."""
        told, self.statements = [each for each in self.statements if not each.startswith("BEGIN")], []
        return told

    def _heard(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        self.statements.append(statement)


@pytest.fixture
async def counted(tmp_path: Path) -> AsyncIterator[Counted]:
    made = Counted(tmp_path)
    await made.store.start()
    yield made
    await made.store.stop()


async def test_a_list_takes_as_many_statements_however_long_it_is(counted: Counted) -> None:
    for number in range(8):
        await asking(counted.store, QUESTION, key=f"PROJ-{number}")
        await send(counted.store, f"m{number}", "", key=f"PROJ-{number}")
    counted.told()
    await counted.store.conversations(ConversationFilter(limit=1))
    short = counted.told()
    await counted.store.conversations(ConversationFilter())
    assert len(counted.told()) == len(short) < 10


async def test_an_event_takes_two_statements(counted: Counted) -> None:
    run_id = await accepted(counted.store)
    await counted.store.append(run_id, EventKind.TEXT, {"text": "…"})
    counted.told()
    await counted.store.append(run_id, EventKind.TEXT, {"text": "…"})
    assert len(counted.told()) == 2


async def test_an_event_of_a_run_that_was_taken_takes_as_many(counted: Counted) -> None:
    run_id = await accepted(counted.store)
    await counted.store.take(run_id, "worker")
    await counted.store.append(run_id, EventKind.TEXT, {"text": "…"})
    counted.told()
    await counted.store.append(run_id, EventKind.TEXT, {"text": "…"})
    assert len(counted.told()) == 2


async def test_a_ticket_is_taken_with_seven_statements(counted: Counted) -> None:
    counted.told()
    names = ("id:1", None), ("body:1", datetime.now(UTC))
    await counted.store.claim(claim_of("PROJ-1", *names), queue)
    assert len(counted.told()) == 7
