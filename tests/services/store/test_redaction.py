"""No secret is kept, whatever a run, a model or a person writes, and none is shown while it is written."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.database import Database, sqlite_url
from app.models import (
    Answer,
    Asked,
    ConversationFilter,
    EventKind,
    FileChange,
    PipelineOptions,
    PullRequest,
    Question,
    RepositoryChanges,
    Request,
    RunMode,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
    Trigger,
)
from app.results import Checkpoint, Turn, Worker, WorkerState
from app.services.store import Claim, make_store
from app.services.store.client import DatabaseStore
from app.services.store.tables import metadata
from tests.contracts.conversing import heard
from tests.contracts.test_store import accepted, queue

KNOWN = "Zk3-9vQ_w8Lr2XyT7b"
SHAPED = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"
PLANTED = f"Use {KNOWN} or {SHAPED}."
NOW = datetime.now(UTC)
LEFT = "Use [redacted: GH_TOKEN] or [redacted: GitHub token]."
TICKET = Ticket(key="PROJ-1", summary=PLANTED, description=PLANTED, url=f"https://ada:{KNOWN}@jira.test/PROJ-1")
WITH_TEXT = {
    "conversations", "runs", "events", "turns", "messages", "questions", "changes", "people",
    "workers", "checkpoints", "transcript_entries",
}  # fmt: skip
"""The tables that hold what people, models and programs wrote."""


class Kept:
    """A store on a file, and all that is in it."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "auto-code.db"
        self._database = Database(url=sqlite_url(self.file))
        self.store = make_store(self._database, secrets={"GH_TOKEN": KNOWN})

    def tables(self) -> dict[str, str]:
        """Each table's rows as one text."""
        with self._database.reader.begin() as connection:
            return {
                table.name: json.dumps([tuple(row) for row in connection.execute(sa.select(table))], default=str)
                for table in metadata.sorted_tables
            }

    def bytes(self) -> bytes:
        """The file, with its journal."""
        return b"".join(file.read_bytes() for file in self.file.parent.glob(f"{self.file.name}*"))


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(tmp_path)
    await made.store.start()
    yield made
    await made.store.stop()


@pytest.fixture
def store(kept: Kept) -> DatabaseStore:
    assert isinstance(kept.store, DatabaseStore)
    return kept.store


def claim_of(text: str = PLANTED) -> Claim:
    return Claim(
        ticket=TICKET, trigger=Trigger.WEBHOOK, options=PipelineOptions(), request=Request(text=text, by=PLANTED)
    )


def message_of(text: str = PLANTED, mode: RunMode = RunMode.EDITS) -> Claim:
    request = Request(mode=mode, text=text, by=PLANTED)
    return Claim(ticket=TICKET, request=request, trigger=Trigger.MESSAGE, options=PipelineOptions())


def change_of(patch: str = PLANTED) -> RepositoryChanges:
    files = (FileChange(path=PLANTED, added=1, removed=0),)
    return RepositoryChanges(repository="acme/web", branch="ticket/proj-1", base="main", files=files, patch=patch)


async def say_everything(store: DatabaseStore) -> None:
    """All that can be written into a store, with secrets in each text."""
    await store.keep_ticket(TICKET)
    run_id = await accepted(store, claim_of())
    await store.move(run_id, RunStatus.RUNNING, by=PLANTED)
    await store.stage_started(run_id, StageName.IMPLEMENT)
    payload = {"input": {"command": PLANTED, PLANTED: [PLANTED]}, "content": PLANTED}
    await store.append(run_id, EventKind.TOOL_CALLED, payload)
    question = Question(id="q", asked=(Asked(question=PLANTED, header=PLANTED),))
    await store.record_turn(run_id, "implement", Turn(text=PLANTED, session_id="s", question=question))
    await store.keep_changes(run_id, change_of())
    await store.add_pull_request(run_id, PullRequest(url=f"https://x:{KNOWN}@h/1", number=1, repository="acme/web"))
    await store.ask(run_id, question)
    await store.answer("PROJ-1", "q", Answer(by=PLANTED, answers={PLANTED: PLANTED}, text=PLANTED), queue)
    await store.move(run_id, RunStatus.RUNNING)
    for number in ("1", "2", "3", "4"):
        await store.send(message_of(), queue, message_id=number)
    await store.withdraw("1", by=PLANTED)
    await store.stage_ended(run_id, StageName.IMPLEMENT, StageStatus.FAILED, summary=PLANTED)
    await store.move(run_id, RunStatus.FAILED, outcome=PLANTED, error=PLANTED, by=PLANTED)
    await store.send_now("2", queue, by=PLANTED)
    await store.send_now("3", queue, by=PLANTED)
    await store.stop_run((await store.conversation("PROJ-1")).run.id, outcome=PLANTED, by=PLANTED)
    await store.send_now("4", queue, by=PLANTED)
    run_id = (await store.conversation("PROJ-1")).run.id
    await store.move(run_id, RunStatus.RUNNING)
    await store.ask(run_id, Question(id="plan", plan=PLANTED))
    await store.prefer_model(PLANTED, PLANTED)
    await store.beat(Worker(id="1", host="h", state=WorkerState.FULL, note=PLANTED, started_at=NOW, seen_at=NOW))
    await store.keep_checkpoint(run_id, Checkpoint(id="1", repository="acme/web", state={"by": PLANTED}, bundle=None))
    await store.keep_entries("s", "", [{"uuid": "1", "message": {"content": [{"text": PLANTED}]}}])


