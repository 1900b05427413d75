"""What a program in a room can and cannot do, tried on the kernel that runs the tests."""

import asyncio
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from app import process
from app.sandbox import CANNOT_ENTER, CANNOT_START, Sandbox
from tests.sandbox.conftest import LIMIT_S, PYTHON, REFUSED, Make, attempt, inside, room_of, written

READ = "print(json.dumps({path: tried(lambda: open(path).read()) for path in given}))"
WRITE = "print(json.dumps({path: tried(lambda: open(path, 'w').close()) for path in given}))"
TOOLCHAINS = [tool for tool in ("git", "node", "npm", "python3", "uv") if shutil.which(tool)]


# Files


async def test_a_program_reads_nothing_of_the_service_or_of_others(
    workspace: Path, worktree: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    home = tmp_path / "operator"
    home.mkdir()
    (home / ".netrc").write_text("password")
    secret = tmp_path / "run" / "secrets" / "gh_token"
    secret.parent.mkdir(parents=True)
    secret.write_text("ghs_secret")
    kept = [
        workspace / "state.db",
        workspace / "worktrees/other/file",
        workspace / "claude/another-session/home/file",
        workspace / "repository/.git/file",
        home / ".netrc",
        secret,
        f"/proc/{os.getpid()}/environ",
        "/etc/shadow",
    ]
    seen = await attempt(sandbox, room_of(sandbox, worktree), READ, *kept)
    assert {path: result for path, result in seen.items() if result not in REFUSED} == {}


async def test_a_program_writes_its_trees_and_nothing_else(sandbox: Sandbox, workspace: Path, worktree: Path) -> None:
    common = workspace / "repository/.git"
    room = room_of(sandbox, worktree, reads=[common])
    own = [worktree / "new", room.directory / "home/new", room.directory / "tmp/new", "/dev/null"]
    made = [common / "new", workspace / "worktrees/other/new", room.directory / "new", workspace.parent / "new"]
    changed = {common / "file": "theirs", workspace / "state.db": "secret"}
    seen = await attempt(sandbox, room, WRITE, *own, *made, *changed)
    assert {seen[str(path)] for path in own} == {"done"}
    # With bubblewrap a place may be there, empty and the room's alone.
    assert [path for path in made if path.exists()] == []
    assert {path: path.read_text() for path in changed} == changed
    if sandbox.how == "landlock":  # on a read-only root the file system is asked first
        assert {seen[str(path)] for path in (*made, *changed)} <= {"EACCES", "EROFS"}
    assert await attempt(sandbox, room, READ, common / "file") == {str(common / "file"): "theirs"}
    system = ["/usr/bin/env", "/etc/passwd"]
    append = "print(json.dumps([tried(lambda: open(path, 'a').close()) for path in given]))"
    assert set(await attempt(sandbox, room, append, *system)) <= REFUSED


async def test_no_link_leads_out(sandbox: Sandbox, workspace: Path, worktree: Path) -> None:
    (worktree / "link").symlink_to(workspace / "state.db")
    program = """
tries = {
    "link": tried(lambda: open("link").read()),
    "hard": tried(lambda: os.link(given[0], "hard") or open("hard").read()),
    "away": tried(lambda: os.rename("file", given[1])),
    "here": tried(lambda: os.rename(given[0], "here")),
}
print(json.dumps(tries))
"""
    seen = await attempt(sandbox, room_of(sandbox, worktree), program, workspace / "state.db", workspace / "moved")
    assert set(seen.values()) <= REFUSED
    assert not (workspace / "moved").exists()


@pytest.mark.parametrize("own", ["home", "tmp"])
async def test_a_link_in_the_place_of_a_rooms_directory_is_not_followed(
    sandbox: Sandbox, workspace: Path, worktree: Path, own: str
) -> None:
    room = room_of(sandbox, worktree)
    room.directory.mkdir(parents=True)
    (room.directory / own).symlink_to(workspace)
    done = await inside(sandbox, room, "cat", str(workspace / "state.db"))
    assert (done.code, done.text) == (CANNOT_ENTER, "")
    assert done.error_text.startswith("auto-code: the room cannot be entered: ")


async def test_a_link_in_the_place_of_a_tree_is_not_followed(sandbox: Sandbox, workspace: Path, worktree: Path) -> None:
    (workspace / "replaced").symlink_to(workspace)
    room = sandbox.room("session", writes=[worktree, workspace / "replaced"])
    done = await inside(sandbox, room, "cat", str(workspace / "state.db"))
    assert (done.code, done.text) == (CANNOT_ENTER, "")


async def test_a_tree_that_is_renamed_stays_the_rooms_own(landlock: Sandbox, workspace: Path, worktree: Path) -> None:
    program = """
import time
open("ready", "w").close()
while not os.path.exists("go"): time.sleep(0.01)
print(json.dumps([tried(lambda: open(place + "/new", "w").close()) for place in given]))
"""
    room, moved = room_of(landlock, worktree), workspace / "worktrees/moved"
    assert not landlock.covers(room, worktree)  # nobody entered it yet
    running = asyncio.create_task(attempt(landlock, room, program, moved, worktree))
    await written(worktree / "ready")
    worktree.rename(moved)
    worktree.mkdir()
    (moved / "go").touch()
    assert await running == ["done", "EACCES"]
    assert [landlock.covers(room, place) for place in (moved, moved / "src", worktree)] == [True, True, False]


# Processes and rights


async def test_a_program_cannot_reach_processes_outside(sandbox: Sandbox, worktree: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0auto-code-test-" + str(os.getpid()))
        abstract.listen()
        program = """
import resource
service = int(given[0])
unlimited = resource.getrlimit(resource.RLIMIT_NOFILE)
def connect():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\\0" + given[1])
print(json.dumps({
    "signal": tried(lambda: os.kill(service, 0)),
    "parent": tried(lambda: os.kill(os.getppid(), 0)),
    "limits": tried(lambda: resource.prlimit(service, resource.RLIMIT_NOFILE, unlimited)),
    "priority": tried(lambda: os.setpriority(os.PRIO_PROCESS, service, 0)),
    "memory": tried(lambda: open(f"/proc/{service}/mem", "rb").close()),
    "files": tried(lambda: os.readlink(f"/proc/{service}/fd/0")),
    "root": tried(lambda: os.listdir(f"/proc/{service}/root")),
    "socket": tried(connect),
}))
"""
        name = "auto-code-test-" + str(os.getpid())
        seen = await attempt(sandbox, room_of(sandbox, worktree), program, os.getpid(), name)
    if sandbox.how == "bwrap":
        seen.pop("parent")  # bubblewrap's own process, which is in the room
    assert set(seen.values()) <= REFUSED


async def test_with_bubblewrap_nothing_outside_exists(make: Make, worktree: Path) -> None:
    assert shutil.which("bwrap"), "Install bubblewrap: rooms are tried with it, too."
    sandbox = make(agent_sandbox="bwrap")
    program = """
processes = [int(name) for name in os.listdir("/proc") if name.isdigit()]
print(json.dumps([len(processes) < 4, os.path.exists("/var"), os.access("/", os.W_OK)]))
"""
    seen = await attempt(sandbox, room_of(sandbox, worktree), program)
    assert seen == [True, False, False]


async def test_a_program_has_no_rights_and_no_way_to_some(sandbox: Sandbox, worktree: Path) -> None:
    program = """
import ctypes, resource
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    def run():
        if libc.syscall(*arguments) < 0:
            raise OSError(ctypes.get_errno(), "")
    return tried(run)
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
machine = os.uname().machine == "x86_64"
print(json.dumps({
    "rights": [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
    "no new": status["NoNewPrivs"].strip(),
    "filter": status["Seccomp"].strip(),
    "core": list(resource.getrlimit(resource.RLIMIT_CORE)),
    "user namespace": call(272 if machine else 97, 0x10000000),
    "clone": call(56 if machine else 220, 0x10000000 | 17, 0, 0, 0, 0),
    "clone3": call(435, 0, 0),
    "io_uring": call(425, 1, 0),
    "bpf": call(321 if machine else 280, 0, 0, 0),
    "keys": call(250 if machine else 219, 0, 0),
    "mount": call(165 if machine else 40, b"none", b"home", b"tmpfs", 0, 0),
}))
"""
    seen = await attempt(sandbox, room_of(sandbox, worktree), program)
    assert seen.pop("rights") == [0, 0, 0, 0]
    assert seen.pop("core") == [0, 0]
    assert seen == {
        "no new": "1",
        "filter": "2",
        "user namespace": "EPERM",
        "clone": "EPERM",
        "clone3": "ENOSYS",
        "io_uring": "ENOSYS",
        "bpf": "EPERM",
        "keys": "EPERM",
        "mount": "EPERM",
    }


# The environment


async def test_a_program_sees_exactly_the_given_variables(sandbox: Sandbox, worktree: Path) -> None:
    room = room_of(sandbox, worktree)
    given = {"PATH": os.environ["PATH"], "ONLY": "this"}
    entrance = sandbox.entrance(room, env=given, program=["sh", "-c", "env"], passes=["KEPT", "ABSENT", "ONLY"])
    own = {**entrance, "KEPT": "too", "ONLY": "not this", "GH_TOKEN": "secret"}
    done = await process.run(["sh"], cwd=worktree, env=own, limit_s=LIMIT_S, launcher=sandbox.launcher)
    seen = dict(line.split("=", 1) for line in done.text.splitlines())
    assert {name: value for name, value in seen.items() if name not in {"PWD", "_"}} == {**given, "KEPT": "too"}


async def test_what_a_program_is_handed_is_read_once_and_in_no_environment(sandbox: Sandbox, worktree: Path) -> None:
    room = room_of(sandbox, worktree)
    environment = {"PATH": os.environ["PATH"]}
    look = """
import os
token = int(os.environ["TOKEN_DESCRIPTOR"])
print(os.read(token, 99), os.read(token, 99), b"key" in open("/proc/self/environ", "rb").read())
"""
    entrance = sandbox.entrance(room, env=environment, handed={"TOKEN_DESCRIPTOR": "key"})
    argv = [PYTHON, "-c", look]
    done = await process.run(argv, cwd=worktree, env=entrance, limit_s=LIMIT_S, launcher=sandbox.launcher)
    assert done.text == "b'key' b'' False\n"


async def test_a_program_inherits_nothing_open(sandbox: Sandbox, worktree: Path) -> None:
    program = "print(json.dumps([fd for fd in range(3, 1024) if tried(lambda: os.fstat(fd)) == 'done']))"
    assert await attempt(sandbox, room_of(sandbox, worktree), program) == []


# Tools


GIT = """
set -e
git status --short; git diff --stat; git log --oneline | wc -l
"""


async def test_git_looks_at_a_worktree_and_changes_nothing_of_the_repository(sandbox: Sandbox, workspace: Path) -> None:
    common = workspace / "clone" / ".git"
    await linked(workspace / "clone", workspace / "linked")
    room = sandbox.room("session", writes=[workspace / "linked"], reads=[common])
    (workspace / "linked" / "tracked").write_text("changed")
    looked = await inside(sandbox, room, "sh", "-c", GIT)
    assert looked.text.split("\n")[0] == " M tracked", looked.error_text
    assert looked.ok
    for change in ("git add tracked", "git commit -qam x", "git config core.fsmonitor true", "git branch new"):
        assert not (await inside(sandbox, room, "sh", "-c", change)).ok, change


async def linked(clone: Path, worktree: Path) -> None:
    """A repository with one commit, and a worktree of it."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    script = f"""
git init -q {clone} && cd {clone} && echo one > tracked && git add . &&
git -c user.name=a -c user.email=a@example.com commit -qm one && git worktree add -q --detach {worktree}
"""
    done = await process.run(["sh", "-c", script], cwd=clone.parent, env=environment, limit_s=LIMIT_S)
    assert done.ok, done.error_text


@pytest.mark.parametrize("tool", TOOLCHAINS)
async def test_toolchains_of_the_machine_work_in_a_room(sandbox: Sandbox, worktree: Path, tool: str) -> None:
    done = await inside(sandbox, room_of(sandbox, worktree), tool, "--version")
    assert done.ok, done.error_text


async def test_a_program_out_of_sight_says_how_to_show_it(
    landlock: Sandbox, make: Make, worktree: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "tools" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho works\n")
    tool.chmod(0o755)
    done = await inside(landlock, room_of(landlock, worktree), str(tool))
    assert done.code == CANNOT_START
    assert "AGENT_READS" in done.error_text
    shown = make(agent_reads=str(tool.parent))
    assert (await inside(shown, room_of(shown, worktree), str(tool))).text == "works\n"


async def test_directories_that_the_operator_opens_are_written_by_every_room(
    make: Make, worktree: Path, tmp_path: Path
) -> None:
    for name in ("cache", "more"):
        (tmp_path / name).mkdir()
    sandbox = make(agent_writes=str(tmp_path / "more"), agent_cache_dir=tmp_path / "cache")
    room = room_of(sandbox, worktree)
    seen = await attempt(sandbox, room, WRITE, tmp_path / "more/new", tmp_path / "cache/new")
    assert set(seen.values()) == {"done"}
    assert sandbox.environment(room)["UV_CACHE_DIR"] == str(tmp_path / "cache/uv")


def test_json_is_all_that_an_entrance_tells(landlock: Sandbox, worktree: Path) -> None:
    room = room_of(landlock, worktree)
    entrance = landlock.entrance(room, env={"PATH": "/bin", "A": "1"}, program=[PYTHON])
    told = json.loads(entrance["AUTO_CODE_ROOM"])
    assert (told["program"], told["environment"]) == ([PYTHON], {"PATH": "/bin", "A": "1"})
    assert entrance["PATH"] == "/bin"
