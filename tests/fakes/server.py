"""What every stand-in of the far side shares: a server on loopback in a thread of its own.

It records each request, fails on order (`fault`), and holds a request at an exact point (`gate`), so that a
test can kill the service under test just there. A killed service does not take the far side along, and a
restarted one finds it as it was. The room refuses to outlive its `with` block, or to keep the process from
ending.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, get_args

from tests.fakes.http import Answer, Connection, Credential, Request
from tests.fakes.troubles import WAIT_LIMIT_S, Fault, Gate, R, Trouble
from tests.ports import free_port

_FLUSH_S = 0.02
_STOP_LIMIT_S = 5.0


class Server(ABC, Generic[R]):
    """A stand-in, used in a `with`. Stopped and started again, it keeps its port and its state."""

    REPLACEMENTS: Mapping[str, Answer] = {}
    """Answers that `fault` knows by name, beside the kinds of `Trouble`."""

    address = "127.0.0.1"
    """Where it listens. Another one when the code under test is in a container of its own."""

    def __init__(self, request_type: type[R], *, socket: Path | None = None) -> None:
        self._request_type = request_type
        self._socket = socket
        self.port = 0
        """0 with a unix socket, and before the first start unless a certain one is wanted."""
        self._changed = threading.Condition()
        self._requests: list[R] = []
        self._faults: list[Fault[R]] = []
        self._gates: list[Gate[R]] = []
        self._silence: Future[None] = Future()
        self._connections: set[Connection] = set()
        self._broken: list[BaseException] = []
        self._thread: threading.Thread | None = None
        self._stopped: Future[None] = Future()

    @abstractmethod
    async def answer(self, request: R) -> Answer:
        """Do the work that the request asks for, and say what came of it."""

    @abstractmethod
    def refusal(self, status: int) -> Answer:
        """The real one's answer with an error status."""

    @abstractmethod
    def credential(self, headers: Mapping[str, str]) -> Credential:
        """What kind of credential these headers carry."""

    # Life

    def start(self) -> None:
        """Listen. Returns when connections are taken."""
        ready: Future[int] = Future()
        self._stopped = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=type(self).__name__, daemon=True)
        self._thread.start()
        self.port = ready.result(_STOP_LIMIT_S)

    def stop(self) -> None:
        """Close the port and break all connections. Raises what the stand-in's own code (a script) raised."""
        if self._thread is not None:
            self._stopped.set_result(None)
            self._thread.join(_STOP_LIMIT_S)
            self._thread = None
        if self._broken:
            raise self._broken.pop(0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # the test's own failure says more than what followed from it
            self._broken.clear()
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    # What tests ask for

    @property
    def requests(self) -> list[R]:
        """Every request so far, in the order in which they came."""
        with self._changed:
            return list(self._requests)

    def wait_for(self, when: Callable[[R], bool], *, timeout_s: float = WAIT_LIMIT_S) -> R:
        """Block until a matching request has come, and return the first. Raises TimeoutError.

        On the event loop of the code under test: `await asyncio.to_thread(far_side.wait_for, …)`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: any(map(when, self._requests)), timeout_s):
                raise TimeoutError(f"No matching request came within {timeout_s} s.")
            return next(filter(when, self._requests))

    def fault(
        self,
        kind: int | str,
        *,
        times: int | None = 1,
        when: Callable[[R], bool] = lambda _: True,
        headers: Mapping[str, str] | None = None,
        delay_s: float = 0.2,
    ) -> None:
        """Let the next `times` matching requests go wrong; None for all of them, until `mend`.

        `kind` is an error status, a Trouble or a replacement's name; `headers` are added to an error's.
        Faults are used up in the order in which they were asked for.
        """
        if not isinstance(kind, int) and kind not in (known := {*get_args(Trouble), *self.REPLACEMENTS}):
            raise ValueError(f"{kind!r} is not one of {sorted(known)}.")
        with self._changed:
            self._faults.append(Fault(kind, when, times, headers or {}, delay_s))

    def mend(self) -> None:
        """Forget all faults, and end the silence of those that hang."""
        with self._changed:
            self._faults.clear()
        self.release()

    def release(self) -> None:
        """Let the requests that hang now go on to their answers."""
        self._silence, silence = Future(), self._silence
        silence.set_result(None)

    def gate(self, when: Callable[[R], bool] = lambda _: True, *, after_work: bool = False) -> Gate[R]:
        """Hold each request that matches, from now on, until the gate is opened."""
        gate = Gate(when, after_work, self._changed)
        with self._changed:
            self._gates.append(gate)
        return gate

    def open_gates(self) -> None:
        """Open every gate."""
        with self._changed:
            gates = list(self._gates)
        for gate in gates:
            gate.open()

    # The server's thread

    def _run(self, ready: "Future[int]") -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: "Future[int]") -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._socket is not None:
                self._socket.unlink(missing_ok=True)
                listener = await loop.create_unix_server(self._connect, self._socket, backlog=256)
                port = 0
            else:
                listener = await loop.create_server(self._connect, self.address, self.port or free_port(), backlog=256)
                port = listener.sockets[0].getsockname()[1]
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result(port)
        await asyncio.wrap_future(self._stopped)
        listener.close()
        for connection in list(self._connections):
            connection.cut()
        self._connections.clear()

    def _connect(self) -> Connection:
        connection = Connection(self._handle, self._connections.discard)
        self._connections.add(connection)
        return connection

    def _handle(self, connection: Connection, raw: Request) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._exchange(connection, self._record(raw)))
        task.add_done_callback(partial(self._handled, connection))
        return task

    def _handled(self, connection: Connection, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken.append(error)
            connection.cut()

    def _record(self, raw: Request) -> R:
        request = self._request_type(**vars(raw))
        request.credential = self.credential(raw.headers)
        request.headers = {name: _masked(name, value) for name, value in raw.headers.items()}
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
        return request

    async def _exchange(self, connection: Connection, request: R) -> None:
        await self._pass_gates(request, after_work=False)
        fault = self._use_fault(request)
        kind = fault.kind if fault else None
        if kind == "hang_before_headers":
            await self._hang(request)
        if kind == "cut_before_headers":
            return connection.cut()
        # Work that has begun comes to its end, whether or not the client still listens.
        answer = await asyncio.shield(self._work(request, fault))
        await self._pass_gates(request, after_work=True)
        if kind == "cut_after_work":
            return connection.cut()
        pause_s = fault.delay_s if fault and kind == "slow" else 0
        await self._deliver(connection, request, answer, kind, pause_s)
        return None

    async def _work(self, request: R, fault: Fault[R] | None) -> Answer:
        if fault is None:
            return await self.answer(request)
        if isinstance(fault.kind, int):
            refusal = self.refusal(fault.kind)
            return replace(refusal, headers={**refusal.headers, **fault.headers})
        return self.REPLACEMENTS.get(fault.kind) or await self.answer(request)

    async def _deliver(
        self, connection: Connection, request: R, answer: Answer, kind: int | str | None, pause_s: float
    ) -> None:
        connection.begin(answer.status, _framed(answer))
        if answer.first_chunk_s:
            await asyncio.sleep(answer.first_chunk_s)
        if kind == "hang_after_headers":
            await self._hang(request)
        first, second = answer.halves
        for chunk in first:
            await asyncio.sleep(pause_s)
            connection.send(chunk)
        if kind == "hang_mid_stream":
            await self._hang(request)
        if kind == "cut_mid_stream":
            await asyncio.sleep(_FLUSH_S)  # so that the client has the first half before the reset
            return connection.cut()
        for chunk in second:
            await asyncio.sleep(pause_s)
            connection.send(chunk)
        connection.end()
        return self._mark(request, finished=True)

    async def _hang(self, request: R) -> None:
        self._mark(request, hanging=True)
        await asyncio.shield(asyncio.wrap_future(self._silence))
        self._mark(request, hanging=False)

    def _mark(self, request: R, **facts: bool) -> None:
        with self._changed:
            vars(request).update(facts)
            self._changed.notify_all()

    async def _pass_gates(self, request: R, *, after_work: bool) -> None:
        for gate in list(self._gates):
            if gate.after_work is after_work:
                await gate.pass_through(request)

    def _use_fault(self, request: R) -> Fault[R] | None:
        with self._changed:
            fault = next((fault for fault in self._faults if fault.when(request)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return fault


def _framed(answer: Answer) -> dict[str, str]:
    """The answer's headers, with its length where that is known beforehand; else it is sent chunked."""
    if len(answer.chunks) > 1:
        return dict(answer.headers)
    return {**answer.headers, "content-length": str(sum(map(len, answer.chunks)))}


def _masked(name: str, value: str) -> str:
    """A header's value without its secret; the scheme of an Authorization stays."""
    if name not in {"authorization", "x-api-key", "cookie"}:
        return value
    scheme, _, rest = value.partition(" ")
    return f"{scheme} ***" if rest else "***"
