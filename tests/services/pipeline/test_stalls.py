"""Turns in which nothing happens any more: interrupted, resumed once, then failed with what was last seen."""

import asyncio
from collections.abc import Mapping

import pytest

from app.models import EventKind
from app.results import Turn
from app.services.claude_code.base import Emit, Permission, Prompt, Reply, SessionRef
from app.services.pipeline.stalls import Progress, Stalled, with_progress
from tests.services.pipeline.scripted_claude import IMPLEMENT, Play, ScriptedClaude
from tests.services.pipeline.world import World

LIMIT_S = 0.25


class HangingClaude(ScriptedClaude):
    """Hangs in a tool the first `times` that it is asked to implement. `ended` counts what was cut off there."""

    def __init__(self, plays: Mapping[str, Play], *, times: int) -> None:
        super().__init__(plays)
        self._times = times
        self.ended = 0

    async def run_turn(
        self,
        session: SessionRef,
        ask: Prompt | Reply,
        emit: Emit,
        *,
        permission: Permission,
        model: str | None = None,
    ) -> Turn:
        prompt = ask if isinstance(ask, Prompt) else ask.prompt
        if IMPLEMENT in prompt.text and self._times:
            self._times -= 1
            self.open_sessions.add(session.id)
            await self._hang(emit)
        assert session.id not in self.open_sessions or self.prompts, "what hung was closed"
        return await super().run_turn(session, ask, emit, permission=permission, model=model)

    async def _hang(self, emit: Emit) -> None:
        called = {"id": "toolu_1", "name": "Bash", "input": {"command": "npm test"}, "role": "author"}
        await emit(EventKind.TOOL_CALLED, called)
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1


@pytest.fixture
def world(world: World) -> World:
    world.stall_s = LIMIT_S
    return world


async def test_a_turn_in_which_nothing_happens_is_interrupted_and_resumed_once(world: World) -> None:
    claude = world.claude = HangingClaude(world.claude.plays, times=1)
    run = await world.work()
    (resumed,) = await world.events(run.id, EventKind.TURN_RESUMED)
    why = "Nothing happened for 0.25 seconds; last seen: Bash npm test."
    assert resumed.payload == {"turn": "implement", "role": "author", "reason": why}
    assert (run.status, claude.ended) == ("pr_opened", 1)


async def test_a_turn_that_stalls_twice_fails_with_what_was_last_seen(world: World) -> None:
    claude = world.claude = HangingClaude(world.claude.plays, times=2)
    run = await world.work()
    assert run.status == "failed"
    assert run.error == (
        "Nothing happened for 0.25 seconds, twice; last seen: Bash npm test. Retry the run; its work is kept."
    )
    assert (claude.ended, claude.open_sessions) == (2, set())


async def test_a_turn_that_waits_for_others_does_not_stall() -> None:
    waits = iter([True] * 5)
    looks = 0

    def is_waiting() -> bool:
        nonlocal looks
        looks += 1
        return next(waits, False)

    with pytest.raises(Stalled):
        await with_progress(asyncio.Event().wait(), Progress(), limit_s=0.01, is_waiting=is_waiting)
    assert looks > 5


async def test_a_turn_that_is_telling_does_not_stall() -> None:
    progress, looks = Progress(), 0

    def is_waiting() -> bool:
        nonlocal looks
        looks += 1
        return False

    async def work() -> str:
        with progress.told(EventKind.TEXT, {"text": "Hello."}):
            while looks <= 5:  # noqa: ASYNC110 - it shall be telling while it is looked at
                await asyncio.sleep(0)
        return "Done."

    assert await with_progress(work(), progress, limit_s=0.01, is_waiting=is_waiting) == "Done."


def test_time_counts_from_when_something_was_told() -> None:
    now = 0.0
    progress = Progress(clock=lambda: now)
    now = 100.0
    with progress.told(EventKind.TEXT, {"text": "Hello."}):
        now = 200.0
    now = 230.0
    assert progress.idle_s == 30.0


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        (EventKind.TOOL_CALLED, {"name": "Bash", "input": {"timeout": 1, "command": "npm\n test"}}, "Bash npm test"),
        (EventKind.TOOL_RETURNED, {"content": "ok"}, "a tool returned ok"),
        (EventKind.TEXT, {"text": "x" * 300}, "x" * 200 + "…"),
        (EventKind.WRITING, {"text": ""}, "nothing"),
    ],
)
def test_what_was_last_seen_is_said_in_short(kind: EventKind, payload: Mapping[str, object], words: str) -> None:
    progress = Progress()
    with progress.told(kind, payload):
        pass
    assert progress.last_seen == words
