"""A ticket with three corrections, against the same turns with a new process each."""

import subprocess
import time
from datetime import datetime
from pathlib import Path

from app.services.claude_code.options import REVIEWER
from tests.bench.cold import ColdClaude, new_session
from tests.bench.measurements import Measurement, milliseconds
from tests.bench.numbers import median
from tests.flows.service import Json, Service
from tests.flows.world import CORRECTED, FILES, FIX_LINT, FIX_REVIEW, FIX_TESTS, IMPLEMENT, REVIEW, World

_ROUNDS = 5
_PAUSE_S = 2.0


def measure() -> list[Measurement]:
    """The five turns, and the whole from webhook to pull request; with a model that answers at once, or thinks."""
    return [row for first_token_s in (0.0, 0.5) for row in _measure(first_token_s)]


def _measure(first_token_s: float) -> list[Measurement]:
    with World(CORRECTED) as world, world.service(CLAUDE_SPARE="true") as service:
        world.model.first_token_s = first_token_s
        wholes, turns, colds = [], [], []
        for number in range(_ROUNDS + 1):
            time.sleep(_PAUSE_S)
            whole, in_turns = _by_webhook(world, service, f"PROJ-{number + 1}")
            wholes.append(whole)
            turns.append(in_turns)
            colds.append(_by_hand(world, number))
        ours, cold, rest = median(turns[1:]), median(colds[1:]), median(wholes[1:]) - median(turns[1:])
    model = "model answers at once" if not first_token_s else f"model thinks {first_token_s} s"
    aim = "" if first_token_s else "≤ 0.5×"
    bench = "three corrections, against a new process a turn"
    return [
        Measurement(bench, f"the five turns, {model}", milliseconds(ours), milliseconds(cold), ours / cold, aim),
        # Git, gates and publishing are the same work either way.
        Measurement(
            bench,
            f"webhook → pull request, {model}",
            milliseconds(ours + rest),
            milliseconds(cold + rest),
            (ours + rest) / (cold + rest),
        ),
    ]


def _by_webhook(world: World, service: Service, key: str) -> tuple[float, float]:
    """Seconds from the webhook to the end of the run, and in its turns."""
    sent = time.monotonic()
    run_id = service.accept(world.ticket(key))
    for _ in service.stream(run_id):
        pass
    whole = time.monotonic() - sent
    events = service.events(run_id)
    assert events[-1]["payload"]["status"] == "pr_opened", events[-1]
    return whole, sum(map(_seconds, _pairs(events)))


def _by_hand(world: World, number: int) -> float:
    """Seconds in the same five turns, each by `claude -p`, the author's resumed."""
    directory = world.directory / f"cold-{number}"
    for name, text in FILES.items():
        path = Path(directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", directory], check=True)
    cold = ColdClaude(model=world.model, state=world.directory, directory=directory)
    author = new_session()
    started = time.monotonic()
    cold.turn(f"{IMPLEMENT} COLD-{number}", session_id=author)
    cold.turn(REVIEW, session_id=new_session(), role=REVIEWER)
    for prompt in (FIX_REVIEW, FIX_LINT, FIX_TESTS):
        cold.turn(prompt, session_id=author, resume=True)
    took = time.monotonic() - started
    assert (directory / "src" / "states.txt").read_text() == "on, off\n"
    return took


def _pairs(events: list[Json]) -> list[tuple[Json, Json]]:
    """Each turn's first and last event."""
    begun = {event["payload"]["turn"]: event for event in events if event["kind"] == "turn.started"}
    return [(begun[event["payload"]["turn"]], event) for event in events if event["kind"] == "turn.ended"]


def _seconds(pair: tuple[Json, Json]) -> float:
    first, last = (datetime.fromisoformat(event["at"]) for event in pair)
    return (last - first).total_seconds()
