"""A run as a person follows it in a terminal: one line for each thing that happens, as it happens.

It knows events and nothing of where they come from.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import Progress as Spinner
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from app.cli.terminal import Lines, cut, one_line, printable
from app.domain.pull_requests import duration
from app.models import Event, EventKind, StageStatus

_MOST_LINES_SAID = 20
_MOST_LINES_FAILED = 12

_STAGE_ENDS = {
    StageStatus.PASSED: ("✓", "green"),
    StageStatus.WARNED: ("!", "yellow"),
    StageStatus.FAILED: ("✗", "red"),
    StageStatus.SKIPPED: ("–", "dim"),
}
_CHECK_ENDS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "dim"),
    "unavailable": ("!", "yellow"),
}

# What a call of a tool is about, by the first of these that it was given.
_TELLING = ("file_path", "command", "pattern", "path", "description", "subject", "prompt")

Payload = Mapping[str, Any]


class Progress:
    """Shows a run. Used in a `with`; on a terminal a last line tells what goes on, how long, and the cost so far."""

    def __init__(self, console: Console, *, worktree: Path) -> None:
        self._lines = Lines(console)
        self._worktree = f"{worktree}/"
        self._spinner = Spinner(
            SpinnerColumn(style="dim"),
            TextColumn("[dim]{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._spinner.add_task("starting")
        self._heading = ""
        self._began: dict[str, datetime] = {}
        self._spent_usd: dict[str, float] = {}
        self._cost_usd = 0.0
        self._last_said = ""
        self._calls: dict[str, str] = {}
        self._shows = {
            EventKind.STAGE_STARTED: self._stage_started,
            EventKind.STAGE_ENDED: self._stage_ended,
            EventKind.TURN_STARTED: self._turn_started,
            EventKind.TURN_RESUMED: self._turn_resumed,
            EventKind.TURN_ENDED: self._turn_ended,
            EventKind.TEXT: self._text,
            EventKind.TOOL_CALLED: self._tool_called,
            EventKind.TOOL_RETURNED: self._tool_returned,
            EventKind.TODO_UPDATED: self._todo_updated,
            EventKind.GATE_CHECKED: self._gate_checked,
            EventKind.COST_UPDATED: self._cost_updated,
            EventKind.NOTICE: self._notice,
            EventKind.ERROR: self._error,
        }

    def __enter__(self) -> Self:
        self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spinner.stop()

    async def follow(self, events: AsyncIterator[Event]) -> None:
        """Show events until there are no more."""
        async for event in events:
            self.show(event)

    def show(self, event: Event) -> None:
        """Show one event; most lines come from stages, tools and gates, and some events are worth none."""
        if (show := self._shows.get(EventKind(event.kind))) is not None:
            show(event.payload, event.at)

    def _stage_started(self, payload: Payload, at: datetime) -> None:
        stage = payload["stage"]
        self._began[stage], self._spent_usd[stage], self._heading = at, 0.0, stage
        self._lines.line(("▸ ", "cyan"), (stage, "bold"))
        self._say(stage)

    def _stage_ended(self, payload: Payload, at: datetime) -> None:
        stage = payload["stage"]
        mark, style = _STAGE_ENDS[StageStatus(payload["status"])]
        spent = [took((at - self._began.pop(stage, at)).total_seconds())]
        if cost_usd := self._spent_usd.pop(stage, 0.0):
            spent.append(dollars(cost_usd))
        self._last_said = payload["summary"]
        said = one_line(payload["summary"]).replace("`", "")
        self._lines.line((mark, style), f" {said}  ", (" · ".join(spent), "dim"), indent=1)

    def _turn_started(self, payload: Payload, _at: datetime) -> None:
        if payload["turn"] != self._heading:
            self._lines.line((f"↻ {payload['role']}: {payload['turn']}", "magenta"), indent=1)
        self._say(payload["turn"])

    def _turn_resumed(self, payload: Payload, _at: datetime) -> None:
        self._lines.line((f"↻ taken up again: {one_line(payload['reason'])}", "yellow"), indent=1)

    def _turn_ended(self, payload: Payload, _at: datetime) -> None:
        self._spent_usd[self._heading] = self._spent_usd.get(self._heading, 0.0) + payload["cost_usd"]

    def _text(self, payload: Payload, _at: datetime) -> None:
        style = "dim" if "parent" in payload else ""
        self._lines.paragraphs(cut(printable(payload["text"]), most_lines=_MOST_LINES_SAID), indent=2, style=style)

    def _tool_called(self, payload: Payload, _at: datetime) -> None:
        self._calls[payload["id"]] = payload["name"]
        self._lines.line((f"{payload['name']} ", "cyan"), (self._about(payload["input"]), "dim"), indent=2, folded=True)

    def _tool_returned(self, payload: Payload, _at: datetime) -> None:
        name = self._calls.pop(payload["id"], "tool")
        if payload["failed"]:
            self._lines.line(("✗ ", "red"), (f"{name}: {one_line(payload['content'])}", "dim"), indent=2, folded=True)

    def _todo_updated(self, payload: Payload, _at: datetime) -> None:
        items = payload["items"]
        done = sum(item["status"] == "completed" for item in items)
        current = next((item["subject"] for item in items if item["status"] == "in_progress"), "")
        self._lines.line((f"☐ {done} of {len(items)} done {one_line(current)}", "dim"), indent=2, folded=True)

    def _gate_checked(self, payload: Payload, _at: datetime) -> None:
        if not (command := one_line(payload["command"])):
            return  # nothing was run; the end of the stage says why
        self._return_to(payload["gate"])
        mark, style = _CHECK_ENDS[payload["outcome"]]
        self._lines.line((f"{mark} ", style), command, (f"  {took(payload['duration_s'])}", "dim"), indent=2)
        if payload["outcome"] != "passed":
            telling = [line for line in printable(payload["output"]).splitlines() if line.strip(" -=")]
            self._lines.paragraphs("\n".join(telling[-_MOST_LINES_FAILED:]), indent=3, style="dim")

    def _cost_updated(self, payload: Payload, _at: datetime) -> None:
        self._cost_usd = payload["cost_usd"]

    def _notice(self, payload: Payload, _at: datetime) -> None:
        self._lines.line((f"! {one_line(payload['text'])}", "yellow"), indent=2)

    def _error(self, payload: Payload, _at: datetime) -> None:
        if payload["message"] != self._last_said:  # else its stage has just said it
            self._lines.line((f"✗ {one_line(payload['message'])}", "red"))

    def _return_to(self, stage: str) -> None:
        """A gate that was fixed is left for those before it, which must pass again, and then gone on with."""
        if stage != self._heading:
            self._heading = stage
            self._lines.line(("▸ ", "cyan"), (f"{stage}, again", "bold"))

    def _about(self, given: Payload) -> str:
        value = next((str(given[name]) for name in _TELLING if given.get(name)), "")
        return one_line(value.replace(self._worktree, ""))

    def _say(self, doing: str) -> None:
        cost = f" · {dollars(self._cost_usd)} so far" if self._cost_usd else ""
        self._spinner.update(self._task, description=f"{doing}{cost}")


def took(seconds: float) -> str:
    """Seconds as people read them; below ten with a decimal."""
    return f"{seconds:.1f}s" if seconds < 10 else duration(seconds)  # noqa: PLR2004 - a decimal tells nothing above


def dollars(cost_usd: float) -> str:
    """Dollars and cents."""
    return f"${cost_usd:.2f}"
