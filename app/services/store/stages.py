"""How the stages of a run change, whatever keeps them. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime

from app.domain.run_state import CUT_SHORT
from app.models import Stage, StageName, StageStatus

Stages = tuple[Stage, ...]


def started(stages: Stages, name: StageName, *, at: datetime) -> Stages:
    """The stage runs: for the first time, or once more."""
    if all(stage.name != name for stage in stages):
        return (*stages, Stage(name=name, status=StageStatus.RUNNING, started_at=at))
    again = {"status": StageStatus.RUNNING, "ended_at": None}
    return _changed(stages, lambda stage: stage.name == name, again)


def ended(stages: Stages, name: StageName, status: StageStatus, *, rounds: int, summary: str, at: datetime) -> Stages:
    """The stage runs no more."""
    end = {"status": status, "ended_at": at, "rounds": rounds, "summary": summary}
    return _changed(stages, lambda stage: stage.name == name, end)


def cut_short(stages: Stages, status: StageStatus, *, at: datetime) -> Stages:
    """What still runs when the run ends, ends with it."""
    end = {"status": status, "ended_at": at, "summary": CUT_SHORT}
    return _changed(stages, lambda stage: stage.status is StageStatus.RUNNING, end)


def _changed(stages: Stages, which: Callable[[Stage], bool], values: Mapping[str, object]) -> Stages:
    return tuple(stage.model_copy(update=values) if which(stage) else stage for stage in stages)
