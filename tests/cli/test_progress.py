"""How a run looks while it goes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from app.cli.progress import Progress
from app.models import Event, EventKind

_WORKTREE = Path("/ws/worktrees/ticket/proj-1")
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

Told = tuple[EventKind, Mapping[str, Any]]


def test_a_stage_is_told_with_its_time_and_what_its_turns_cost() -> None:
    shown = _shown(
        _stage("review"),
        (EventKind.TURN_ENDED, {"turn": "review", "cost_usd": 0.25}),
        (EventKind.TURN_ENDED, {"turn": "fix review", "cost_usd": 0.5}),
        _end("review", summary="Found issues; fixed by the author."),
    )

    assert shown == ["▸ review", "  ✓ Found issues; fixed by the author.  3.0s · $0.75"]


def test_a_tool_call_is_one_line_with_its_path_from_the_worktree() -> None:
    shown = _shown(
        _call("Write", file_path=f"{_WORKTREE}/src/a.py", content="one\ntwo"), _call("Bash", command="pytest \\\n  -q")
    )

    assert shown == ["    Write src/a.py", "    Bash pytest \\ -q"]


def test_a_long_call_is_cropped_for_a_person_and_whole_in_a_pipe() -> None:
    call = _call("Bash", command="x" * 200)

    assert _shown(call) == ["    Bash " + "x" * 200]
    (line,) = _shown(call, terminal=True)
    assert len(line) == 60
    assert line.endswith("x…")


def test_long_text_is_wrapped_for_a_person_and_whole_in_a_pipe() -> None:
    text = (EventKind.TEXT, {"text": "word " * 30, "role": "author"})

    assert _shown(text) == ["    " + "word " * 30]
    assert all(line.startswith("    word") and len(line) <= 60 for line in _shown(text, terminal=True))


def test_what_a_model_or_a_program_says_cannot_steer_the_terminal() -> None:
    shown = _shown(
        (EventKind.TEXT, {"text": "\x1b]0;owned\x07\x1b[2J[bold red]:smile:", "role": "author"}),
        _call("Bash", command="echo \x1b[31m"),
        _check("lint", "failed", output="\x9b31mred\r\x08"),
    )

    said = "\n".join(shown)
    assert not [character for character in said if not character.isprintable() and character != "\n"]
    assert "[bold red]:smile:" in said


def test_a_failed_check_shows_the_end_of_its_output() -> None:
    output = "\n".join(f"line {number}" for number in range(40))
    shown = _shown(_stage("lint"), _check("lint", "failed", output=output))

    assert shown[1] == "    ✗ make lint  0.5s"
    assert (shown[2], shown[-1]) == ("      line 28", "      line 39")


def test_a_gate_that_is_gone_on_with_after_another_has_its_heading_again() -> None:
    shown = _shown(
        _stage("tests"),
        _check("tests", "failed"),
        _stage("lint"),
        _end("lint"),
        _check("tests", "passed"),
        _end("tests"),
    )

    assert [line for line in shown if line.startswith("▸")] == ["▸ tests", "▸ lint", "▸ tests, again"]
    assert shown[-1].endswith("5.0s")


def test_a_failed_tool_call_says_so_and_a_good_one_nothing() -> None:
    shown = _shown(
        _call("Bash", id="1", command="make"),
        (EventKind.TOOL_RETURNED, {"id": "1", "content": "no rule\nto make", "failed": True}),
        _call("Read", id="2", file_path="a"),
        (EventKind.TOOL_RETURNED, {"id": "2", "content": "text", "failed": False}),
    )

    assert shown == ["    Bash make", "    ✗ Bash: no rule to make", "    Read a"]


def test_the_error_of_a_run_is_told_once() -> None:
    error = (EventKind.ERROR, {"message": "The disk is full."})

    assert _shown(error) == ["✗ The disk is full."]
    failed = _shown(_stage("publish"), _end("publish", status="failed", summary="The disk is full."), error)
    assert failed == ["▸ publish", "  ✗ The disk is full.  1.0s"]


def test_notices_and_turns_taken_up_again_are_told() -> None:
    shown = _shown(
        (EventKind.NOTICE, {"text": "Claude's API gave 529; trying again (1 of 5)."}),
        (EventKind.TURN_RESUMED, {"reason": "The model said nothing for 300 s.", "role": "author"}),
        (
            EventKind.TODO_UPDATED,
            {"items": [{"subject": "a", "status": "completed"}, {"subject": "b", "status": "in_progress"}]},
        ),
    )

    assert shown == [
        "    ! Claude's API gave 529; trying again (1 of 5).",
        "  ↻ taken up again: The model said nothing for 300 s.",
        "    ☐ 1 of 2 done b",
    ]


def test_every_kind_of_event_can_be_followed() -> None:
    silent = {EventKind.RUN_STATUS, EventKind.PULL_REQUEST, EventKind.TICKET_UPDATED}

    assert [_shown((kind, {})) for kind in silent] == [[], [], []]


def _shown(*told: Told, terminal: bool = False) -> list[str]:
    """The lines for these events, one second apart."""
    output = StringIO()
    console = Console(
        file=output, width=60, force_terminal=terminal, color_system=None, markup=False, emoji=False, highlight=False
    )
    progress = Progress(console, worktree=_WORKTREE)
    for number, (kind, payload) in enumerate(told):
        at = _BEGAN + timedelta(seconds=number)
        progress.show(Event(seq=number + 1, kind=kind, at=at, payload=dict(payload)))
    return output.getvalue().splitlines()


def _stage(name: str) -> Told:
    return EventKind.STAGE_STARTED, {"stage": name}


def _end(name: str, *, status: str = "passed", summary: str = "Well.") -> Told:
    return EventKind.STAGE_ENDED, {"stage": name, "status": status, "rounds": 0, "summary": summary}


def _check(gate: str, outcome: str, *, output: str = "") -> Told:
    told = {"gate": gate, "outcome": outcome, "command": f"make {gate}", "output": output, "duration_s": 0.5}
    return EventKind.GATE_CHECKED, told


def _call(name: str, *, id: str = "1", **given: str) -> Told:  # noqa: A002 - the event's own word
    return EventKind.TOOL_CALLED, {"id": id, "name": name, "input": given, "role": "author"}
