"""What a pull request says, and what it must not do."""

from datetime import UTC, datetime

import pytest

from app.domain.pull_requests import duration, needs_draft, neutral, pull_request_body
from app.models import Run, RunMode, RunStatus, StageName, StageStatus, Ticket, Tokens, Trigger
from app.results import GateReport

TICKET = Ticket(key="PROJ-1", summary="Add dark mode", url="https://example.atlassian.net/browse/PROJ-1")
RUN = Run(
    id="0c1d",
    ticket="PROJ-1",
    status=RunStatus.RUNNING,
    mode=RunMode.IMPLEMENT,
    trigger=Trigger.WEBHOOK,
    created_at=datetime(2026, 11, 21, tzinfo=UTC),
    cost_usd=1.25,
    tokens=Tokens(input=100, output=2000, cache_read=900),
)


def gate(status: StageStatus = StageStatus.PASSED, **facts: object) -> GateReport:
    return GateReport.model_validate({"gate": StageName.LINT, "status": status, "found": "`make lint` passes", **facts})


def test_the_body_links_to_the_ticket_and_says_what_each_gate_took() -> None:
    report = gate(rounds=2, duration_s=848.4, turns=7, cost_usd=0.5)
    body = pull_request_body(TICKET, RUN, summary="I added it.", gates=[report])

    assert "[PROJ-1](https://example.atlassian.net/browse/PROJ-1)" in body
    assert "I added it." in body
    assert "| lint | ✅ passed | `make lint` passes | 2× | 14m 08s | 7 | $0.50 |" in body
    assert "$1.25, 2,000 output tokens, 90 % of input from cache" in body


def test_a_gate_that_fails_makes_a_draft_that_shows_what_it_found() -> None:
    failing = gate(StageStatus.FAILED, found="`make lint` still fails after 3 fixes")
    body = pull_request_body(TICKET, RUN, summary="", gates=[gate(), failing])

    assert needs_draft([gate(), failing])
    assert "Draft" in body
    assert "still fails after 3 fixes" in body


def test_pull_requests_of_one_change_name_one_another() -> None:
    urls = ("https://example.com/acme/api/pull/7", "https://example.com/acme/web/pull/8")
    body = pull_request_body(TICKET, RUN, summary="I added it.", gates=[], related=urls)

    assert f"Part of one change, together with {urls[0]}, {urls[1]}" in body
    assert "Part of one change" not in pull_request_body(TICKET, RUN, summary="I added it.", gates=[])


@pytest.mark.parametrize("status", [StageStatus.PASSED, StageStatus.SKIPPED])
def test_gates_that_are_as_they_should_be_make_no_draft(status: StageStatus) -> None:
    assert not needs_draft([gate(status)])


def test_a_body_never_exceeds_what_github_takes() -> None:
    assert len(pull_request_body(TICKET, RUN, summary="word " * 50_000, gates=[])) < 65_536


@pytest.mark.parametrize(
    "text",
    [
        "ask @everyone",
        "_@ada_ and `@ada",
        "&#64;ada",
        "Fixes #12",
        "closes: acme/widgets#3",
        "resolved GH-7",
        "fix https://github.com/acme/widgets/issues/9",
        "![pixel](https://evil.example/p.png)",
        "![pixel][1]",
        '<img src="https://evil.example/p.png">',
        "<!-- hidden -->",
    ],
)
def test_nothing_in_the_text_acts(text: str) -> None:
    clean = neutral(text)
    assert clean != text
    for acting in ("@everyone", "@ada", "&#64;", "Fixes #", ": acme", "resolved GH", "fix https", "![", "<img", "<!--"):
        assert acting not in clean


@pytest.mark.parametrize(
    "text", ["mail ada@example.com", "see #12", "a < b", "[docs](https://example.com)", "fixes the bug"]
)
def test_plain_words_stay(text: str) -> None:
    assert neutral(text) == text


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0s"), (42.4, "42s"), (848, "14m 08s"), (3600, "60m 00s")])
def test_durations_read_well(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
