"""From the webhook to the first model request, against `claude -p` started cold."""

import subprocess
import time
from itertools import count

from tests.bench.cold import ColdClaude, new_session
from tests.bench.measurements import Measurement, milliseconds
from tests.bench.numbers import median, percentile
from tests.fakes.scripts import Reply
from tests.flows.service import Service
from tests.flows.world import IMPLEMENT, World

_ROUNDS = 15
_PAUSE_S = 2.0


def measure() -> list[Measurement]:
    """One ticket at a time, with a pause in which the next spare process gets ready; then two tickets at once."""
    with (
        World({IMPLEMENT: [Reply("Nothing to do.")]}) as world,
        world.service(CLAUDE_SPARE="true", PIPELINE_REVIEW="false") as service,
    ):
        directory = world.directory / "cold"
        directory.mkdir()
        subprocess.run(["git", "init", "-q", directory], check=True)
        cold = ColdClaude(model=world.model, state=world.directory, directory=directory)
        ours, yardstick = [], []
        numbers = count(1)
        for _ in range(_ROUNDS + 1):
            time.sleep(_PAUSE_S)
            ours.append(_by_webhook(world, service, next(numbers)))
            time.sleep(_PAUSE_S)
            yardstick.append(_by_hand(world, cold))
        del ours[0], yardstick[0]  # each way's first round reads its programs from disk
        without_spare = [_second_of_two(world, service, numbers) for _ in range(5)]
    by_hand = median(yardstick)
    return [
        _row("p50", median(ours), by_hand, "≤ 0.7×"),
        _row("p90", percentile(ours, 90), percentile(yardstick, 90)),
        _row("no spare left, p50", median(without_spare), by_hand),
    ]


def _by_webhook(world: World, service: Service, number: int) -> float:
    key = f"PROJ-{number}"
    sent = time.monotonic()
    run_id = service.accept(world.ticket(key))
    request = world.model.wait_for(lambda request: f"ticket {key}." in request.prompt)
    service.wait(run_id)
    return request.at - sent


def _by_hand(world: World, cold: ColdClaude) -> float:
    prompt = f"{IMPLEMENT} COLD-{new_session()}"
    started = cold.turn(prompt, session_id=new_session())
    return world.model.wait_for(lambda request: prompt in request.prompt).at - started


def _second_of_two(world: World, service: Service, numbers: "count[int]") -> float:
    time.sleep(_PAUSE_S)
    first, second = f"PROJ-{next(numbers)}", f"PROJ-{next(numbers)}"
    runs = [service.accept(world.ticket(first))]
    sent = time.monotonic()
    runs.append(service.accept(world.ticket(second)))
    request = world.model.wait_for(lambda request: f"ticket {second}." in request.prompt)
    for run_id in runs:
        service.wait(run_id)
    return request.at - sent


def _row(what: str, ours: float, yardstick: float, aim: str = "") -> Measurement:
    return Measurement(
        "webhook → first model request, against `claude -p`",
        what,
        milliseconds(ours),
        milliseconds(yardstick),
        ours / yardstick,
        aim,
    )
