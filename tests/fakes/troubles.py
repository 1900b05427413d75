"""What can be asked of a stand-in beside its answers: to fail, and to wait."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Literal, Self, TypeVar

from tests.fakes.http import Request

R = TypeVar("R", bound=Request)

WAIT_LIMIT_S = 30.0

Trouble = Literal[
    "hang_before_headers",  # silence, and no work done before it ends
    "hang_after_headers",
    "hang_mid_stream",  # half of the body, then silence
    "cut_before_headers",  # reset, no work done
    "cut_after_work",  # the work is done, but its answer is lost
    "cut_mid_stream",  # half of the body, then a reset
    "slow",  # delay_s before each chunk
]


@dataclass
class Fault(Generic[R]):
    """Something that goes wrong with the next `times` requests that match; None for all of them."""

    kind: int | str
    when: Callable[[R], bool]
    times: int | None
    headers: Mapping[str, str]
    delay_s: float


@dataclass
class Gate(Generic[R]):
    """Holds each request that matches, until it is opened (leaving its `with` opens it); then it stays open.

    A held request whose client hangs up is dropped. With `after_work` the work is done, the answer is held.
    """

    when: Callable[[R], bool]
    after_work: bool
    changed: threading.Condition
    held: list[R] = field(default_factory=list)
    """Every request that ever waited here, in order."""
    _opened: "Future[None]" = field(default_factory=Future)

    def wait(self, *, timeout_s: float = WAIT_LIMIT_S) -> R:
        """Block until a request waits here, and return the first. Raises TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.held, timeout_s):
                raise TimeoutError(f"No matching request came within {timeout_s} s.")
            return self.held[0]

    def open(self) -> None:
        """Let go what waits here, and all that comes later."""
        if not self._opened.done():
            self._opened.set_result(None)

    async def pass_through(self, request: R) -> None:
        """Wait until the gate is open. For the server."""
        if self._opened.done() or not self.when(request):
            return
        with self.changed:
            self.held.append(request)
            self.changed.notify_all()
        await asyncio.shield(asyncio.wrap_future(self._opened))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.open()
