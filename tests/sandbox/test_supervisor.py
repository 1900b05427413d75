"""A program in a room ends with everything it started, whoever wants it to end."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from app import process
from app.sandbox import CANNOT_ENTER, Sandbox
from tests.sandbox.conftest import LIMIT_S, PYTHON, Make, alive, inside, room_of, written

LEAVES_A_DAEMON = """
import os, signal, sys, time
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:  # nobody's child and nobody's session, and deaf
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("daemon", "w").close()
        os.write(writer, b"x")
        os.close(1), os.close(2)
        time.sleep(600)
    os._exit(0)
os.read(reader, 1)
"""
STAYS = LEAVES_A_DAEMON + "\ntime.sleep(600)\n"
IS_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS


def working_in(directory: Path) -> list[int]:
    """Living processes whose directory it is."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink() == directory and alive(int(link.parent.name)):
                found.append(int(link.parent.name))
        except OSError:
            continue
    return found


async def empty(directory: Path) -> None:
    """Return when nothing works in the directory any more."""
    async with asyncio.timeout(LIMIT_S):
        while working_in(directory):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)


async def test_the_programs_status_is_the_launchers(landlock: Sandbox, worktree: Path) -> None:
    room = room_of(landlock, worktree)
    assert (await inside(landlock, room, "sh", "-c", "exit 3")).code == 3
    assert (await inside(landlock, room, "sh", "-c", "kill -TERM $$")).code == -signal.SIGTERM
    assert (await inside(landlock, room, "sh", "-c", "kill -KILL $$")).code == -signal.SIGKILL


async def test_signals_mean_to_a_program_what_they_mean_anywhere(landlock: Sandbox, worktree: Path) -> None:
    done = await inside(landlock, room_of(landlock, worktree), "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    assert {line.split()[1] for line in done.text.splitlines()} == {"0000000000000000"}


async def test_the_ends_of_pipes_pass(landlock: Sandbox, worktree: Path) -> None:
    room = room_of(landlock, worktree)
    entrance = landlock.entrance(room, env=landlock.environment(room), program=[PYTHON])
    closes = "import os, sys, time; sys.stdin.read(); os.close(1); os.close(2); time.sleep(600)"
    started = await asyncio.create_subprocess_exec(
        *(landlock.launcher, "-c", closes),
        env=entrance,
        cwd=worktree,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert started.stdin is not None
    assert started.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        started.stdin.close()
        assert await started.stdout.read() == b""
        assert started.returncode is None
        started.terminate()
        assert await started.wait() == -signal.SIGTERM


@pytest.mark.parametrize("program", [STAYS, IS_DEAF], ids=["obedient", "deaf"])
async def test_a_program_beyond_its_time_leaves_nothing(sandbox: Sandbox, worktree: Path, program: str) -> None:
    running = asyncio.create_task(inside(sandbox, room_of(sandbox, worktree), PYTHON, "-c", program, limit_s=1.0))
    await written(worktree / "daemon")
    assert (await running).timed_out
    assert working_in(worktree) == []


async def test_a_program_that_is_told_to_end_can_put_its_things_in_order(sandbox: Sandbox, worktree: Path) -> None:
    tidies = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path("tidied").touch(), sys.exit(0)))
pathlib.Path("ready").touch()
time.sleep(600)
"""
    running = asyncio.create_task(inside(sandbox, room_of(sandbox, worktree), PYTHON, "-c", tidies))
    await written(worktree / "ready")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (worktree / "tidied").exists()


async def test_a_cancelled_program_leaves_nothing(sandbox: Sandbox, worktree: Path) -> None:
    running = asyncio.create_task(inside(sandbox, room_of(sandbox, worktree), PYTHON, "-c", STAYS))
    await written(worktree / "daemon")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert working_in(worktree) == []


async def test_a_program_that_ends_leaves_nothing(sandbox: Sandbox, worktree: Path) -> None:
    done = await inside(sandbox, room_of(sandbox, worktree), PYTHON, "-c", LEAVES_A_DAEMON)
    assert done.ok
    assert (worktree / "daemon").exists()
    assert working_in(worktree) == []


STARTS_AND_DIES = """
import asyncio, os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from app import process
from app.config import Settings
from app.sandbox import Sandbox

