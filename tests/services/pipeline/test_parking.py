"""Runs that meet a model which takes no requests of anybody."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.model_limits import OPEN, Standing
from app.models import EventKind, RunStatus
from tests.services.pipeline.world import World


async def test_nothing_begins_while_the_model_takes_no_requests_and_it_goes_on_by_itself(world: World) -> None:
    await world.start()
    reason = "The account's limit at Claude's API is reached."
    until = datetime.now(UTC) + timedelta(milliseconds=50)
    world.gateway.stand(Standing(state="parked", until=until, reason=reason))
    receipt = await world.submit()
    assert receipt.run_id is not None
    parked = await told(world, receipt.run_id)
    assert (parked["reason"], world.claude.prompts) == (reason, [])
    assert world.runner.standing.reason == reason
    world.gateway.stand(OPEN)
    assert (await world.ended(receipt.run_id)).status is RunStatus.PR_OPENED


async def test_a_refused_credential_keeps_every_run_from_beginning_until_a_good_one_is_there(world: World) -> None:
    await world.start()
    until = datetime.now(UTC) + timedelta(milliseconds=20)
    world.gateway.stand(Standing(state="closed", until=until, reason="Check ANTHROPIC_API_KEY."))
    receipt = await world.submit()
    assert receipt.run_id is not None
    assert (await told(world, receipt.run_id))["reason"] == "Check ANTHROPIC_API_KEY."
    world.gateway.stand(OPEN)
    assert (await world.ended(receipt.run_id)).status is RunStatus.PR_OPENED


async def told(world: World, run_id: str) -> dict[str, Any]:
    """What a run told as it was parked, as soon as it did."""
    async for event in world.store.follow(run_id):
        if event.kind == EventKind.PARKED:
            return dict(event.payload)
    raise AssertionError("It was not parked.")
