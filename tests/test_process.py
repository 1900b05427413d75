"""Programs are started without a shell and leave nothing behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import process
from app.process import Completed, operator_environment

LIMIT_S = 20.0
ENVIRONMENT = {"PATH": os.environ["PATH"]}


async def python(program: str, directory: Path, **how: Any) -> Completed:
    facts: dict[str, Any] = {"cwd": directory, "env": ENVIRONMENT, "limit_s": LIMIT_S}
    return await process.run([sys.executable, "-c", program], **{**facts, **how})


async def gone(pid: int) -> None:
    """Return when the process is no more."""
    async with asyncio.timeout(LIMIT_S):
        while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


async def written(file: Path) -> int:
    """The process id in the file, as soon as it is there."""
    async with asyncio.timeout(LIMIT_S):
        while not (file.exists() and file.read_text().endswith("\n")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return int(file.read_text())


STARTS_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open("pid", "w") as file: print(child.pid, file=file)
time.sleep(600)
"""


# What comes back


async def test_output_and_status_come_back_apart(tmp_path: Path) -> None:
    done = await python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (done.code, done.ok, done.timed_out, done.text, done.error_text) == (3, False, False, "out\n", "err\n")
    assert done.argv[1:] == ("-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")


async def test_both_outputs_can_be_read_as_one(tmp_path: Path) -> None:
    program = "import sys; print('1', flush=True); print('2', file=sys.stderr, flush=True); print('3')"
    assert (await python(program, tmp_path, merge=True)).text == "1\n2\n3\n"


async def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    done = await python("import sys; sys.stdout.buffer.write(b'\\xffok')", tmp_path)
    assert (done.stdout, done.text) == (b"\xffok", "\ufffdok")


async def test_a_program_reads_what_it_is_given(tmp_path: Path) -> None:
    given = b"x" * (1 << 20)
    done = await python("import sys; print(len(sys.stdin.buffer.read()))", tmp_path, stdin=given)
    assert done.text == f"{1 << 20}\n"


async def test_a_program_that_does_not_read_what_it_is_given_is_no_fault(tmp_path: Path) -> None:
    assert (await python("pass", tmp_path, stdin=b"x" * (4 << 20))).ok


async def test_a_program_without_input_reads_its_end(tmp_path: Path) -> None:
    assert (await python("import sys; print(sys.stdin.read() == '')", tmp_path)).text == "True\n"


async def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; print(sys.argv[1:])", "$(id)", "a b", "*", "'\"", "\n"]
    done = await process.run(argv, cwd=tmp_path, env=ENVIRONMENT, limit_s=LIMIT_S)
    assert done.text == f"{argv[3:]}\n"


async def test_a_program_sees_the_given_environment_and_directory_only(tmp_path: Path) -> None:
    program = "import os; print(sorted(os.environ), os.getcwd())"
    done = await python(program, tmp_path, env={**ENVIRONMENT, "ONLY": "this"})
    assert done.text == f"{sorted({'PATH', 'ONLY'} | python_adds(done))} {tmp_path}\n"


def python_adds(done: Completed) -> set[str]:
    return {"LC_CTYPE"} if "LC_CTYPE" in done.text else set()  # Python itself sets it in the C locale


# Head and tail


async def test_of_much_output_head_and_tail_are_kept(tmp_path: Path) -> None:
    done = await python("for n in range(100_000): print(n)", tmp_path, keep_bytes=2000)
    head, gap, tail = done.text.partition(" bytes left out …\n")
    assert head.startswith("0\n1\n2\n")
    assert gap
    assert tail.endswith("99998\n99999\n")
    assert len(done.stdout) < 2100


@given(chunks=st.lists(st.binary(max_size=40), max_size=30), keep=st.integers(2, 60))
def test_what_is_kept_is_the_head_and_the_tail_of_the_whole(chunks: list[bytes], keep: int) -> None:
    kept, whole, half = process._HeadAndTail(keep), b"".join(chunks), keep // 2
    for chunk in chunks:
        kept.add(chunk)
    dropped = len(whole) - 2 * half
    gap = f"\n… {dropped:,} bytes left out …\n".encode()
    assert kept.kept() == (whole[:half] + gap + whole[-half:] if dropped > 0 else whole)


# What cannot be started


async def test_a_missing_program_is_not_found(tmp_path: Path) -> None:
    for name in ("no-such-program", str(tmp_path / "none")):
        with pytest.raises(FileNotFoundError, match=r"no-such-program|none"):
            await process.run([name], cwd=tmp_path, env=ENVIRONMENT, limit_s=LIMIT_S)


async def test_a_missing_directory_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await python("pass", tmp_path / "none")


async def test_programs_are_looked_for_where_their_own_path_says(tmp_path: Path) -> None:
    program = tmp_path / "greet"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    done = await process.run(["greet"], cwd=tmp_path, env={"PATH": str(tmp_path)}, limit_s=LIMIT_S)
    assert done.text == "hello\n"


