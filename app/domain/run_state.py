"""The moves that a run may make. This table is the one place for them."""

from app.models import Run, RunStatus

_MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.FAILED, RunStatus.IDLE}),
    RunStatus.RUNNING: frozenset({RunStatus.NEEDS_INPUT, RunStatus.FAILED, RunStatus.PR_OPENED, RunStatus.IDLE}),
    RunStatus.NEEDS_INPUT: frozenset({RunStatus.QUEUED, RunStatus.FAILED, RunStatus.IDLE}),
    RunStatus.FAILED: frozenset(),
    RunStatus.PR_OPENED: frozenset(),
    RunStatus.IDLE: frozenset(),
}

ACTIVE = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.NEEDS_INPUT})
"""A ticket has at most one run in these; a new run of the ticket waits for its end."""

CUT_SHORT = "Cut short."
"""What a stage says of itself that did not come to its end."""


def may_move(current: RunStatus, to: RunStatus) -> bool:
    """Whether a run may go from one status to the other."""
    return to in _MOVES[current]


def may_retry(status: RunStatus) -> bool:
    """Whether people may have the work of a run done once more: it ended, and left no pull request."""
    return status in {RunStatus.FAILED, RunStatus.IDLE}


def is_unfinished(run: Run) -> bool:
    """Whether the run ended before its work did: it failed, or was stopped."""
    was_stopped = run.status is RunStatus.IDLE and any(stage.summary == CUT_SHORT for stage in run.stages)
    return run.status is RunStatus.FAILED or was_stopped


def has_ended(status: RunStatus) -> bool:
    """Whether nothing more happens in a run of this status."""
    return status not in ACTIVE
