"""The same view by bubblewrap, for machines that allow it namespaces: what is not in the room does not exist there."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SCRATCH_BYTES = 1 << 30


def command(
    told: Mapping[str, Any], argv: Sequence[str], *, own: Iterable[tuple[str, int]], filtered: bytes
) -> list[str]:
    """The command that runs `argv` in the room. `own`: paths and descriptors of its trees, which stay open for it."""
    here = os.getcwd()  # noqa: PTH109 - pathlib takes longer to import than to be of use
    proc = ["--proc", "/proc"] if told["fresh_proc"] else ["--ro-bind", "/proc", "/proc"]
    options = [
        *("--die-with-parent", "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL"),
        *("--dev", "/dev", *proc, "--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp"),  # noqa: S108 - its own
        *_binds("--ro-bind-try", told["reads"]),
        *_binds("--bind-try", told["writes"]),
        *(part for path, descriptor in own for part in ("--bind-fd", str(_kept(descriptor)), path)),
        *("--remount-ro", "/", "--chdir", here, "--seccomp", str(_file(filtered))),
    ]
    # Not as arguments, which programs in the room could read.
    return [told["bwrap"], "--args", str(_file(b"".join(f"{part}\0".encode() for part in options))), "--", *argv]


def _binds(option: str, paths: Iterable[str]) -> Iterable[str]:
    """Parents before what is in them, which would else be covered."""
    for path in sorted(paths):
        if not path.startswith(("/dev/", "/proc")):
            yield from (option, path, path)


def _kept(descriptor: int) -> int:
    os.set_inheritable(descriptor, True)
    return descriptor


def _file(content: bytes) -> int:
    descriptor = os.memfd_create("told", 0)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
