"""Where a name leads, and which of its addresses may be connected to.

A name is looked up once and the connection goes to an address that was judged, so that a second answer of its DNS
server cannot lead elsewhere. Private networks are for hosts that the operator named; the clouds' metadata services,
which hand out credentials, are for nobody.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

Address = tuple[str, int]
"""IP address and port."""

Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]
"""All addresses of a host name, the best one first. Raises OSError when it has none."""

_LOOKUPS_AT_ONCE = 8

# On no link-local address; the rest of the clouds' are. AWS and Google by IPv6, Alibaba, Oracle, Azure.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
"""`is_global` also says yes to site-local, IPv4-compatible and local NAT64 addresses, which are outside of this."""
_INSIDE_IPV6 = tuple(map(ipaddress.IPv6Network, ("2000::/3", "fc00::/7", "::1/128")))


class SystemResolver:
    """The system's resolver, in threads of its own: an answer may take half a minute, and must block nothing else."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self._threads = self._threads or ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="egress-dns")
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [(str(address[0]), int(address[1])) for *_, address in found]

    def close(self) -> None:
        """Let the threads go; lookups under way end by themselves, and a later one has new threads."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)


def may_be_reached(address: str, *, trusted: bool) -> bool:
    """Whether a connection may go to this IP address. `trusted`: also to one of a private network or this machine."""
    try:
        ip = _meant(ipaddress.ip_address(address))
    except ValueError:  # a scope, as of link-local addresses
        return False
    if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global or (trusted and not ip.is_reserved)
    return (ip.is_global and ip in _GLOBAL_IPV6) or (trusted and any(ip in each for each in _INSIDE_IPV6))


def _meant(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 address only wraps."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
