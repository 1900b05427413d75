"""Where the time from the webhook to the first model request goes."""

import time
from datetime import datetime

from tests.bench.measurements import Measurement, milliseconds
from tests.bench.numbers import median
from tests.fakes.scripts import Reply
from tests.flows.service import Json, Service
from tests.flows.world import IMPLEMENT, World

_ROUNDS = 10
_PAUSE_S = 2.0

_STEPS = {
    "stored and queued": ("run.status", "queued"),
    "picked up": ("run.status", "running"),
    "worktree made": ("stage.ended", "workspace"),
    "prompt built": ("turn.started", "implement"),
}
"""What is done when the run's event of this kind, about this, is told."""


def measure() -> list[Measurement]:
    """Medians since the webhook was sent, with a spare process that waits ready."""
    with World({IMPLEMENT: [Reply("Nothing to do.")]}) as world, world.service(CLAUDE_SPARE="true") as service:
        rounds = [_by_webhook(world, service, f"PROJ-{number}") for number in range(_ROUNDS + 1)][1:]
    reached = {step: median([taken[step] for taken in rounds]) for step in rounds[0]}
    return [
        Measurement("since the webhook was sent", step, milliseconds(seconds))
        for step, seconds in sorted(reached.items(), key=lambda item: item[1])
    ]


def _by_webhook(world: World, service: Service, key: str) -> dict[str, float]:
    """Seconds until each step was done."""
    time.sleep(_PAUSE_S)
    sent = time.time()
    run_id = service.accept(world.ticket(key))
    answered = time.time()
    request = world.model.wait_for(lambda request: f"ticket {key}." in request.prompt)
    service.wait(run_id)
    events = service.events(run_id)
    told = {step: _told(events, *event) - sent for step, event in _STEPS.items()}
    return {**told, "202 is back": answered - sent, "first model request": request.wall.timestamp() - sent}


def _told(events: list[Json], kind: str, about: str) -> float:
    return next(
        datetime.fromisoformat(event["at"]).timestamp()
        for event in events
        if event["kind"] == kind and about in event["payload"].values()
    )
