"""Conflict markers: what bringing two sides together leaves where they touch the same lines."""

import re

from app.errors import WorkFailed

_MARKERS = re.compile(rb"^(?:<{7} |>{7} )", re.MULTILINE)


def check_resolved(path: str, content: bytes | None) -> None:
    """Raise WorkFailed when the file still has conflict markers; a file that is gone is resolved."""
    if content is not None and _MARKERS.search(content):
        raise WorkFailed(
            f"{path} still has conflict markers of bringing your pushes and this run's work together. "
            "Resolve it in the branch or the kept worktree, then retry the run."
        )
