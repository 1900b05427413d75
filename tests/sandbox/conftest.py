"""Rooms on this machine's own kernel."""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app import process
from app.config import Settings
from app.process import Completed
from app.sandbox import Room, Sandbox

PYTHON = str(Path(sys.executable).resolve())
LIMIT_S = 30.0

Make = Callable[..., Sandbox]
Inside = Callable[..., Awaitable[Completed]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The service's volume, with what programs must not see."""
    place = tmp_path / "workspace"
    for name in ("worktree", "worktrees/other", "repository/.git", "claude/another-session/home"):
        (place / name).mkdir(parents=True)
        (place / name / "file").write_text("theirs")
    (place / "state.db").write_text("secret")
    return place


@pytest.fixture
def worktree(workspace: Path) -> Path:
    return workspace / "worktree"


@pytest.fixture
def make(workspace: Path) -> Make:
    """Make a sandbox of settings."""

    def made(*, environment: Mapping[str, str] | None = None, **settings: Any) -> Sandbox:
        facts = {"workspace_dir": workspace, "agent_network": "none", **settings}
        return Sandbox.of(Settings(_env_file=None, **facts), environment=environment)

    return made


@pytest.fixture(params=["landlock", "bwrap"])
def sandbox(request: pytest.FixtureRequest, make: Make) -> Sandbox:
    """Each way that keeps programs in."""
    if request.param == "bwrap":
        assert shutil.which("bwrap"), "Install bubblewrap: rooms are tried with it, too."
    return make(agent_sandbox=request.param)


@pytest.fixture
def landlock(make: Make) -> Sandbox:
    return make()


def room_of(sandbox: Sandbox, worktree: Path, **more: Any) -> Room:
    """A room that may write the worktree."""
    return sandbox.room("session", writes=[worktree], **more)


async def inside(
    sandbox: Sandbox, room: Room, *argv: str, env: Mapping[str, str] | None = None, limit_s: float = LIMIT_S
) -> Completed:
    """Run a program in a room, in its first tree."""
    entrance = sandbox.entrance(room, env=sandbox.environment(room) if env is None else env)
    return await process.run(argv, cwd=room.writes[0], env=entrance, limit_s=limit_s, launcher=sandbox.launcher)


async def attempt(sandbox: Sandbox, room: Room, program: str, *arguments: object) -> Any:
    """What a Python program in the room printed as JSON. It finds its arguments in `given`, and `tried` at hand."""
    given = json.dumps([str(argument) for argument in arguments])
    done = await inside(sandbox, room, PYTHON, "-I", "-c", f"{TRIED}\ngiven = {given}\n{program}")
    assert done.ok, done.error_text
    return json.loads(done.text)


TRIED = """
import errno, json, os, socket, subprocess, sys
def tried(call):
    try:
        result = call()
    except OSError as error:
        return errno.errorcode[error.errno]
    return result if isinstance(result, (str, int, list)) else "done"
"""

REFUSED = frozenset({"EACCES", "EPERM", "ENOENT", "EROFS", "ENOTDIR", "ESRCH", "EXDEV"})
"""How the kernel says no: with Landlock it is forbidden, with bubblewrap it is not there."""


def alive(pid: int) -> bool:
    """Whether a process is there and not only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


async def written(file: Path) -> str:
    """The file's text, as soon as it is there and ends in a line's end, or is empty."""
    async with asyncio.timeout(LIMIT_S):
        while not (file.exists() and (file.read_text() or "\n").endswith("\n")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return file.read_text().strip()


async def gone(pid: int) -> None:
    """Return when the process is no more."""
    async with asyncio.timeout(LIMIT_S):
        while alive(pid):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)
