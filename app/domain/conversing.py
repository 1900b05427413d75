"""Rules of people's messages: what may be asked, and what a retry asks."""

from collections.abc import Collection

from app.errors import InvalidInput
from app.models import Request, Run, RunMode, StageName, StageStatus

MOST_REPOSITORIES = 6
"""Repositories that one run may have."""

LONGEST_TEXT = 8_000
"""Characters of a person's message."""

_OF_PEOPLE = frozenset({RunMode.ASK, RunMode.PLAN, RunMode.EDITS, RunMode.PUBLISH})


def check_request(request: Request, *, repositories: Collection[str], models: Collection[str]) -> None:
    """Raise InvalidInput for what nobody may ask, naming the field."""
    if request.mode not in _OF_PEOPLE:
        raise InvalidInput("mode", "must be ask, plan or edits")
    if len(request.text) > LONGEST_TEXT:
        raise InvalidInput("text", f"must have at most {LONGEST_TEXT:,} characters; it has {len(request.text):,}")
    if request.model is not None and request.model not in models:
        raise InvalidInput("model", f"must be one of {', '.join(models)}")
    names = [choice.name for choice in request.repositories]
    if len(names) > MOST_REPOSITORIES:
        raise InvalidInput("repo", f"must be at most {MOST_REPOSITORIES} repositories")
    if len(set(names)) < len(names):
        raise InvalidInput("repo", "must name each repository once")
    if unknown := [name for name in names if name not in repositories]:
        raise InvalidInput("repo", f"{unknown[0]} is no repository of this service")


def retried(run: Run, request: Request, *, by: str | None) -> Request:
    """What a retry of a run asks: the same once more, but for edits that were made and only not published."""
    stages = {stage.name: stage.status for stage in run.stages}
    was_made = stages.get(StageName.IMPLEMENT) in {StageStatus.PASSED, StageStatus.WARNED}
    if run.mode is RunMode.EDITS and was_made and StageStatus.FAILED in stages.values():
        request = request.model_copy(update={"mode": RunMode.PUBLISH, "text": ""})
    return request if by is None else request.model_copy(update={"by": by})
