"""The moves of a run: whatever happens, it ends at most once and stays ended."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.run_state import ACTIVE, has_ended, may_move, may_retry
from app.models import RunStatus

WANTED = st.lists(st.sampled_from(RunStatus), max_size=30)


def after(wanted: list[RunStatus]) -> list[RunStatus]:
    """The statuses that a new run goes through when these moves are asked for and the forbidden ones refused."""
    statuses = [RunStatus.QUEUED]
    for to in wanted:
        if may_move(statuses[-1], to):
            statuses.append(to)
    return statuses


@given(WANTED)
def test_a_run_ends_at_most_once(wanted: list[RunStatus]) -> None:
    statuses = after(wanted)
    assert [has_ended(status) for status in statuses[:-1]] == [False] * (len(statuses) - 1)


@given(WANTED)
def test_a_run_is_queued_at_its_beginning_and_after_an_answer_only(wanted: list[RunStatus]) -> None:
    statuses = after(wanted)
    assert statuses[0] is RunStatus.QUEUED
    for before, status in pairwise(statuses):
        assert (status is RunStatus.QUEUED) <= (before is RunStatus.NEEDS_INPUT)


@given(WANTED)
def test_a_pull_request_and_a_question_come_from_work(wanted: list[RunStatus]) -> None:
    statuses = after(wanted)
    for before, status in pairwise(statuses):
        if status in {RunStatus.PR_OPENED, RunStatus.NEEDS_INPUT}:
            assert before is RunStatus.RUNNING


@given(WANTED)
def test_a_run_that_has_not_ended_can_be_stopped_and_can_fail(wanted: list[RunStatus]) -> None:
    last = after(wanted)[-1]
    assert may_move(last, RunStatus.IDLE) == may_move(last, RunStatus.FAILED) == (not has_ended(last))


@pytest.mark.parametrize("to", [RunStatus.QUEUED, RunStatus.FAILED, RunStatus.IDLE])
def test_a_run_that_waits_for_people_goes_on_by_the_queue_or_ends(to: RunStatus) -> None:
    assert may_move(RunStatus.NEEDS_INPUT, to)


@given(st.sampled_from(RunStatus))
def test_no_run_moves_to_where_it_is(status: RunStatus) -> None:
    assert not may_move(status, status)


def test_every_status_is_either_active_or_an_end() -> None:
    assert {status for status in RunStatus if not has_ended(status)} == ACTIVE
    assert {status for status in RunStatus if has_ended(status)} == {
        RunStatus.FAILED,
        RunStatus.PR_OPENED,
        RunStatus.IDLE,
    }


def test_only_a_run_that_ended_without_a_pull_request_can_be_retried() -> None:
    assert {status for status in RunStatus if may_retry(status)} == {RunStatus.FAILED, RunStatus.IDLE}
