"""What is forgotten goes in small transactions, which hold nobody up for long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.models import EventKind, RunStatus
from app.services.store import pruning
from app.services.store.mock_client import MockStore
from tests.contracts.conversing import KEY, running
from tests.contracts.test_store import claim_of

FUTURE = datetime.now(UTC) + timedelta(hours=1)
MOST = 500


@pytest.mark.parametrize(
    "forget",
    [
        lambda connection: pruning.forget_events(connection, KEY, FUTURE),
        lambda connection: pruning.forget_entries(connection, "s", FUTURE),
        lambda connection: pruning.forget_deliveries(connection, FUTURE),
    ],
    ids=["events", "transcript", "deliveries"],
)
async def test_a_transaction_forgets_a_few_hundred_rows_at_most(forget: Callable[[sa.Connection], int]) -> None:
    store = MockStore()
    run_id = await running(store, claim_of(KEY, *((f"id:{number}", None) for number in range(MOST + 1))))
    for _ in range(MOST):
        await store.append(run_id, EventKind.TEXT, {"text": "Hi."})
    await store.keep_entries("s", "", [{"n": number} for number in range(MOST + 1)])
    await store.move(run_id, RunStatus.IDLE)
    with store.engine.begin() as connection:
        assert forget(connection) == MOST
        assert 0 < forget(connection) < MOST
        assert forget(connection) == 0


async def test_a_conversation_that_began_to_work_meanwhile_keeps_what_it_has() -> None:
    store = MockStore()
    run_id = await running(store)
    await store.remember_session(run_id, "s")
    await store.keep_entries("s", "", [{"n": 1}])
    await store.move(run_id, RunStatus.IDLE)
    with store.engine.begin() as connection:
        assert pruning.with_old_events(connection, FUTURE) == [KEY]
        assert pruning.old_sessions(connection, FUTURE) == ["s"]
    await running(store)
    with store.engine.begin() as connection:
        assert pruning.forget_events(connection, KEY, FUTURE) == 0
        assert pruning.forget_entries(connection, "s", FUTURE) == 0
