"""seccomp: system calls that go around what Landlock holds back, or that open much of the kernel to attack.

Landlock knows TCP's connect and nothing else of the network, so other sockets are refused. What programs fall back from
says "not implemented", the rest "not permitted".
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from .kernel import PR_SET_SECCOMP, CannotEnter, prctl

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Of each machine: its number for the kernel, and its column in the table below."""
_X32 = 0x40000000
"""Bit of the numbers of a second interface on x86_64, which would pass by a list of numbers."""

_SOCKET, _CLONE, _UNSHARE = (41, 198), (56, 220), (272, 97)
_SENDTO, _SENDMSG, _SENDMMSG = (44, 206), (46, 211), (307, 269)
_NOT_IMPLEMENTED = {
    "clone3": (435, 435),  # its flags are in memory, where a filter cannot look; programs fall back to clone
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
_NOT_PERMITTED = {
    "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "kcmp": (312, 272),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
}  # fmt: skip

_OF_OTHERS = {
    # number, and the arguments that must be 0 for the caller to mean itself
    "prlimit64": ((302, 261), (0,)),
    "setpriority": ((141, 140), (0, 1)), "ioprio_set": ((251, 30), (1,)),
    "sched_setparam": ((142, 118), (0,)), "sched_setscheduler": ((144, 119), (0,)), "sched_setattr": ((314, 274), (0,)),
}  # fmt: skip
"""What changes limits and priorities, also of the service and of supervisors: they have the same user id, and Landlock
does not ask. A limit on open files or on time would end them."""

_NEW_NAMESPACES = 0x7E020000
_NEW_TIME_NAMESPACE = 0x80
_MSG_FASTOPEN = 0x20000000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_STREAM, _SOCK_TYPE_MASK = 1, 0xF
_IPPROTO_IP, _IPPROTO_TCP = 0, 6

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_MODE_FILTER = 2
_NUMBER, _ARCHITECTURE = 0, 4

Program = list[bytes]


def install(program: bytes) -> None:
    """Hold this process and what it starts to a filter. It must have no way to new rights."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(header))


def program(*, any_port: bool, local_sockets: bool) -> bytes:
    """The filter as the kernel reads it. Raises CannotEnter on a machine whose numbers are not known here.

    With `any_port` the network is open; `local_sockets` are those of one machine, whose servers Landlock lets everybody
    reach.
    """
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise CannotEnter(f"no system calls are known of {machine}, only of {' and '.join(_ARCHITECTURES)}")
    architecture, column = _ARCHITECTURES[machine]
    code = [
        _load(_ARCHITECTURE),
        *_unless(_EQUAL, architecture, _refuse(errno.ENOSYS)),
        _load(_NUMBER),
        *_when(_AT_LEAST, _X32, _refuse(errno.ENOSYS)),
    ]
    for numbers in _NOT_IMPLEMENTED.values():
        code += _when(_EQUAL, numbers[column], _refuse(errno.ENOSYS))
    for numbers in _NOT_PERMITTED.values():
        code += _when(_EQUAL, numbers[column], _refuse(errno.EPERM))
    for numbers, arguments in _OF_OTHERS.values():
        code += _when(_EQUAL, numbers[column], _all_zero(arguments))
    code += _flags(_CLONE[column], 0, _NEW_NAMESPACES, errno.EPERM)
    code += _flags(_UNSHARE[column], 0, _NEW_NAMESPACES | _NEW_TIME_NAMESPACE, errno.EPERM)
    if not any_port:
        # Data in the first packet connects without asking Landlock.
        for call, argument in ((_SENDTO, 3), (_SENDMSG, 2), (_SENDMMSG, 3)):
            code += _flags(call[column], argument, _MSG_FASTOPEN, errno.EOPNOTSUPP)
    code += _when(_EQUAL, _SOCKET[column], _sockets(any_port=any_port, local_sockets=local_sockets))
    return b"".join([*code, _allow()])


def _sockets(*, any_port: bool, local_sockets: bool) -> Program:
    """TCP over IP, and what else is wanted. Pairs of connected sockets are made by another call, and always allowed."""
    local = [_allow()] if local_sockets else _refuse(errno.EACCES)
    if any_port:
        return [_load(_argument(0)), *_when(_EQUAL, _AF_UNIX, local), _allow()]
    tcp = [
        _load(_argument(1)),
        _instruction(_AND, _SOCK_TYPE_MASK),
        *_unless(_EQUAL, _SOCK_STREAM, _refuse(errno.EACCES)),
        _load(_argument(2)),
        *_when(_EQUAL, _IPPROTO_IP, [_allow()]),
        *_when(_EQUAL, _IPPROTO_TCP, [_allow()]),
        *_refuse(errno.EACCES),
    ]
    return [
        _load(_argument(0)),
        *_when(_EQUAL, _AF_UNIX, local),
        *_when(_EQUAL, _AF_NETLINK, [_allow()]),
        *_when(_EQUAL, _AF_INET, tcp),
        *_when(_EQUAL, _AF_INET6, tcp),
        *_refuse(errno.EAFNOSUPPORT),
    ]


def _all_zero(arguments: Iterable[int]) -> Program:
    """Allow a call whose arguments are all 0."""
    code: Program = []
    for index in arguments:
        code += [_load(_argument(index)), *_unless(_EQUAL, 0, _refuse(errno.EPERM))]
    return [*code, _allow()]


def _flags(number: int, argument: int, bits: int, error: int) -> Program:
    """Refuse a call with any of these bits."""
    return _when(_EQUAL, number, [_load(_argument(argument)), *_when(_ANY_BIT, bits, _refuse(error)), _allow()])


def _when(test: int, value: int, then: Program) -> Program:
    """`then` if what was loaded passes the test; it must end in a return, since it may load anew."""
    return [_instruction(test, value, no=len(then)), *then]


def _unless(test: int, value: int, then: Program) -> Program:
    return [_instruction(test, value, yes=len(then)), *then]


def _argument(index: int) -> int:
    return 16 + 8 * index  # the lower half: both machines are little-endian


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, offset)


def _allow() -> bytes:
    return _instruction(_RETURN, _ALLOW)


def _refuse(error: int) -> Program:
    return [_instruction(_RETURN, _ERROR | error)]


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
