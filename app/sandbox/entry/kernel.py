"""System calls that Python has no names for."""

import ctypes
import os
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_LAST_CAPABILITY = 63


class CannotEnter(Exception):
    """The room cannot be made as it was told; nothing was started."""


def syscall(number: int, *arguments: Any) -> int:
    """A system call by its number. Raises OSError."""
    return _checked(_LIBC.syscall(ctypes.c_long(number), *map(_word, arguments)))


def prctl(option: int, *arguments: Any) -> int:
    """Change something of this process. Raises OSError."""
    given = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(_LIBC.prctl(option, *map(_word, given)))


def drop_capabilities() -> None:
    """Give up what root may do, for this process and whatever it starts."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # one that this kernel does not know, or nobody without rights may drop
            break
    prctl(PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _checked(_LIBC.capset(header, (ctypes.c_uint32 * 6)()))


def _word(value: Any) -> Any:
    return ctypes.c_ulong(value) if isinstance(value, int) else value


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
