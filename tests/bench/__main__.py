"""`uv run python -m tests.bench [NAME …]`: measure, and print one table."""

import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from tests.bench import ack, corrections, crowd, first_request, prefix
from tests.bench.measurements import Measurement

BENCHES: dict[str, Callable[[], list[Measurement]]] = {
    "ack": ack.measure,
    "first-request": first_request.measure,
    "corrections": corrections.measure,
    "prefix": prefix.measure,
    "crowd": crowd.measure,
}
_HEAD = ("bench", "", "auto-code", "yardstick", "ratio", "aim")


def main(names: list[str]) -> None:
    """Measure the benches of these names, or all."""
    if unknown := [name for name in names if name not in BENCHES]:
        sys.exit(f"There is no bench {', '.join(unknown)}. There are: {', '.join(BENCHES)}.")
    rows: list[Measurement] = []
    for name in names or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)  # noqa: T201
        rows += BENCHES[name]()
    date = datetime.now(UTC).date()
    print(f"\n{date}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}:\n")  # noqa: T201
    for cells in (_HEAD, ("---",) * len(_HEAD), *(row.cells for row in rows)):
        print(f"| {' | '.join(cells)} |")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