async def test_no_secret_is_in_any_table_whatever_is_written(kept: Kept, store: DatabaseStore) -> None:
    await say_everything(store)
    tables = kept.tables()
    assert {name for name, text in tables.items() if "[redacted: GH_TOKEN]" in text} == WITH_TEXT
    assert not [name for name, text in tables.items() if KNOWN in text or SHAPED in text]
    assert KNOWN.encode() not in kept.bytes()
    assert SHAPED.encode() not in kept.bytes()


async def test_who_writes_gets_what_is_kept(store: DatabaseStore) -> None:
    run_id = await accepted(store, claim_of())
    turn = await store.record_turn(run_id, "implement", Turn(text=PLANTED, session_id="s"))
    assert turn.text == LEFT
    assert await store.turn(run_id, "implement") == turn


async def test_what_was_redacted_is_known_again(store: DatabaseStore) -> None:
    first = await store.send(message_of(), queue, message_id="1")
    again = await store.send(message_of(), queue, message_id="1")
    assert (first.status, again.status) == ("accepted", "duplicate")
    assert (await store.claim(claim_of(), queue)).status == "duplicate"
    for _ in range(2):
        await store.keep_changes(str(first.run_id), change_of())
    assert await heard(store, EventKind.TICKET_UPDATED) == []
    assert len(await heard(store, EventKind.CHANGES_UPDATED)) == 1
    assert len(await store.conversations(ConversationFilter(by=PLANTED))) == 1
    assert [ticket.key for ticket in await store.find_tickets(KNOWN)] == ["PROJ-1"]
    await store.prefer_model(PLANTED, "opus")
    assert await store.preferred_model(PLANTED) == "opus"


async def test_another_change_is_kept_and_told(store: DatabaseStore) -> None:
    run_id = await accepted(store, claim_of())
    for patch in ("+ a", "+ b", "+ a"):
        await store.keep_changes(run_id, change_of(patch))
    assert [change.patch for change in await store.changes("PROJ-1")] == ["+ a"]
    assert len(await heard(store, EventKind.CHANGES_UPDATED)) == 3


@pytest.mark.parametrize("secret", [KNOWN, SHAPED])
async def test_no_follower_sees_a_secret_that_is_written_piece_by_piece(store: DatabaseStore, secret: str) -> None:
    run_id = await accepted(store, claim_of())
    seen: list[str | None] = []
    for size in range(1, len(secret) + 9):
        await store.whisper(run_id, f"Use {secret} now."[:size])
        async with aclosing(store.watch("PROJ-1")) as updates:  # type: ignore[type-var]
            seen.append((await anext(updates)).writing)
    assert not any(secret[:8] in text for text in seen if text)
    assert str(seen[-1]).startswith("Use [redacted: ")
    assert str(seen[-1]).endswith("] now")


async def test_a_store_that_was_told_no_secret_knows_the_shapes_of_credentials(tmp_path: Path) -> None:
    store = make_store(Database(url=sqlite_url(tmp_path / "auto-code.db")))
    await store.start()
    run_id = await accepted(store, claim_of())
    assert (await store.ticket("PROJ-1")).summary == f"Use {KNOWN} or [redacted: GitHub token]."
    assert run_id
    await store.stop()
