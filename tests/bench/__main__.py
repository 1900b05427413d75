"""`uv run python -m tests.bench [NAME …] [--verbose]`: measure, and print one table for the README.

Without a name all are measured but `steps`, which `--verbose` adds.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from app.services.claude_code.options import BUNDLED_CLI
from tests.bench import (
    ack,
    corrections,
    crowd,
    first_request,
    gateway,
    growth,
    overload,
    pages,
    prefix,
    readers,
    soak,
    steps,
    streams,
)
from tests.bench.measurements import Measurement

BENCHES: dict[str, Callable[[], list[Measurement]]] = {
    "ack": ack.measure,
    "first-request": first_request.measure,
    "corrections": corrections.measure,
    "prefix": prefix.measure,
    "crowd": crowd.measure,
    "gateway": gateway.measure,
    "overload": overload.measure,
    "pages": pages.measure,
    "streams": streams.measure,
    "readers": readers.measure,
    "growth": growth.measure,
    "soak": soak.measure,
    "steps": steps.measure,
}
_HEAD = ("bench", "", "auto-code", "yardstick", "ratio", "aim")
_VERBOSE = "--verbose"


def main(arguments: list[str]) -> None:
    """Measure the benches of these names, or all."""
    names = [argument for argument in arguments if argument != _VERBOSE]
    if unknown := [name for name in names if name not in BENCHES]:
        sys.exit(f"There is no bench {', '.join(unknown)}. There are: {', '.join(BENCHES)}.")
    rows: list[Measurement] = []
    for name in names or [name for name in BENCHES if name != "steps" or _VERBOSE in arguments]:
        print(f"{name} …", file=sys.stderr, flush=True)  # noqa: T201
        rows += BENCHES[name]()
    print(f"\n{_machine()}:\n")  # noqa: T201
    for cells in (_HEAD, ("---",) * len(_HEAD), *(row.cells for row in rows)):
        print(f"| {' | '.join(cells)} |")  # noqa: T201


def _machine() -> str:
    """The date, and what the numbers depend on."""
    cli = subprocess.run([BUNDLED_CLI, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    python = f"Python {platform.python_version()}"
    return f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, {platform.system()}, {python}, CLI {cli}"


if __name__ == "__main__":
    main(sys.argv[1:])
