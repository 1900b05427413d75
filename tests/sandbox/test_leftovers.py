"""What outlives a supervisor that was killed is found by its room, and ended; nothing else is touched."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.sandbox import Leftovers, Sandbox
from tests.sandbox.conftest import LIMIT_S, PYTHON, room_of, written
from tests.sandbox.test_supervisor import STAYS, empty, working_in

Process = asyncio.subprocess.Process


@asynccontextmanager
async def in_a_room(sandbox: Sandbox, worktree: Path) -> AsyncIterator[Process]:
    """A supervisor whose program has left a daemon and goes on."""
    room = room_of(sandbox, worktree)
    entrance = sandbox.entrance(room, env=sandbox.environment(room), program=[PYTHON])
    started = await asyncio.create_subprocess_exec(sandbox.launcher, "-c", STAYS, env=entrance, cwd=worktree)
    try:
        await written(worktree / "daemon")
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        for pid in working_in(worktree) if await started.wait() == -signal.SIGKILL else ():
            os.kill(pid, signal.SIGKILL)
        await empty(worktree)


@asynccontextmanager
async def sleeping(home: Path) -> AsyncIterator[Process]:
    """A process that nobody watches over, with that home."""
    started = await asyncio.create_subprocess_exec("sleep", "600", env={"HOME": str(home), "PATH": os.environ["PATH"]})
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def test_a_killed_supervisors_programs_are_found_and_ended(landlock: Sandbox, worktree: Path) -> None:
    leftovers = landlock.leftovers
    async with in_a_room(landlock, worktree) as supervisor:
        supervisor.kill()
        async with asyncio.timeout(LIMIT_S):
            while len(working_in(worktree)) > 1:  # noqa: ASYNC110 - its own child ends with it, by the kernel
                await asyncio.sleep(0.01)
        [found] = leftovers.find()
        assert ([found.pid], found.room) == (working_in(worktree), room_of(landlock, worktree).directory.name)
        assert leftovers.end(found)
        await empty(worktree)
        assert not leftovers.find()
        assert not leftovers.end(found)


async def test_what_a_supervisor_watches_over_is_at_work(landlock: Sandbox, worktree: Path) -> None:
    async with in_a_room(landlock, worktree):
        assert not landlock.leftovers.find()
        assert landlock.leftovers.rooms() == {room_of(landlock, worktree).directory.name}
    assert not landlock.leftovers.rooms()


@pytest.mark.parametrize("home", ["elsewhere/abc/home", "claude/abc/home/deeper", "claude/abc", "claude/home", "."])
async def test_processes_of_other_homes_are_nobodys_business(tmp_path: Path, home: str) -> None:
    async with sleeping(tmp_path / home):
        assert not Leftovers(root=tmp_path / "claude").find()


async def test_a_number_that_another_process_has_by_now_is_left_alone(tmp_path: Path) -> None:
    leftovers = Leftovers(root=tmp_path / "claude")
    async with sleeping(tmp_path / "claude/abc/home") as process:
        [found] = leftovers.find()
        assert (found.pid, found.room, found.program) == (process.pid, "abc", "sleep")
        assert not leftovers.end(replace(found, began=found.began - 1))
        assert not leftovers.end(replace(found, room="xyz"))
        assert process.returncode is None
        assert leftovers.end(found)
        assert await process.wait() == -signal.SIGKILL


def test_a_system_that_tells_of_no_processes_says_so(tmp_path: Path) -> None:
    leftovers = Leftovers(root=tmp_path, proc=tmp_path / "proc")
    assert (leftovers.can_look, leftovers.find(), leftovers.rooms()) == (False, frozenset(), frozenset())
    assert Leftovers(root=tmp_path).can_look
