"""Where a request comes from, as limits count it. Nobody is let in by an address: it only bounds what others may do."""

from ipaddress import IPv6Address, ip_address

from starlette.requests import HTTPConnection

_EDGE = "CF-Connecting-IP"
_NETWORK_OF_ONE = (128 - 64, 64)  # one customer of a provider has at least a /64


def address_of(request: HTTPConnection) -> str:
    """The network address of whoever sent it.

    Behind Cloudflare Access all come from the tunnel, and the edge names their addresses. Without Access that header
    is anybody's word.
    """
    peer = request.client.host if request.client else "unknown"
    if not request.app.state.reception.behind_access:
        return peer
    try:
        return _network(request.headers.get(_EDGE, ""))
    except ValueError:
        return peer


def _network(text: str) -> str:
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        shift, kept = _NETWORK_OF_ONE
        return f"{IPv6Address(int(address) >> shift << shift)}/{kept}"
    return str(address)
