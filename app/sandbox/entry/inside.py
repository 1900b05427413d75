"""The last steps of the process that becomes the program: it gives up whatever the program is not to have."""

import contextlib
import os
import resource
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from . import bubblewrap, landlock, seccomp
from .kernel import PR_SET_NO_NEW_PRIVS, CannotEnter, drop_capabilities, prctl
from .statuses import CANNOT_ENTER, CANNOT_START, NOT_FOUND
from .supervisor import say

_EXPENDABLE = b"500"
"""How much sooner than others the kernel ends it where memory is short; the service is at 0."""

_OWN = ("home", "tmp")
_THREADS = 64
_TREE = os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW

Told = Mapping[str, Any]


def become(told: Told, argv: Sequence[str]) -> NoReturn:
    """Enter the room and run the program in it; ends with a status of shells where that cannot be."""
    try:
        argv = [*_confine(told, list(argv))]
    except (CannotEnter, OSError) as error:
        say(f"the room cannot be entered: {error}")
        os._exit(CANNOT_ENTER)
    try:
        os.execvpe(argv[0], argv, environment_of(told))  # noqa: S606 - this is where programs are started
    except FileNotFoundError:
        say(f"{argv[0]}: not found")
        os._exit(NOT_FOUND)
    except OSError as error:
        say(f"{argv[0]} cannot be started in its room: {error.strerror} (AGENT_READS can name more directories)")
        os._exit(CANNOT_START)


def environment_of(told: Told) -> dict[str, str]:
    """The program's variables; of what it is handed, the number of the descriptor that it is read from."""
    variables = dict(told["environment"])
    for name, value in told["handed"].items():
        reader, writer = os.pipe()
        os.write(writer, value.encode())
        os.close(writer)
        os.set_inheritable(reader, True)
        variables[name] = str(reader)
    return variables


def _confine(told: Told, argv: list[str]) -> list[str]:
    """Give up what the room does not have; the command that is left to run."""
    _limit(told)
    own = _own_trees(told)
    if told["how"] == "off":
        return argv
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    ports = told["ports"]
    filtered = seccomp.program(any_port=ports is None, local_sockets=told["local_sockets"])
    if told["how"] == "bwrap":  # which needs root's rights, where it has them, and gives them up itself
        landlock.restrict(trees=None, ports=ports)
        return bubblewrap.command(told, argv, own=own, filtered=filtered)
    drop_capabilities()
    landlock.restrict(trees=_trees(told, own), ports=ports)
    seccomp.install(filtered)
    return argv


def _limit(told: Told) -> None:
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Threads of everybody with this user id count, so this only stops what multiplies faster than it is counted.
    most, hard = int(told["max_processes"]) * _THREADS, resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    with contextlib.suppress(OSError):
        adjustment = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(adjustment, _EXPENDABLE)
        os.close(adjustment)


def _own_trees(told: Told) -> list[tuple[str, int]]:
    """What is the room's own, by path and open. A program may have put a link where a tree was: it is not followed."""
    directory = told["directory"]
    os.makedirs(directory, exist_ok=True)  # noqa: PTH103 - pathlib is slow to import
    room = os.open(directory, _TREE | os.O_DIRECTORY)
    opened = []
    for name in _OWN:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=room)
        opened.append((f"{directory}/{name}", os.open(name, _TREE | os.O_DIRECTORY, dir_fd=room)))
    os.close(room)
    for path in told["trees"]:
        descriptor = os.open(path, _TREE)
        if stat.S_ISLNK(os.fstat(descriptor).st_mode):
            raise CannotEnter(f"{path} is a link")
        opened.append((path, descriptor))
    return opened


def _trees(told: Told, own: Iterable[tuple[str, int]]) -> Iterator[tuple[int, int]]:
    for _, descriptor in own:
        yield descriptor, landlock.WRITE
    optional = ((told["writes"], landlock.WRITE), (told["devices"], landlock.DEVICE), (told["reads"], landlock.READ))
    for paths, access in optional:
        for path in paths:
            with contextlib.suppress(OSError):
                yield os.open(path, os.O_PATH | os.O_CLOEXEC), access
