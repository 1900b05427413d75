"""The service under test: a process of its own, which can be killed and started again."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.builders import signature
from tests.flows import programs
from tests.ports import free_port

Json = dict[str, Any]

WEBHOOK_SECRET = "a-secret-of-the-webhook"
ACCESS_CODE = "a-code-of-the-organisation"
_START_LIMIT_S = 30.0
_RUN_LIMIT_S = 60.0


class Service:
    """`auto-code` on a free port of loopback. `env` is its whole environment but for what names the port.

    `launch` is how it is started next: the quick way, or as the installed program, for tests about its own environment
    or its memory.
    """

    def __init__(self, *, env: Mapping[str, str], directory: Path, launch: programs.Launch = programs.start) -> None:
        self.port = free_port()
        self.env = {**env, "CLAUDE_CODE_API_PORT": str(self.port)}
        self.log = directory / "service.log"
        self._directory = directory
        self.launch = launch
        self._process: programs.Program | None = None
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {ACCESS_CODE}"},
            timeout=_RUN_LIMIT_S,
            trust_env=False,
        )

    def begin(self, *arguments: str) -> None:
        """Start it with these arguments, and do not wait."""
        self._process = self.launch(arguments, env=self.env, directory=self._directory, log=self.log)

    def start(self) -> None:
        """Start it, and return when it is healthy."""
        self.begin()
        give_up = time.monotonic() + _START_LIMIT_S
        while not self.healthy:
            if not self.alive or time.monotonic() > give_up:
                raise AssertionError(f"The service did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without a chance to do anything (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator would (SIGTERM)."""
        self._end(signal.SIGTERM)

    @property
    def alive(self) -> bool:
        """Its process has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def healthy(self) -> bool:
        """It says that it can take work."""
        try:
            return self.http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    # What a tracker and a person do

    def send(self, body: Json, **headers: str) -> httpx.Response:
        """Deliver a webhook, signed as Jira signs it."""
        raw = json.dumps(body).encode()
        signed = {"X-Hub-Signature": signature(raw, WEBHOOK_SECRET), "Content-Type": "application/json"}
        return self.http.post("/webhook/jira", content=raw, headers={**signed, **headers})

    def accept(self, body: Json, **headers: str) -> str:
        """Deliver a webhook that starts a run, and return the run's id."""
        answer = self.send(body, **headers)
        assert (answer.status_code, answer.json()["status"]) == (202, "accepted"), answer.text
        return str(answer.json()["run_id"])

    def run(self, run_id: str) -> Json:
        """The run as the API shows it."""
        answer = self.http.get(f"/api/v1/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown

    def events(self, run_id: str) -> list[Json]:
        """Every event of the run so far."""
        events: list[Json] = self.http.get(f"/api/v1/runs/{run_id}/events", params={"limit": 1000}).json()["events"]
        return events

    def wait(self, run_id: str, *, until: Callable[[Json], bool] | None = None) -> Json:
        """The run once it is so, or has ended."""
        ended = until or (lambda run: run["ended_at"] is not None)
        give_up = time.monotonic() + _RUN_LIMIT_S
        while not ended(run := self.run(run_id)):
            if time.monotonic() > give_up:
                raise AssertionError(f"{run}\n{self.events(run_id)[-5:]}\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)
        return run

    def wait_for_event(self, run_id: str, when: Callable[[Json], bool]) -> Json:
        """The first event that matches, as soon as it is there."""
        give_up = time.monotonic() + _RUN_LIMIT_S
        while time.monotonic() < give_up:
            for event in self.stream(run_id):
                if when(event):
                    return event
        raise AssertionError(f"No such event of {run_id}.\n{self.log.read_text()[-4000:]}")

    def stream(self, run_id: str, *, after: int = 0) -> Iterator[Json]:
        """Events of the live stream, until the run ends."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(after)} if after else {})}
        with self.http.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as answer:
            numbered = False
            for line in answer.iter_lines():
                if line.startswith("id:"):
                    numbered = True
                elif line.startswith("data:") and numbered:
                    yield json.loads(line.removeprefix("data:"))
                    numbered = False

    def logged(self) -> list[Json]:
        """The log's lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.http.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, how)
            self._process.wait(30)
