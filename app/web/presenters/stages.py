"""The strip of a run's stages: those it went through, those it is in, and those it will have."""

from dataclasses import dataclass
from datetime import datetime

from app.models import Conversation, PipelineOptions, RunMode, RunStatus, Stage, StageName, StageStatus
from app.web.presenters.wording import STAGES, between, count


@dataclass(frozen=True, kw_only=True)
class StageView:
    """`state` is done, now, wait, fail, warn, skip or later; `said` is it in words. `since` is set while it runs."""

    name: str
    state: str
    said: str
    detail: str
    badge: str = ""
    since: datetime | None = None


_STATES = {
    StageStatus.RUNNING: ("now", "in progress"),
    StageStatus.PASSED: ("done", "done"),
    StageStatus.WARNED: ("warn", "ended with a warning"),
    StageStatus.FAILED: ("fail", "failed"),
    StageStatus.SKIPPED: ("skip", "skipped"),
}
_WORK = {
    RunMode.IMPLEMENT: StageName.IMPLEMENT,
    RunMode.EDITS: StageName.IMPLEMENT,
    RunMode.ASK: StageName.ANSWER,
    RunMode.PLAN: StageName.PLAN,
}
_ENDED = frozenset({RunStatus.FAILED, RunStatus.PR_OPENED, RunStatus.IDLE})


def strip(conversation: Conversation, options: PipelineOptions) -> tuple[StageView, ...]:
    """The stages of the newest run, in their order."""
    known = {stage.name: stage for stage in conversation.run.stages}
    planned = _planned(conversation, options)
    names = [name for name in StageName if name in planned or _is_worth_a_place(known.get(name))]
    return tuple(_view(name, known.get(name), conversation) for name in names)


def _planned(conversation: Conversation, options: PipelineOptions) -> set[StageName]:
    run = conversation.run
    planned = {_WORK[run.mode]} if run.mode in _WORK else set()
    edits_go_on = run.mode is RunMode.EDITS and (run.auto_pr or bool(conversation.pull_requests))
    if run.mode not in {RunMode.IMPLEMENT, RunMode.PUBLISH} and not edits_go_on:
        return planned
    gates = {StageName.REVIEW: options.review, StageName.LINT: options.lint, StageName.TESTS: options.tests}
    return planned | {name for name, on in gates.items() if on} | {StageName.PUBLISH}


def _is_worth_a_place(stage: Stage | None) -> bool:
    """Getting ready is quick and always the same: it is shown while it lasts, and when it went wrong."""
    if stage is None:
        return False
    passed = stage.status in {StageStatus.PASSED, StageStatus.SKIPPED}
    return not (passed and stage.name in {StageName.WORKSPACE, StageName.SETUP})


def _view(name: StageName, stage: Stage | None, conversation: Conversation) -> StageView:
    run = conversation.run
    if stage is None:
        detail = "not reached" if run.status in _ENDED else "not started"
        return StageView(name=STAGES[name], state="later", said="not started", detail=detail)
    state, said = _STATES[stage.status]
    if state == "now" and run.status is RunStatus.NEEDS_INPUT:
        waits = conversation.waits_for
        is_plan = waits is not None and waits.question.plan is not None
        detail = "plan to review" if is_plan else "question"
        return StageView(name=STAGES[name], state="wait", said="waiting for you", detail=detail)
    return StageView(
        name=STAGES[name],
        state=state,
        said=said,
        detail=between(stage.started_at, stage.ended_at) if stage.ended_at else "",
        badge=count(stage.rounds, "fix", "fixes") if stage.rounds else "",
        since=stage.started_at if stage.ended_at is None else None,
    )
