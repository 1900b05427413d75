from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.naming import (
    LONGEST_TITLE,
    branch_of,
    is_ticket_key,
    key_of_branch,
    pull_request_title,
    run_of_work,
    work_id,
)
from app.errors import InvalidInput
from app.models import Ticket

keys = st.from_regex(r"[A-Z][A-Z0-9_]{1,20}-[0-9]{1,8}", fullmatch=True)


@pytest.mark.parametrize("text", ["PROJ-1", "A1-2", "MY_APP-10666", "P" * 61 + "-12"])
def test_keys_of_projects_and_numbers_are_ticket_keys(text: str) -> None:
    assert is_ticket_key(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "proj-1", "P-1", "PROJ", "PROJ-", "-1", "PROJ-1\n", " PROJ-1", "PROJ-1-2", "PROJ-x", "$(id)-1", "../../etc",
        "PROJ-1\0", "ÄB-1", "PROJ-١", "P" * 10_000 + "-1", "P" * 62 + "-12",
    ],
)  # fmt: skip
def test_anything_else_is_no_ticket_key_and_gets_no_branch(text: str) -> None:
    assert not is_ticket_key(text)
    with pytest.raises(InvalidInput, match=r"^issue\.key: "):
        branch_of(text)


def test_a_branch_is_the_lower_case_key_under_ticket() -> None:
    assert branch_of("PROJ-1") == "ticket/proj-1"


@given(keys)
def test_a_branch_tells_the_key_it_was_made_of(key: str) -> None:
    assert key_of_branch(branch_of(key)) == key


@pytest.mark.parametrize(
    "branch", ["main", "ticket/", "ticket/PROJ-1", "proj-1", "x/ticket/proj-1", "ticket/proj-1/a", "ticket/ſx-1"]
)
def test_other_peoples_branches_belong_to_no_ticket(branch: str) -> None:
    assert key_of_branch(branch) is None


def test_the_first_leg_of_a_run_is_called_as_the_run_and_later_ones_by_their_number() -> None:
    assert [work_id("0c1d-4f", leg) for leg in (1, 2, 3)] == ["0c1d-4f", "0c1d-4f.2", "0c1d-4f.3"]


@given(st.uuids(), st.integers(min_value=1))
def test_a_work_tells_its_run_and_leg(run_id: UUID, leg: int) -> None:
    assert run_of_work(work_id(str(run_id), leg)) == (str(run_id), leg)


def title(summary: str) -> str:
    return pull_request_title(Ticket(key="PROJ-1", summary=summary), redact=lambda text: text)


def test_a_title_is_the_key_and_the_summary() -> None:
    assert title("Add dark mode toggle") == "PROJ-1: Add dark mode toggle"


def test_a_title_without_a_summary_is_the_key() -> None:
    assert title(" \n") == "PROJ-1"


def test_a_title_is_one_line_without_control_characters() -> None:
    assert title("Add\r\n dark\x00\x1b[31m  mode\u202e\u2028now") == "PROJ-1: Add dark[31m mode now"


def test_a_title_notifies_nobody_and_closes_nothing() -> None:
    assert title("Ask @octocat, fixes #12") == "PROJ-1: Ask ＠octocat, fixes ＃12"


@given(st.text(max_size=600))
def test_a_title_fits_and_starts_with_the_key(summary: str) -> None:
    made = title(summary)
    assert made.startswith("PROJ-1")
    assert len(made) <= LONGEST_TITLE
    assert made.isprintable()


def test_a_long_title_fills_its_room_and_says_that_it_was_cut() -> None:
    made = title("x" * 1_000)
    assert made == f"PROJ-1: {'x' * (LONGEST_TITLE - 9)}…"
