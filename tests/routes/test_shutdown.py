"""A service with open streams ends soon when it is asked to, and its readers see an end, not a broken connection."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.main import create_app
from app.services.github.mock_client import MockRepositories
from app.services.runner.mock_client import MockRunner
from app.services.store.mock_client import MockStore
from app.services.tracker.null_client import NoTracker
from tests.routes.service import LIMIT_S, settings_of

START_LIMIT_S = 60.0
ROOT = Path(__file__).parents[2]


def serve(port: int) -> None:
    """A service that works on nothing, in this process."""
    runner = MockRunner(store=MockStore(), tracker=NoTracker(), repositories=MockRepositories())
    uvicorn.run(create_app(settings_of(), runner), port=port, log_config=None, timeout_graceful_shutdown=20)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client, Path]]:
    """That service in a process of its own, a client of it, and its log."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    program = [sys.executable, "-c", f"from tests.routes.test_shutdown import serve; serve({port})"]
    log = tmp_path / "log"
    with log.open("wb") as output, subprocess.Popen(program, cwd=ROOT, stdout=output, stderr=output) as started:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT_S) as client:
                until_healthy(client, log)
                yield started, client, log
        finally:
            started.kill()


def until_healthy(client: httpx.Client, log: Path) -> None:
    give_up = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up:
        try:
            client.get("/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"It did not start:\n{log.read_text()}")


def test_open_streams_do_not_hold_up_the_end(process: tuple[subprocess.Popen[bytes], httpx.Client, Path]) -> None:
    service, client, log = process
    with client.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: hello"
        os.kill(service.pid, signal.SIGTERM)
        asked_at = time.monotonic()
        for _ in lines:  # raises when the connection breaks off in the middle
            pass
        service.wait(LIMIT_S)
    assert time.monotonic() - asked_at < 3
    assert "without completing response" not in log.read_text()
