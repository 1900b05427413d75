"""A service that is told to end stays open until its worker has drained, and ends soon then.

Its readers see an end, not a broken connection. A second signal does not wait for the worker.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.cli.serve import serve_app
from app.main import create_app
from app.services.github.mock_client import MockRepositories
from app.services.runner.mock_client import MockRunner
from app.services.store.mock_client import MockStore
from app.services.tracker.null_client import NoTracker
from tests.builders import jira_body
from tests.ports import free_port
from tests.routes.service import LIMIT_S, settings_of

START_LIMIT_S = 60.0
DRAIN_S = 30.0
ROOT = Path(__file__).parents[2]


class Unhurried(MockRunner):
    """Has drained when another ticket has come."""

    @property
    def at_work(self) -> tuple[str, ...]:
        return ("PROJ-1", "PROJ-2")

    async def drain(self) -> None:
        await super().drain()
        while not self.queued:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def serve(port: int) -> None:
    """A service that works on nothing, in this process."""
    runner = Unhurried(store=MockStore(), tracker=NoTracker(), repositories=MockRepositories())
    serve_app(create_app(settings_of(), runner), host="127.0.0.1", port=port, drain_s=DRAIN_S)


class Process:
    """That service in a process of its own, and a client of it. Its standard error is a terminal."""

    def __init__(self, log: Path) -> None:
        port = free_port()
        program = [sys.executable, "-c", f"from tests.routes.test_shutdown import serve; serve({port})"]
        self._log = log
        self._terminal, theirs = os.openpty()
        with log.open("wb") as output:
            self._process = subprocess.Popen(program, cwd=ROOT, stdout=output, stderr=theirs)
        os.close(theirs)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT_S)

    def until_health_is(self, status: str) -> None:
        give_up = time.monotonic() + START_LIMIT_S
        while time.monotonic() < give_up:
            try:
                if self.http.get("/health").json()["status"] == status:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"It was never {status}:\n{self.logged()}")

    def signal(self, which: signal.Signals) -> None:
        os.kill(self._process.pid, which)

    def wait(self) -> int:
        return self._process.wait(LIMIT_S)

    def said(self) -> str:
        """What the person at the terminal reads."""
        return os.read(self._terminal, 10_000).decode()

    def logged(self) -> str:
        return self._log.read_text()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.http.close()
        os.close(self._terminal)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "log")
    try:
        process.until_health_is("ok")
        yield process
    finally:
        process.end()


def test_a_service_that_drains_takes_what_comes_and_ends_its_streams_at_its_end(service: Process) -> None:
    with service.http.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: hello"
        service.signal(signal.SIGTERM)
        service.until_health_is("draining")

        assert service.http.get("/health").status_code == 503
        assert service.http.get("/live").status_code == 200
        assert service.http.post("/webhook/jira", json=jira_body()).status_code == 202
        for _ in lines:  # raises when the connection breaks off in the middle
            pass
        assert service.wait() == 0
    assert "without completing response" not in service.logged()


def test_a_second_signal_does_not_wait_and_a_person_was_told_so(service: Process) -> None:
    service.signal(signal.SIGINT)
    service.until_health_is("draining")
    assert service.said().startswith("Up to 30 seconds for PROJ-1, PROJ-2 to end")
    service.signal(signal.SIGINT)
    assert service.wait() == 0
