"""Whether a sandbox keeps its word on this machine: a program tries what it must not be able to do.

It says what is wrong, and decides nothing.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from app import process
from app.sandbox.entry import landlock

_LIMIT_S = 20.0
_UNTOUCHED = "not to be touched"
_ENGINES = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock", "buildkitd.sock")

# One line for each thing that is possible. A connection must be refused by the kernel, not by a server's absence.
PROBE = """
import os, socket, sys
outside, service, anything = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "open"
def possible(what, attempt, refused):
    try:
        attempt()
    except refused:
        return
    except OSError:
        pass
    print(what)
def connect():
    with socket.socket() as client:
        client.connect(("127.0.0.1", 1))
possible("reading elsewhere", lambda: open(outside).close(), OSError)
try:
    with open(outside, "w") as file:
        file.write("changed")
except OSError:
    pass
possible("the service's environment", lambda: open(f"/proc/{service}/environ").read(), OSError)
if not anything:
    possible("a connection to any port", connect, PermissionError)
    possible("UDP", lambda: socket.socket(type=socket.SOCK_DGRAM).close(), PermissionError)
for place in (os.environ["HOME"], os.environ["TMPDIR"]):
    with open(place + "/tried", "w"):
        pass
    os.unlink(place + "/tried")
"""


async def complaint(
    command: Iterable[str], *, outside: Path, entrance: Mapping[str, str], launcher: Path, cwd: Path
) -> str | None:
    """What is wrong after the probe ran as `command`, which names the file `outside`; None if nothing is."""
    await asyncio.to_thread(outside.write_text, _UNTOUCHED)
    done = await process.run(list(command), cwd=cwd, env=entrance, limit_s=_LIMIT_S, launcher=launcher)
    possible = done.text.splitlines()
    if await asyncio.to_thread(outside.read_text) != _UNTOUCHED:
        possible.append("writing elsewhere")
    if possible:
        return f"programs can do what they must not: {', '.join(possible)}"
    return None if done.ok else (done.error_text.strip().removeprefix("auto-code: ") or f"it ended with {done.code}")


def local_sockets() -> str:
    """The kernel's table of sockets that have a path."""
    try:
        return Path("/proc/net/unix").read_text(errors="replace")
    except OSError:
        return ""


def engine_in_reach(table: str) -> str | None:
    """The socket of a container engine that this process, and so any room of Landlock, could connect to."""
    paths = {line.split(maxsplit=7)[-1] for line in table.splitlines() if line}
    engines = (path for path in sorted(paths) if path.startswith("/") and path.endswith(_ENGINES))
    return next((path for path in engines if os.access(path, os.W_OK)), None)


def holds_signals() -> bool:
    """Whether this kernel's Landlock keeps signals, and sockets without a file, in their room."""
    return landlock.version() >= landlock.KNOWS_SCOPES