async def test_a_program_named_by_its_place_is_looked_for_in_the_directory(tmp_path: Path) -> None:
    (tmp_path / "greet").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "greet").chmod(0o755)
    assert (await process.run(["./greet"], cwd=tmp_path, env=ENVIRONMENT, limit_s=LIMIT_S)).text == "hello\n"


# Ends


async def test_a_program_over_its_limit_is_ended_with_its_children(tmp_path: Path) -> None:
    done = await python(STARTS_A_CHILD, tmp_path, limit_s=1.0)
    assert (done.code, done.ok, done.timed_out) == (None, False, True)
    await gone(await written(tmp_path / "pid"))


async def test_output_before_the_limit_is_kept(tmp_path: Path) -> None:
    done = await python("import time; print('so far', flush=True); time.sleep(600)", tmp_path, limit_s=1.0)
    assert done.text == "so far\n"


async def test_a_cancelled_program_is_ended_with_its_children(tmp_path: Path) -> None:
    running = asyncio.create_task(python(STARTS_A_CHILD, tmp_path))
    child = await written(tmp_path / "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gone(child)


async def test_a_program_that_is_cancelled_while_it_starts_is_ended_too(tmp_path: Path) -> None:
    for turns in range(10):
        running = asyncio.create_task(python("import time; time.sleep(600)", tmp_path))
        for _ in range(turns):
            await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 - the program comes up while nobody looks at it
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    for pid in working_in(tmp_path):
        await gone(pid)


def working_in(directory: Path) -> list[int]:
    """Processes whose directory it is."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if link.readlink() == directory:
                found.append(int(link.parent.name))
    return found


async def test_a_second_cancellation_saves_nobody(tmp_path: Path) -> None:
    running = asyncio.create_task(python(STARTS_A_CHILD, tmp_path))
    child = await written(tmp_path / "pid")
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gone(child)


async def test_children_of_a_program_that_ended_by_itself_are_ended_too(tmp_path: Path) -> None:
    done = await python(STARTS_A_CHILD.replace("\ntime.sleep(600)\n", "\n"), tmp_path)
    assert done.ok
    await gone(await written(tmp_path / "pid"))


async def test_a_child_that_left_its_group_and_holds_the_output_does_not_hold_us(tmp_path: Path) -> None:
    program = STARTS_A_CHILD.replace('"])', '"], start_new_session=True)').replace("\ntime.sleep(600)\n", "\n")
    done = await asyncio.wait_for(python(program, tmp_path), LIMIT_S)
    assert done.ok
    os.kill(await written(tmp_path / "pid"), signal.SIGKILL)


async def test_programs_run_beside_each_other(tmp_path: Path) -> None:
    # Each waits for the other's file: one after the other they would never end.
    program = "import sys, pathlib, time\npathlib.Path(sys.argv[1]).touch()\n"
    program += "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)"

    async def one(mine: str, other: str) -> Completed:
        argv = [sys.executable, "-c", program, mine, other]
        return await process.run(argv, cwd=tmp_path, env=ENVIRONMENT, limit_s=LIMIT_S)

    assert all(done.ok for done in await asyncio.gather(one("a", "b"), one("b", "a")))


STARTS_AND_DIES = """
import asyncio, os, sys, pathlib
sys.path.insert(0, sys.argv[1])
from app import process

async def main():
    child = process.run([sys.executable, "-c", sys.argv[2]], cwd=pathlib.Path.cwd(), env=dict(os.environ), limit_s=600)
    asyncio.create_task(child)
    while not (os.path.exists("pid") and open("pid").read().endswith("\\n")): await asyncio.sleep(0.01)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a program of its parent's death")
async def test_programs_do_not_outlive_a_service_that_is_killed(tmp_path: Path) -> None:
    root = str(Path(__file__).parent.parent)
    argv = [sys.executable, "-c", STARTS_AND_DIES, root, STARTS_A_CHILD]
    await process.run(argv, cwd=tmp_path, env=ENVIRONMENT, limit_s=LIMIT_S)
    await gone(await written(tmp_path / "pid"))


# The operator's environment


def test_programs_see_tools_proxies_and_certificates_of_the_operator_but_no_secret() -> None:
    seen: Mapping[str, str] = operator_environment()
    assert seen["PATH"] == os.environ["PATH"]
    assert not [name for name in seen if any(word in name for word in ("TOKEN", "SECRET", "KEY", "PASSWORD"))]
    assert set(operator_environment("NO_SUCH_VARIABLE")) == set(seen)


def test_how_long_a_program_took_is_told() -> None:
    started = time.monotonic()
    done = asyncio.run(python("pass", Path.cwd()))
    assert 0 < done.duration_s <= time.monotonic() - started