async def main():
    worktree = pathlib.Path.cwd()
    facts = {"workspace_dir": worktree.parent, "agent_sandbox": sys.argv[2], "agent_network": "none"}
    sandbox = Sandbox.of(Settings(_env_file=None, **facts))
    room = sandbox.room("session", writes=[worktree])
    entrance = sandbox.entrance(room, env=sandbox.environment(room))
    program = [os.path.realpath(sys.executable), "-c", sys.argv[3]]
    asyncio.create_task(process.run(program, cwd=worktree, env=entrance, limit_s=600, launcher=sandbox.launcher))
    while not os.path.exists("daemon"): await asyncio.sleep(0.01)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.mark.parametrize("program", [STAYS, IS_DEAF], ids=["obedient", "deaf"])
async def test_nothing_outlives_a_service_that_is_killed(sandbox: Sandbox, worktree: Path, program: str) -> None:
    root = str(Path(__file__).parents[2])
    argv = [sys.executable, "-c", STARTS_AND_DIES, root, sandbox.how, program]
    environment = process.operator_environment()
    await process.run(argv, cwd=worktree, env=environment, limit_s=LIMIT_S, alone=True)
    assert (worktree / "daemon").exists()
    await empty(worktree)


async def test_a_launcher_whose_service_is_gone_starts_nothing(landlock: Sandbox, worktree: Path) -> None:
    room = room_of(landlock, worktree)
    entrance = landlock.entrance(room, env=landlock.environment(room))
    # The shell between is what the launcher was not told of.
    argv = ["sh", "-c", f"{landlock.launcher} touch started; echo $?"]
    done = await process.run(argv, cwd=worktree, env=entrance, limit_s=LIMIT_S)
    assert done.text == f"{CANNOT_ENTER}\n"
    assert not (worktree / "started").exists()


async def test_a_program_cannot_end_its_supervisor(landlock: Sandbox, worktree: Path) -> None:
    done = await inside(landlock, room_of(landlock, worktree), "sh", "-c", "kill -KILL $PPID; echo still here")
    assert done.text == "still here\n"


# Limits

TAKES = """
import subprocess, sys
def holding(mebibytes):
    program = f"held = b'x' * ({mebibytes} << 20); import time; print('held', flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    child.stdout.readline()
    return child
own = b"x" * (150 << 20)
small, big, late = holding(1), holding(120), holding(1)
print(big.wait(), small.poll(), late.poll(), flush=True)
small.kill(), late.kill()
"""
MULTIPLIES = """
import os, signal, subprocess, time
first = subprocess.Popen(["sleep", "600"])
others = [subprocess.Popen(["sleep", "600"]) for _ in range(40)]
while all(other.poll() is None for other in others): time.sleep(0.01)
time.sleep(0.2)
print(first.poll() is None, sum(other.poll() is None for other in others), flush=True)
"""


async def test_a_room_over_its_memory_loses_the_biggest_process_beside_the_program(make: Make, worktree: Path) -> None:
    sandbox = make(agent_memory_mb=256)
    done = await inside(sandbox, room_of(sandbox, worktree), PYTHON, "-c", TAKES)
    assert (done.code, done.text) == (0, f"{-signal.SIGKILL} None None\n")
    assert "AGENT_MEMORY_MB" in done.error_text


async def test_a_room_over_its_number_of_processes_loses_the_youngest(make: Make, worktree: Path) -> None:
    sandbox = make(agent_max_processes=16)
    done = await inside(sandbox, room_of(sandbox, worktree), PYTHON, "-c", MULTIPLIES)
    assert (done.code, done.text) == (0, "True 14\n")  # with the program itself and the first: 16
    assert "AGENT_MAX_PROCESSES" in done.error_text


async def test_a_program_is_ended_before_the_service_where_memory_is_short(landlock: Sandbox, worktree: Path) -> None:
    done = await inside(landlock, room_of(landlock, worktree), "cat", "/proc/self/oom_score_adj")
    assert int(done.text) > int(Path("/proc/self/oom_score_adj").read_text())
