"""Twelve tickets at once: they all succeed, within the limit of processes and little memory."""

import threading
import time
from pathlib import Path

from tests.bench.measurements import Measurement
from tests.flows.programs import start_fresh
from tests.flows.service import Service
from tests.flows.world import CORRECTED, World

_TICKETS = 12
_LIMIT = 4
_SAMPLE_S = 0.02


def measure() -> list[Measurement]:
    """Tickets with all three corrections, so that reviewers need processes too."""
    with (
        World(CORRECTED) as world,
        world.service(start_fresh, CLAUDE_SPARE="true", MAX_CONCURRENT_RUNS=str(_LIMIT)) as service,
    ):
        sampler = _Sampler(service.pid)
        sampler.start()
        started = time.monotonic()
        runs = [service.accept(world.ticket(f"PROJ-{number + 1}")) for number in range(_TICKETS)]
        ended = [service.wait(run_id) for run_id in runs]
        took = time.monotonic() - started
        sampler.stop()
        opened = sum(run["status"] == "pr_opened" for run in ended)
        memory = _peak_memory(service)
    bench = f"{_TICKETS} tickets at once, limit {_LIMIT}"
    return [
        Measurement(bench, "pull requests", f"{opened} in {took:.0f} s", aim=str(_TICKETS)),
        Measurement(bench, "most CLI processes at once", str(sampler.most), aim=f"≤ {_LIMIT}"),
        Measurement(bench, "service's memory at its peak, without the CLIs", f"{memory >> 20} MB", aim="≤ 250 MB"),
    ]


class _Sampler(threading.Thread):
    """Counts the service's CLI processes again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._pid = pid
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_S):
            self.most = max(self.most, _clis(self._pid))

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _clis(service: int) -> int:
    """Claude Codes of the service: each is the one child of its room's supervisor."""
    return sum(_is_cli(entry, service) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _is_cli(entry: Path, service: int) -> bool:
    try:
        is_claude = (entry / "exe").readlink().name == "claude"
        return is_claude and _parent(_parent(int(entry.name))) == service
    except OSError:
        return False


def _parent(pid: int) -> int:
    _, _, after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return int(after_name.split()[1])


def _peak_memory(service: Service) -> int:
    """Bytes that the service had resident at most."""
    for line in Path(f"/proc/{service.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("The kernel does not say VmHWM.")
