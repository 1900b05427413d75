"""From a request to the connection that serves it, or to the reason why there is none."""

import asyncio
import ssl

import h11

from app.sandbox.proxy_addresses import Address, Resolver, may_be_reached
from app.sandbox.proxy_hosts import HTTP_PORT, AllowList, Target, is_address, origin_of, split
from app.sandbox.proxy_upstream import Upstream, Upstreams
from app.sandbox.proxy_wire import Refused, Wire, passed

_SUCCESS = 2
_TRIES = 4
"""Addresses of one host that there is time for."""


def target_of(request: h11.Request) -> Target:
    """Where a request to a proxy wants to go. Raises Refused when it is none."""
    text = request.target.decode("ascii")
    tunnel = request.method == b"CONNECT"
    scheme, authority = ("", text) if tunnel else origin_of(text)
    found = split(authority)
    if found is None or scheme != ("" if tunnel else "http") or (tunnel and found[1] is None):
        raise Refused(400, "This is a proxy: it takes CONNECT host:port and http:// addresses without credentials.")
    host, port = found
    return Target(host, port or HTTP_PORT, tunnel)


class Routes:
    """Opens connections to allowed targets, within `reach_s` seconds each."""

    def __init__(self, *, allowed: AllowList, upstreams: Upstreams, resolve: Resolver, reach_s: float) -> None:
        self._allowed = allowed
        self._upstreams = upstreams
        self._resolve = resolve
        self._reach_s = reach_s

    async def reach(self, target: Target) -> tuple[Wire, Upstream | None]:
        """A connection to the target, or to the proxy that leads there: for a tunnel it is ready for its bytes.

        Raises Refused: 403 not allowed, 502 there is no way, 504 not in time.
        """
        if not self._allowed.allows(target):
            reason = f"{target} is not allowed. The operator can name it in AGENT_NETWORK_HOSTS."
            raise Refused(403, reason, why="not allowed")
        upstream = self._upstreams.of(target)
        try:
            async with asyncio.timeout(self._reach_s):
                return await (self._through(upstream, target) if upstream else self._directly(target)), upstream
        except TimeoutError:
            raise Refused(504, f"{target} could not be reached in {self._reach_s:g} seconds.") from None
        except (OSError, ssl.SSLError, UnicodeError):  # UnicodeError: a name that DNS has no form for
            raise Refused(502, f"{target} cannot be reached.") from None

    async def _directly(self, target: Target) -> Wire:
        failed: OSError | None = None
        for address in await self._addresses(target):
            try:
                async with asyncio.timeout(self._reach_s / _TRIES):
                    return await Wire.open(*address)
            except OSError as error:
                failed = error
        raise failed or OSError("no address")

    async def _addresses(self, target: Target) -> list[Address]:
        trusted = self._allowed.trusts(target)
        if is_address(target.host) and trusted:  # the operator named the very address
            return [(target.host, target.port)]
        found = await self._resolve(target.host, target.port)
        judged = [address for address in found if may_be_reached(address[0], trusted=trusted)]
        if found and not judged:
            reason = (
                f"{target} leads to an address inside. The operator can name the host in full in AGENT_NETWORK_HOSTS."
            )
            raise Refused(403, reason, why="leads to an address inside")
        return judged

    async def _through(self, upstream: Upstream, target: Target) -> Wire:
        wire = await Wire.open(upstream.host, upstream.port, tls=upstream.tls)
        opened = not target.tunnel
        try:
            if target.tunnel:
                await _ask_for_tunnel(wire, upstream, target)
            opened = True
        finally:
            if not opened:
                await wire.close()
        return wire


async def _ask_for_tunnel(wire: Wire, upstream: Upstream, target: Target) -> None:
    headers = [("Host", str(target)), *upstream.headers()]
    try:
        await wire.say(h11.Request(method="CONNECT", target=str(target), headers=headers), h11.EndOfMessage())
        while isinstance(event := await wire.event(), h11.InformationalResponse):
            pass
    except h11.RemoteProtocolError:
        event = h11.ConnectionClosed()
    if not isinstance(event, h11.Response) or event.status_code // 100 != _SUCCESS:
        said = f"status {event.status_code}" if isinstance(event, h11.Response) else "nothing in HTTP"
        raise Refused(502, f"The operator's proxy did not lead to {target}: it said {said}.", why=f"proxy: {said}")


def request_to(target: Target, upstream: Upstream | None, request: h11.Request) -> h11.Request:
    """A plain HTTP request as its server, or the proxy that leads there, gets it: one, and then the end."""
    text = request.target.decode("ascii")
    path = text[len("http://") + len(origin_of(text)[1]) :].partition("#")[0]
    path = path if path.startswith("/") else f"/{path}"
    own = [("Host", target.authority), ("Connection", "close"), *(upstream.headers() if upstream else ())]
    return h11.Request(
        method=request.method,
        target=f"http://{target.authority}{path}" if upstream else path,
        headers=[*((name.encode(), value.encode()) for name, value in own), *passed(request.headers)],
    )
