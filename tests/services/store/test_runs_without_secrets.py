"""A whole run and a person's turn, with secrets in all that people, Claude and programs say: none is kept."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.domain.redaction import Redactor
from app.models import Asked, Question, RunMode, RunStatus, Ticket
from app.services.checks.mock_client import MockChecks, failed, passed
from app.services.claude_code.mock_client import Answer
from app.services.store.mock_client import MockStore
from app.services.store.tables import metadata
from tests.services.pipeline.scripted_claude import ASKED, FIX_LINT, FIX_REVIEW, IMPLEMENT, REVIEW
from tests.services.pipeline.world import World

KNOWN = "Zk3-9vQ_w8Lr2XyT7b"
SHAPED = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"
PLANTED = f"Use {KNOWN} or {SHAPED}."
TICKET = Ticket(key="PROJ-1", summary=PLANTED, description=PLANTED)
QUESTION = Question(id="which", asked=(Asked(question=PLANTED),))
WITH_TEXT = {"runs", "events", "turns", "messages", "questions"}
"""The tables that hold what people, Claude and programs said."""


def everything_kept(store: MockStore) -> dict[str, str]:
    """Each table's rows as one text."""
    with store.engine.begin() as connection:
        return {
            table.name: json.dumps([tuple(row) for row in connection.execute(sa.select(table))], default=str)
            for table in metadata.sorted_tables
        }


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.store = MockStore(redactor=Redactor({"GH_TOKEN": KNOWN}))
    made.claude.plays = {
        IMPLEMENT: Answer(text=PLANTED, files={"theme.txt": "dark\n"}),
        REVIEW: Answer(text=f"HAS_ISSUES: true\nFINDINGS:\n- theme.txt:1: {PLANTED}\n"),
        FIX_REVIEW: Answer(text=PLANTED, files={"theme.txt": "light\ndark\n"}),
        FIX_LINT: Answer(text=PLANTED, files={"theme.txt": "light\nnight\n"}),
        ASKED: Answer(text=PLANTED, question=QUESTION),
    }
    made.checks = MockChecks(lint=[failed(PLANTED), passed(PLANTED)])
    yield made
    await made.stop()


async def test_no_secret_is_kept_of_a_run_up_to_its_pull_request(world: World) -> None:
    run = await world.work(TICKET)
    assert (run.status, run.error) == (RunStatus.PR_OPENED, None)
    assert world.claude.asked(FIX_LINT)
    await world.turn(PLANTED, mode=RunMode.ASK, by=PLANTED)
    kept = everything_kept(world.store)
    assert {name for name, text in kept.items() if "[redacted: GH_TOKEN]" in text} == WITH_TEXT
    assert not [name for name, text in kept.items() if KNOWN in text or SHAPED in text]


async def test_no_secret_is_kept_of_a_change_that_holds_one(world: World) -> None:
    world.claude.plays[IMPLEMENT] = Answer(text=PLANTED, files={f"{SHAPED}.txt": PLANTED, "theme.txt": PLANTED})
    run = await world.work(TICKET)
    assert run.status is RunStatus.FAILED
    kept = everything_kept(world.store)
    assert "[redacted: GH_TOKEN]" in kept["changes"]
    assert "[redacted: GH_TOKEN]" in kept["conversations"]
    assert not [name for name, text in kept.items() if KNOWN in text or SHAPED in text]
