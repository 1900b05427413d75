"""The agent's way out where AGENT_NETWORK is `registries`: a proxy on loopback that knows which hosts are allowed.

It opens tunnels (CONNECT) to port 443 and passes plain HTTP on to port 80, one request a connection. It looks into no
TLS, keeps no content, and holds nothing of the service but the operator's own proxy. It refuses every other host and
port, names that lead to private addresses or to a cloud's metadata, and tunnels in which TLS asks for another host.

It lives in the service and ends with it: there is no second process to watch, to give an environment to, or to lose.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import h11

from app.config import Settings
from app.logger import get_logger
from app.sandbox.proxy_addresses import Resolver, SystemResolver
from app.sandbox.proxy_hosts import TLS_PORT, AllowList, Target, is_address, mirrors, registry_hosts
from app.sandbox.proxy_routes import Routes, request_to, target_of
from app.sandbox.proxy_tls import Greeting
from app.sandbox.proxy_upstream import Upstreams
from app.sandbox.proxy_wire import Refused, Wire, relay, splice

__all__ = ["EgressProxy", "Limits", "registry_hosts"]

_WAITING_CLIENTS = 512
_BREATH_S = 0.2
_FORGET_AFTER_S = 600.0
_MOST_TOLD = 100

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client may take.

    Seconds: `head_s` to say what it wants, `reach_s` until its host is reached, `idle_s` without a byte either way.
    `connections` is of all clients at once; more of them wait.
    """

    head_s: float = 10
    reach_s: float = 20
    idle_s: float = 120
    connections: int = 128


class EgressProxy:
    """Serves the hosts that `hosts` and `trusted` name (see `AllowList`), through the proxies that `upstream` names.

    `upstream` are environment variables (HTTPS_PROXY, NO_PROXY …). `resolve` stands in for the system's resolver.
    Raises ConfigurationError when an entry or a proxy's address cannot be understood.
    """

    def __init__(
        self,
        *,
        hosts: Sequence[str],
        trusted: Sequence[str] = (),
        upstream: Mapping[str, str] | None = None,
        resolve: Resolver | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or Limits()
        self._system = SystemResolver()
        self._routes = Routes(
            allowed=AllowList(hosts=hosts, trusted=trusted),
            upstreams=Upstreams(upstream or {}),
            resolve=resolve or self._system,
            reach_s=self._limits.reach_s,
        )
        self._refusals = _Refusals(clock)
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str]) -> Self:
        """The proxy of these settings: public registries, the mirrors in `environment`, and AGENT_NETWORK_HOSTS."""
        named = (*mirrors(environment), *settings.agent_network_hosts)
        return cls(hosts=registry_hosts(environment), trusted=named, upstream=environment)

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1, and return it."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=_WAITING_CLIENTS)
        listener.setblocking(False)
        self._start(self._listen(listener))
        port: int = listener.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Cut all connections and listen no more. A second call does nothing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._system.close()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, listener: socket.socket) -> None:
        """Take as many clients as there are places: the others wait in the kernel, and take none of our descriptors."""
        places = asyncio.Semaphore(self._limits.connections)
        with listener:
            while True:
                await places.acquire()
                try:
                    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                except OSError:  # no descriptor is free, for one; it would be said again at once
                    places.release()
                    await asyncio.sleep(_BREATH_S)
                else:
                    self._start(self._client(connection, places))

    async def _client(self, connection: socket.socket, places: asyncio.Semaphore) -> None:
        client: Wire | None = None
        try:
            client = await Wire.of(connection)
            await self._serve(client)
        except* (OSError, h11.ProtocolError):  # somebody left, or was silent for too long; TimeoutError is an OSError
            pass
        finally:
            if client is not None:
                await client.close()
            places.release()

    async def _serve(self, client: Wire) -> None:
        target: Target | None = None
        try:
            request = await self._request(client)
            if request is None:
                return
            target = target_of(request)
            server, upstream = await self._routes.reach(target)
        except Refused as refused:
            self._refusals.tell(target, refused)
            await client.answer(refused.status, refused.reason)
            return
        try:
            if target.tunnel:
                await self._tunnel(client, server, target)
            else:
                await self._relay(client, server, request_to(target, upstream, request))
        finally:
            await server.close()

    async def _request(self, client: Wire) -> h11.Request | None:
        """The request that the connection begins with; None when it ends without one."""
        try:
            async with asyncio.timeout(self._limits.head_s):
                request = await client.event()
                if isinstance(request, h11.Request) and request.method == b"CONNECT":
                    await client.event()  # its end; behind it begins the tunnel
        except TimeoutError:
            raise Refused(408, "The request did not come in time.") from None
        except h11.RemoteProtocolError as error:
            raise Refused(error.error_status_hint, "This is a proxy: it takes HTTP/1.1.") from None
        return request if isinstance(request, h11.Request) else None

    async def _tunnel(self, client: Wire, server: Wire, target: Target) -> None:
        await client.say(h11.Response(status_code=200, reason=b"Connection established", headers=[]))
        first: bytes | None = client.beginning()
        if target.port == TLS_PORT:
            first = await self._greeting(client, target)
        if first is not None:
            await server.write(first)
            await client.write(server.beginning())
            await splice(client, server, idle_s=self._limits.idle_s)

    async def _greeting(self, client: Wire, target: Target) -> bytes | None:
        """What a TLS client says first; None when it asks for another host than its tunnel, or says something else."""
        greeting = Greeting(None if is_address(target.host) else target.host)
        said = client.beginning()
        async with asyncio.timeout(self._limits.head_s):
            while not greeting.add(said):
                if not (said := await client.read()):
                    return None
        if greeting.ok:
            return bytes(greeting.received)
        why = f"TLS asked for {greeting.asked_for or 'no host'}"
        self._refusals.tell(target, Refused(403, why, why=why))
        await client.say_last(greeting.alert)
        return None

    async def _relay(self, client: Wire, server: Wire, request: h11.Request) -> None:
        try:
            await relay(client, server, request, idle_s=self._limits.idle_s)
        except* h11.RemoteProtocolError:
            await client.answer(502, "One side stopped to speak HTTP/1.1.")


class _Refusals:
    """Logs each refused target once in a while, and never so many that they fill the log: an agent makes them up."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: set[str] = set()
        self._since = clock()

    def tell(self, target: Target | None, refused: Refused) -> None:
        if target is None or refused.why is None:
            return
        if self._clock() - self._since > _FORGET_AFTER_S:
            self._told.clear()
            self._since = self._clock()
        if target.host not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(target.host)
            more = {"note": "further hosts are not logged for a while"} if len(self._told) == _MOST_TOLD else {}
            _log.warning("egress_refused", host=target.host, port=target.port, why=refused.why, **more)
