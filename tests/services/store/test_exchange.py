"""What one process writes to Postgres, the others see at once: events, the list, and text that is being written."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa

from app.database import Database
from app.models import EventKind, RunStatus
from app.services.store.base import Store, Update
from app.services.store.client import DatabaseStore
from app.services.store.notices import CHANNEL
from tests.contracts.conversing import KEY, EngineAway, message_of, refuse, running
from tests.contracts.databases import Databases, PostgresDatabases
from tests.contracts.test_store import accepted, claim_of
from tests.postgres import Postgres

NEVER_S = 3600.0
LIMIT_S = 20.0

Process = Callable[[], Awaitable[Store]]


@pytest.fixture(scope="module")
def databases(postgres: Postgres) -> Databases:
    """Of a server."""
    return PostgresDatabases(postgres)


@pytest.fixture
def database(databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """An empty one."""
    made = databases.empty(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def process(database: Database) -> AsyncIterator[Process]:
    """Makes stores as processes have them, which see what others write by being told of it and not by looking."""
    made: list[DatabaseStore] = []

    async def start() -> Store:
        made.append(DatabaseStore(database=Database(url=database.url), patience_s=LIMIT_S, look_every_s=NEVER_S))
        await made[-1].start()
        return made[-1]

    yield start
    for each in made:
        await each.stop()


@asynccontextmanager
async def watching(store: Store, ticket: str | None = KEY, *, after: int = 0) -> AsyncIterator[AsyncIterator[Update]]:
    """A watcher that has heard what there was."""
    async with aclosing(cast("Any", store.watch(ticket, after=after))) as updates:
        await anext(updates)
        yield updates


async def until(updates: AsyncIterator[Update], sees: Callable[[Update], bool]) -> Update:
    """The first update that is so."""
    async with asyncio.timeout(LIMIT_S):
        return await anext(update async for update in updates if sees(update))


async def test_an_event_is_seen_in_another_process_at_once(process: Process) -> None:
    here, there = await process(), await process()
    run_id = await running(here)
    async with watching(there) as updates:
        await here.append(run_id, EventKind.NOTICE, {"text": "One"})
        assert [event.seq for event in (await until(updates, lambda each: bool(each.events))).events] == [3]


async def test_a_run_is_followed_to_its_end_in_another_process(process: Process) -> None:
    here, there = await process(), await process()
    run_id = await running(here)

    async def followed() -> list[int]:
        async with asyncio.timeout(LIMIT_S):
            return [event.seq async for event in there.follow(run_id)]

    following = asyncio.create_task(followed())
    await here.append(run_id, EventKind.NOTICE, {"text": "One"})
    await here.move(run_id, RunStatus.IDLE)
    assert await following == [1, 2, 3, 4]


async def test_the_list_of_another_process_hears_that_a_conversation_changed(process: Process) -> None:
    here, there = await process(), await process()
    async with watching(there, None) as updates:
        await accepted(here)
        assert (await until(updates, lambda each: each.elsewhere)).events == ()


async def test_the_list_hears_of_what_it_shows_and_nothing_else(process: Process) -> None:
    here, there = await process(), await process()
    run_id = await running(here)
    async with watching(there) as beside:
        await here.whisper(run_id, "So far all is heard")
        await until(beside, lambda each: each.writing == "So far all is heard")
        async with watching(there, None) as updates:
            coming = asyncio.ensure_future(until(updates, lambda each: each.elsewhere))
            await here.append(run_id, EventKind.NOTICE, {"text": "One"})
            await here.whisper(run_id, "And this")
            await until(beside, lambda each: each.writing == "And this")
            assert not coming.done()
            await here.move(run_id, RunStatus.IDLE)
            assert (await coming).elsewhere


async def test_a_new_text_of_a_ticket_is_seen_in_the_lists_of_all(process: Process) -> None:
    here, there = await process(), await process()
    await here.keep_ticket(claim_of(KEY).ticket)
    async with watching(there, None) as updates:
        await here.keep_ticket(claim_of(KEY).ticket.model_copy(update={"summary": "Another one"}))
        assert (await until(updates, lambda each: each.elsewhere)).elsewhere


async def test_what_is_rolled_back_is_told_nobody(process: Process, database: Database) -> None:
    here = await process()
    listener = await listening(database)
    with pytest.raises(EngineAway):
        await here.send(message_of(key="PROJ-2"), refuse, message_id="m")
    await accepted(here)
    async with asyncio.timeout(LIMIT_S), listener:
        told = await anext(listener.notifies())
    assert "PROJ-2" not in told.payload
    assert KEY in told.payload


# The text that is being written


async def test_the_text_that_is_being_written_is_seen_in_another_process(process: Process) -> None:
    here, there = await process(), await process()
    run_id = await running(here)
    async with watching(there) as updates:
        for text in ("Let", "Let me", "Let me see"):
            await here.whisper(run_id, text)
        await until(updates, lambda each: each.writing == "Let me see")
        await here.whisper(run_id, "Let us see")
        await until(updates, lambda each: each.writing == "Let us see")
        await here.whisper(run_id, "")
        assert (await until(updates, lambda each: each.writing is None)).writing is None


@pytest.mark.parametrize("letter", ["a", "\n", "\N{CLINKING BEER MUGS}"])
async def test_a_text_of_any_length_and_alphabet_is_seen_whole(process: Process, letter: str) -> None:
    here, there = await process(), await process()
    run_id, text = await running(here), letter * 20_000
    async with watching(there) as updates:
        await here.whisper(run_id, text)
        await until(updates, lambda each: each.writing == text)


async def test_who_has_missed_the_beginning_of_a_text_sees_nothing_until_the_next(process: Process) -> None:
    here, other = await process(), await process()
    run_id = await running(here)
    async with watching(other) as early:
        await here.whisper(run_id, "Let")
        await until(early, lambda each: each.writing == "Let")
        late = await process()
        async with watching(late) as updates:
            coming = asyncio.ensure_future(until(updates, lambda each: each.writing is not None))
            await here.whisper(run_id, "Let me")
            await until(early, lambda each: each.writing == "Let me")
            await here.whisper(run_id, "")
            await until(early, lambda each: each.writing is None)
            await here.whisper(run_id, "New")
            assert (await coming).writing == "New"


# Gaps


async def test_what_happened_while_nothing_was_heard_is_seen_once_the_connection_is_back(
    process: Process, database: Database
) -> None:
    here, there = await process(), await process()
    run_id = await running(here)
    async with watching(there) as updates:
        await here.whisper(run_id, "Let")
        await until(updates, lambda each: each.writing == "Let")
        cut(database, "LISTEN %")
        await here.append(run_id, EventKind.NOTICE, {"text": "One"})
        update = await until(updates, lambda each: bool(each.events))
        assert ([event.seq for event in update.events], update.writing) == ([3], None)
        await here.append(run_id, EventKind.NOTICE, {"text": "Two"})
        await until(updates, lambda each: bool(each.events))


@pytest.mark.parametrize("text", ["Let me", ""])
async def test_what_could_not_be_told_is_told_once_the_connection_is_back(
    process: Process, database: Database, text: str
) -> None:
    here, there = await process(), await process()
    run_id = await running(here)
    async with watching(there) as updates:
        await here.whisper(run_id, "Let")
        await until(updates, lambda each: each.writing == "Let")
        cut(database, "%pg_notify%")
        await here.whisper(run_id, text)
        await until(updates, lambda each: (each.writing or "") == text)
        cut(database, "%pg_notify%")
        await here.append(run_id, EventKind.NOTICE, {"text": "One"})
        await until(updates, lambda each: bool(each.events))


async def listening(database: Database) -> psycopg.AsyncConnection[Any]:
    """A connection that hears what is told."""
    _, known = database.writer.dialect.create_connect_args(database.writer.engine.url)
    connection = await psycopg.AsyncConnection.connect(autocommit=True, **known)
    await connection.execute(f"LISTEN {CHANNEL}")
    return connection


def cut(database: Database, query: str) -> None:
    """End every connection that last said something like it."""
    which = "query LIKE :query AND datname = current_database() AND pid <> pg_backend_pid()"
    ended = sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}")  # noqa: S608
    with database.writer.begin() as connection:
        assert connection.execute(ended, {"query": query}).all()
