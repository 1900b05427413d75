"""Webhooks at a steady rate, whether or not the answers keep up, from a process of its own.

`python -m tests.bench.load URL PROJECT RATE COUNT` sends COUNT tickets PROJECT-1, PROJECT-2 … at RATE a second and
prints, as JSON, the milliseconds from each request's first byte out to its answer's last byte in. It ends with a
message when a ticket is not accepted.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from tests.builders import jira_body, jira_headers
from tests.flows.service import WEBHOOK_SECRET

_PATH = "/webhook/jira"


def send(url: str, *, project: str, rate: float, count: int) -> list[float]:
    """Milliseconds of each answer, from a new process. Raises CalledProcessError when a ticket was not accepted."""
    argv = [sys.executable, "-m", "tests.bench.load", url, project, str(rate), str(count)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    taken: list[float] = json.loads(done.stdout)
    return taken


class _Client:
    """Keeps connections open, as many as there are requests under way at once."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, sent: bytes) -> tuple[float, str]:
        """Milliseconds to the answer, and what is wrong with it."""
        started = time.perf_counter()
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        taken_ms = (time.perf_counter() - started) * 1000
        self._idle.append((reader, writer))
        accepted = head.startswith(b"HTTP/1.1 202 ") and b'"accepted"' in body
        return taken_ms, "" if accepted else f"{head.splitlines()[0].decode()}: {body[:500].decode()}"


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().splitlines())
    return next(int(value) for name, _, value in lines if name == b"content-length")


def request(key: str) -> bytes:
    """A signed webhook for a new ticket, as it goes over the wire."""
    body = json.dumps(jira_body(key=key)).encode()
    headers = {"host": "localhost", "content-length": str(len(body)), **jira_headers(body, secret=WEBHOOK_SECRET)}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {_PATH} HTTP/1.1\r\n{head}\r\n".encode() + body


async def _send(url: str, requests: Sequence[bytes], rate: float) -> list[tuple[float, str]]:
    client, started = _Client(url), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        under_way = []
        for number, sent in enumerate(requests):
            await asyncio.sleep(started + number / rate - time.perf_counter())
            under_way.append(group.create_task(client.post(sent)))
    return [task.result() for task in under_way]


def main(url: str, project: str, rate: str, count: str) -> None:
    """See the module."""
    requests = [request(f"{project}-{number}") for number in range(1, int(count) + 1)]
    answers = asyncio.run(_send(url, requests, float(rate)))
    if refused := [why for _, why in answers if why]:
        sys.exit(f"{len(refused)} of {count} were not accepted. {refused[0]}")
    json.dump([taken_ms for taken_ms, _ in answers], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
