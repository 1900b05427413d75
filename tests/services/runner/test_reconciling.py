"""What a crash left between store and engine is ended at the next start; what is at work elsewhere is not touched."""

from collections.abc import Mapping

import pytest

from app.models import Answer, Asked, PipelineOptions, Question, RunStatus, Ticket, Trigger
from app.services.engine.mock_client import MockEngine
from app.services.runner.reconciling import reconcile
from app.services.store import Claim
from app.services.store.mock_client import MockStore


class Told(MockEngine):
    """An engine that knows the works that a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.works: dict[str, str | None] = {}
        self.ended: list[str] = []

    async def unfinished(self) -> Mapping[str, str | None]:
        return dict(self.works)

    async def cancel(self, work_id: str) -> None:
        self.ended.append(work_id)


@pytest.fixture
def store() -> MockStore:
    return MockStore()


@pytest.fixture
def engine() -> Told:
    return Told()


async def a_run(store: MockStore, key: str = "PROJ-1") -> str:
    claim = Claim(ticket=Ticket(key=key, summary="Add"), trigger=Trigger.WEBHOOK, options=PipelineOptions())
    receipt = await store.claim(claim, lambda _transaction, _work: None)
    assert receipt.run_id is not None
    return receipt.run_id


async def test_a_run_that_no_worker_knows_fails_and_says_so(store: MockStore, engine: Told) -> None:
    run_id = await a_run(store)
    assert await reconcile(store=store, engine=engine) == ((run_id,), ())
    run = await store.run(run_id)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error.endswith("Look at its log, then retry it.")


@pytest.mark.parametrize("worker", [None, "another"], ids=["queued", "at another worker"])
async def test_a_run_that_is_queued_or_at_another_worker_goes_on(
    store: MockStore, engine: Told, worker: str | None
) -> None:
    run_id = await a_run(store)
    engine.works[run_id] = worker
    assert await reconcile(store=store, engine=engine) == ((), ())
    assert (await store.run(run_id)).status is RunStatus.QUEUED


async def test_a_run_that_begins_or_goes_on_meanwhile_is_no_leftover(store: MockStore) -> None:
    class Busy(Told):
        async def unfinished(self) -> Mapping[str, str | None]:
            await store.ask(run_id, Question(id="q", asked=(Asked(question="Which one?"),)))
            await store.answer("PROJ-1", "q", Answer(by="Ada", text="Dark."), lambda _transaction, _work: None)
            begun = await a_run(store, "PROJ-2")
            return {begun: None}

    run_id, engine = await a_run(store), Busy()
    await store.move(run_id, RunStatus.RUNNING)
    assert await reconcile(store=store, engine=engine) == ((), ())
    assert (await store.run(run_id)).status is RunStatus.QUEUED
    assert engine.ended == []


async def test_a_queued_work_whose_run_has_ended_or_is_gone_is_ended(store: MockStore, engine: Told) -> None:
    ended = await a_run(store)
    await store.stop_run(ended, outcome="Stopped.", by="Ada")
    engine.works = {ended: None, f"{ended}.2": None, "unknown": None, "worked-on": "another"}
    assert await reconcile(store=store, engine=engine) == ((), (ended, f"{ended}.2", "unknown"))
    assert engine.ended == [ended, f"{ended}.2", "unknown"]
