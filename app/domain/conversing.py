"""Rules of people's messages: what may be asked, and what a retry asks."""

from collections.abc import Collection

from app.errors import InvalidInput
from app.models import Answer, Request, Run, RunMode, RunStatus, StageName, StageStatus

MOST_REPOSITORIES = 6
"""Repositories that one run may have."""

LONGEST_TEXT = 8_000
"""Characters of a person's message."""

_OF_PEOPLE = frozenset({RunMode.ASK, RunMode.PLAN, RunMode.EDITS, RunMode.PUBLISH})
_AFTER_EDITS = frozenset({StageName.REVIEW, StageName.SETUP, StageName.LINT, StageName.TESTS, StageName.PUBLISH})


def check_request(request: Request, *, repositories: Collection[str], models: Collection[str]) -> None:
    """Raise InvalidInput for what nobody may ask, naming the field."""
    if request.mode not in _OF_PEOPLE:
        raise InvalidInput("mode", "must be ask, plan or edits")
    _check_length(request.text)
    if request.model is not None and request.model not in models:
        raise InvalidInput("model", f"must be one of {', '.join(models)}")
    names = [choice.name for choice in request.repositories]
    if len(names) > MOST_REPOSITORIES:
        raise InvalidInput("repo", f"must be at most {MOST_REPOSITORIES} repositories")
    if len(set(names)) < len(names):
        raise InvalidInput("repo", "must name each repository once")
    if unknown := [name for name in names if name not in repositories]:
        raise InvalidInput("repo", f"{unknown[0]} is no repository of this service")


def check_answer(answer: Answer) -> None:
    """Raise InvalidInput for what is no answer, naming the field."""
    words = answer.text + "".join(answer.answers.values())
    if not answer.approved and not words.strip():
        raise InvalidInput("text", "must not be empty: say what to do instead")
    _check_length(words)


def retried(run: Run, request: Request, *, by: str | None) -> Request:
    """What a retry of a run asks: the same once more, but for edits that were made and only not published."""
    stages = {stage.name: stage.status for stage in run.stages}
    was_made = stages.get(StageName.IMPLEMENT) in {StageStatus.PASSED, StageStatus.WARNED}
    was_to_be_published = not _AFTER_EDITS.isdisjoint(stages)
    if run.mode is RunMode.EDITS and run.status is RunStatus.FAILED and was_made and was_to_be_published:
        request = request.model_copy(update={"mode": RunMode.PUBLISH, "text": ""})
    whose = request.by if request.retry_of is None else request.retry_of
    return request.model_copy(update={"by": by or request.by, "retry_of": whose or ""})


def _check_length(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise InvalidInput("text", f"must have at most {LONGEST_TEXT:,} characters; it has {len(text):,}")
