"""Landlock: which trees a process and its children may read and write, and which TCP ports they may connect to.

The numbers are those of linux/landlock.h. A rule follows the directory, not its name: a tree that is renamed stays
allowed, and one that takes its name is not.
"""

import os
import stat
import struct
from collections.abc import Iterable

from .kernel import CannotEnter, syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_CREATE_RULESET_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_CONNECT_TCP = 1 << 1
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

READ = _EXECUTE | _READ_FILE | _READ_DIR
WRITE = ((1 << 16) - 1) & ~(_MAKE_CHAR | _MAKE_BLOCK)
DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV

KNOWS_PORTS, KNOWS_SCOPES = 4, 6
"""The versions that can hold connections back (Linux 6.7), and signals (Linux 6.12)."""


def version() -> int:
    """The version of Landlock's interface that this kernel offers; 0 for none."""
    try:
        return syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict(*, trees: Iterable[tuple[int, int]] | None, ports: Iterable[tuple[int, int]] | None) -> None:
    """Hold this process, and what it starts, to trees and ports; None: to any.

    `trees` are open: descriptor and access. `ports` are ranges, first and last, of TCP ports to connect to. Signals
    and abstract sockets stay among them. Raises CannotEnter where this kernel cannot do what is asked.
    """
    offered = version()
    if offered < 1:
        raise CannotEnter("this kernel has no Landlock")
    if ports is not None and offered < KNOWS_PORTS:
        raise CannotEnter("this kernel's Landlock knows no TCP ports; that needs Linux 6.7 or AGENT_NETWORK=open")
    handled = _handled(offered) if trees is not None else 0
    scopes = _ABSTRACT_SOCKETS | _SIGNALS if offered >= KNOWS_SCOPES else 0
    if not (handled or scopes or ports is not None):
        return
    attributes = struct.pack("QQQ", handled, _CONNECT_TCP if ports is not None else 0, scopes)
    ruleset = syscall(_CREATE_RULESET, attributes, _size(offered), 0)
    for descriptor, access in trees or ():
        _allow_tree(ruleset, descriptor, access & handled)
    for port in (port for first, last in ports or () for port in range(first, last + 1)):
        syscall(_ADD_RULE, ruleset, _NET_PORT, struct.pack("QQ", _CONNECT_TCP, port), 0)
    syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _handled(offered: int) -> int:
    bits = {1: 13, 2: 14, 3: 15, 4: 15}.get(offered, 16)
    return (1 << bits) - 1


def _size(offered: int) -> int:
    if offered < KNOWS_PORTS:
        return 8
    return 16 if offered < KNOWS_SCOPES else 24


def _allow_tree(ruleset: int, descriptor: int, access: int) -> None:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        access &= _OF_FILES
    syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
