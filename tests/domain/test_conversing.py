"""What people may ask and answer, and what a retry asks."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from app.domain.conversing import LONGEST_TEXT, MOST_REPOSITORIES, check_answer, check_request, retried
from app.errors import InvalidInput
from app.models import (
    Answer,
    RepositoryChoice,
    Request,
    Run,
    RunMode,
    RunStatus,
    Stage,
    StageName,
    StageStatus,
    Trigger,
)

NAMES = [f"acme/{number}" for number in range(8)]
MODELS = ["small", "large"]
AT = datetime(2026, 11, 21, tzinfo=UTC)


def request(**facts: object) -> Request:
    return Request.model_validate({"mode": RunMode.EDITS, "text": "Add dark mode.", "by": "Ada", **facts})


def choices(count: int) -> tuple[RepositoryChoice, ...]:
    return tuple(RepositoryChoice(name=name, base="main") for name in NAMES[:count])


Ends = Mapping[str, StageStatus]


def run_with(stages: Ends, *, status: RunStatus = RunStatus.FAILED, mode: RunMode = RunMode.EDITS) -> Run:
    """A run whose stages, by name, ended like this."""
    return Run(
        id="run",
        ticket="PROJ-1",
        status=status,
        mode=mode,
        trigger=Trigger.MESSAGE,
        created_at=AT,
        stages=tuple(Stage(name=StageName(name), status=end, started_at=AT) for name, end in stages.items()),
    )


@pytest.mark.parametrize("mode", [RunMode.ASK, RunMode.PLAN, RunMode.EDITS, RunMode.PUBLISH])
def test_what_people_ask_is_taken_up_to_its_limits(mode: RunMode) -> None:
    asked = request(mode=mode, text="x" * LONGEST_TEXT, model="large", repositories=choices(MOST_REPOSITORIES))
    check_request(asked, repositories=NAMES, models=MODELS)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"mode": RunMode.IMPLEMENT}, "mode: must be ask, plan or edits"),
        ({"text": "x" * 8_001}, "text: must have at most 8,000 characters; it has 8,001"),
        ({"model": "other"}, "model: must be one of small, large"),
        ({"repositories": choices(7)}, "repo: must be at most 6 repositories"),
        ({"repositories": choices(1) * 2}, "repo: must name each repository once"),
        ({"repositories": (RepositoryChoice(name="acme/x", base="main"),)}, "repo: acme/x is no repository of this"),
    ],
)
def test_what_nobody_may_ask_is_refused_by_its_field(facts: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_request(request(**facts), repositories=NAMES, models=MODELS)
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize("facts", [{"approved": True}, {"text": "Blue."}, {"answers": {"Which?": "Blue"}}])
def test_an_answer_approves_chooses_or_says_something(facts: dict[str, object]) -> None:
    check_answer(Answer.model_validate({"by": "Ada", **facts}))


@pytest.mark.parametrize(
    "facts", [{}, {"text": "\n"}, {"answers": {"Which?": " "}}, {"text": "x" * 8_001}, {"answers": {"a": "x" * 8_001}}]
)
def test_an_answer_without_words_or_with_too_many_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"^text: "):
        check_answer(Answer.model_validate({"by": "Ada", **facts}))


MADE = {"implement": StageStatus.PASSED}


@pytest.mark.parametrize(
    "stages",
    [
        {**MADE, "publish": StageStatus.FAILED},
        {**MADE, "publish": StageStatus.WARNED},
        {**MADE, "review": StageStatus.FAILED},
        {"implement": StageStatus.WARNED, "lint": StageStatus.FAILED},
    ],
)
def test_a_retry_of_edits_that_were_made_only_publishes_them(stages: Ends) -> None:
    asked = request(repositories=choices(2), model="large", auto_pr=True)
    again = retried(run_with(stages), asked, by="Ben")
    assert (again.mode, again.text, again.by) == (RunMode.PUBLISH, "", "Ben")
    assert (again.repositories, again.model) == (asked.repositories, "large")


@pytest.mark.parametrize(
    "run",
    [
        run_with({"workspace": StageStatus.FAILED}),
        run_with({"implement": StageStatus.FAILED}),
        run_with(MADE),
        run_with({**MADE, "lint": StageStatus.WARNED}, status=RunStatus.IDLE),
        run_with({**MADE, "publish": StageStatus.FAILED}, mode=RunMode.IMPLEMENT),
        run_with({"answer": StageStatus.PASSED}, mode=RunMode.ASK),
    ],
    ids=["no worktree", "not made", "not to be published", "stopped", "by itself", "a question"],
)
def test_any_other_retry_asks_the_same_once_more(run: Run) -> None:
    asked = request(mode=run.mode)
    assert retried(run, asked, by="Ben") == asked.model_copy(update={"by": "Ben", "retry_of": asked.by or ""})
    assert retried(run, asked, by=None) == asked.model_copy(update={"retry_of": asked.by or ""})
