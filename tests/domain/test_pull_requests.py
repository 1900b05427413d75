"""What a pull request says, and what it must not do."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.pull_requests import duration, needs_draft, pull_request_body
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


def plain(text: str) -> str:
    return text


def body(**said: Any) -> str:
    return pull_request_body(TICKET, RUN, redact=plain, **said)


def gate(status: StageStatus = StageStatus.PASSED, **facts: object) -> GateReport:
    return GateReport.model_validate({"gate": StageName.LINT, "status": status, "found": "`make lint` passes", **facts})


def test_the_body_links_to_the_ticket_and_says_what_each_gate_took() -> None:
    report = gate(rounds=2, duration_s=848.4, turns=7, cost_usd=0.5)
    made = body(summary="I added it.", gates=[report])

    assert "[PROJ-1](https://example.atlassian.net/browse/PROJ-1)" in made
    assert "I added it." in made
    assert "| lint | ✅ passed | `make lint` passes | 2× | 14m 08s | 7 | $0.50 |" in made
    assert "$1.25, 2,000 output tokens, 90 % of input from cache" in made


def test_a_gate_that_fails_makes_a_draft_that_shows_what_it_found() -> None:
    failing = gate(StageStatus.FAILED, found="`make lint` still fails after 3 fixes")
    made = body(summary="", gates=[gate(), failing])

    assert needs_draft([gate(), failing])
    assert "Draft" in made
    assert "still fails after 3 fixes" in made


def test_pull_requests_of_one_change_name_one_another() -> None:
    urls = ("https://example.com/acme/api/pull/7", "https://example.com/acme/web/pull/8")
    made = body(summary="I added it.", gates=[], related=urls)

    assert f"Part of one change, together with {urls[0]}, {urls[1]}" in made
    assert "Part of one change" not in body(summary="I added it.", gates=[])


@pytest.mark.parametrize("status", [StageStatus.PASSED, StageStatus.SKIPPED])
def test_gates_that_are_as_they_should_be_make_no_draft(status: StageStatus) -> None:
    assert not needs_draft([gate(status)])


def test_a_body_never_exceeds_what_github_takes() -> None:
    assert len(body(summary="word " * 50_000, gates=[])) < 65_536


def test_text_of_others_acts_on_nothing_wherever_it_stands() -> None:
    acting = "@ada fixes #12 ![x](https://evil.example/x.png) <img src=x> t0p-s3cret"
    failing = gate(StageStatus.FAILED, found=f"{acting}\n{acting}")
    ticket = TICKET.model_copy(update={"summary": acting})

    made = pull_request_body(
        ticket,
        RUN,
        summary=acting,
        gates=[failing],
        protected=[acting],
        redact=lambda text: text.replace("t0p-s3cret", ""),
    )

    for sign in ("@ada", "fixes #12", "![x]", "<img", "t0p-s3cret"):
        assert sign not in made
    assert made.count("＠ada") == 6


def test_paths_that_need_a_person_are_named_before_all_that_others_wrote() -> None:
    paths = [f".github/workflows/{number}.yml" for number in range(12)]
    made = body(summary="```\nnever closed", gates=[gate()], protected=paths)

    assert made.index("**Protected paths**") < made.index("never closed")
    assert "> - `.github/workflows/9.yml`\n> - and 2 more\n" in made
    assert "Protected" not in body(summary="x", gates=[])


def test_what_an_author_leaves_open_does_not_swallow_the_gates() -> None:
    made = body(summary="<details>\n```\nnever closed", gates=[gate()])

    assert made.index("\n```\n\n</details>") < made.index("## Gates")


@pytest.mark.parametrize("url", [None, "javascript:alert(1)", "https://x) ![](https://evil.example", "https://x/\n# y"])
def test_a_ticket_whose_address_is_none_is_named_without_a_link(url: str | None) -> None:
    made = pull_request_body(TICKET.model_copy(update={"url": url}), RUN, summary="", gates=[], redact=plain)

    assert made.startswith("**PROJ-1**: ")


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0s"), (42.4, "42s"), (848, "14m 08s"), (3600, "60m 00s")])
def test_durations_read_well(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
