"""A service mends what the one before it left, as it starts and beside its work."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from app.models import PipelineOptions, RunStatus, Ticket, Trigger
from app.services.runner.caretaking import Caretaker
from app.services.runner.housekeeping import Ages
from app.services.runner.premises import Premises
from app.services.store import Claim
from tests.services.pipeline.world import World
from tests.services.runner.estates import estate_of

AGES = Ages(worktrees=timedelta(days=14), events=timedelta(days=180), transcripts=timedelta(days=30))
LIMIT_S = 20.0


@asynccontextmanager
async def left_over(root: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of a session whose supervisor is gone."""
    own = {"HOME": str(root / "claude" / "abc" / "home"), "PATH": os.environ["PATH"]}
    program = await asyncio.create_subprocess_exec("sleep", "600", env=own)
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


async def test_what_an_earlier_process_left_running_is_ended_before_anything_else_begins(world: World) -> None:
    async with left_over(world.root) as program, Caretaker(estate_of(world), ages=AGES).inside():
        async with asyncio.timeout(LIMIT_S):
            assert await program.wait() != 0


async def test_the_rest_is_mended_beside_the_work(world: World) -> None:
    claim = Claim(ticket=Ticket(key="PROJ-1", summary="Add"), trigger=Trigger.WEBHOOK, options=PipelineOptions())
    run_id = (await world.store.claim(claim, lambda _transaction, _work: None)).run_id
    assert run_id is not None
    async with Caretaker(estate_of(world), ages=AGES).at_work(), asyncio.timeout(LIMIT_S):
        while (await world.store.run(run_id)).status is not RunStatus.FAILED:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)


async def test_while_a_service_is_there_nobody_has_the_workspace_alone(world: World) -> None:
    mender = Premises(workspace=estate_of(world).workspace)
    async with Caretaker(estate_of(world), ages=AGES).inside():
        assert not mender.take_alone()
        async with Caretaker(estate_of(world), ages=AGES).inside():
            pass
        assert not mender.take_alone()
    assert mender.take_alone()
    mender.leave()
