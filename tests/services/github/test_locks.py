"""Taking turns, and sharing an answer."""

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from app.services.github.locks import FileLock, SingleFlight


async def test_one_holder_at_a_time_whoever_made_the_lock(tmp_path: Path) -> None:
    inside = 0

    async def enter(lock: FileLock) -> None:
        nonlocal inside
        async with lock.held():
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    shared = FileLock(tmp_path / "lock")
    await asyncio.gather(*(enter(lock) for lock in (shared, shared, FileLock(tmp_path / "lock"))))


async def test_a_waiter_that_is_cancelled_lets_the_next_one_in(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    other = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    lock = FileLock(path)

    async def enter() -> str:
        async with lock.held():
            return "in"

    first, second = asyncio.create_task(enter()), asyncio.create_task(enter())
    await asyncio.sleep(0)
    first.cancel()
    os.close(other)

    assert await second == "in"
    assert first.cancelled()


class Counting:
    """A call that is answered when it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = False
        self.let_go = asyncio.Event()

    async def __call__(self) -> int:
        self.calls += 1
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.calls


async def test_callers_at_the_same_time_share_one_call() -> None:
    counting = Counting()
    shared = SingleFlight(counting)
    callers = [asyncio.create_task(shared()) for _ in range(3)]
    await asyncio.sleep(0)

    counting.let_go.set()

    assert await asyncio.gather(*callers) == [1, 1, 1]
    assert await shared() == 2


async def test_the_call_goes_on_without_a_caller_that_was_cancelled_and_ends_with_the_last() -> None:
    counting = Counting()
    shared = SingleFlight(counting)
    first, second = asyncio.create_task(shared()), asyncio.create_task(shared())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.wait([first])
    assert not counting.cancelled
    second.cancel()
    await asyncio.wait([second])

    assert counting.cancelled


async def test_every_caller_gets_the_error_and_the_next_one_tries_again() -> None:
    calls = 0

    async def fails() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise ValueError("no")

    shared = SingleFlight(fails)

    errors = await asyncio.gather(shared(), shared(), return_exceptions=True)

    assert [type(error) for error in errors] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="no"):
        await shared()
    assert calls == 2
