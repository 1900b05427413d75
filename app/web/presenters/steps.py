"""One line for each thing that Claude did with a tool."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.domain.naming import branch_of, is_ticket_key
from app.models import Event
from app.web.presenters.wording import count, duration, first_line


class StepKind(StrEnum):
    """What a step is counted as, in the line that a folded group of steps leaves."""

    READ = "read"
    SEARCH = "search"
    EDIT = "edit"
    RUN = "run"
    AGENT = "agent"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the conversation. `argument` is what it was done to; `since` is set while it is under way.

    `href` is where its body is, an element with the id `out`.
    """

    kind: StepKind
    icon: str
    what: str
    argument: str
    href: str
    out: str
    result: str = ""
    added: int | None = None
    removed: int | None = None
    failed: bool = False
    since: datetime | None = None


@dataclass(frozen=True)
class _Tool:
    kind: StepKind
    icon: str
    doing: str
    done: str
    fields: tuple[str, ...]


_READ = _Tool(StepKind.READ, "file", "Reading", "Read", ("file_path", "path"))
_EDIT = _Tool(StepKind.EDIT, "pencil", "Editing", "Edited", ("file_path", "notebook_path"))
_SEARCH = _Tool(StepKind.SEARCH, "search", "Searching", "Searched", ("pattern", "query"))
_AGENT = _Tool(StepKind.AGENT, "agent", "Sub-agent", "Sub-agent", ("description", "prompt"))
_TOOLS = {
    "Read": _READ,
    "LS": _Tool(StepKind.READ, "file", "Listing", "Listed", ("path",)),
    "Edit": _EDIT,
    "MultiEdit": _EDIT,
    "NotebookEdit": _EDIT,
    "Write": _Tool(StepKind.EDIT, "filep", "Writing", "Wrote", ("file_path",)),
    "Bash": _Tool(StepKind.RUN, "term", "Running", "Ran", ("command",)),
    "Grep": _SEARCH,
    "Glob": _SEARCH,
    "WebSearch": _SEARCH,
    "WebFetch": _Tool(StepKind.OTHER, "ext", "Fetching", "Fetched", ("url",)),
    "Agent": _AGENT,
    "Task": _AGENT,
}
_UNSEEN = frozenset(
    {"TodoWrite", "TaskCreate", "TaskUpdate", "TaskList", "TaskGet", "AskUserQuestion", "ExitPlanMode", "EnterPlanMode"}
)
"""Tools whose effect the page shows by itself: the todo list, questions and plans."""

_INSIDE = re.compile(
    r"(?:/repositories/[^/]+--(?P<repository>[^/]+))?/worktrees/(?P<branch>[^/]+/[^/]+)/(?P<path>.+)", re.DOTALL
)
_PLAN = re.compile(r"/claude/[^/]+/config/plans/[\w-]+\.md\Z")
_EXIT = re.compile(r"Exit code (\d+)")


def called(key: str, event: Event) -> Step | None:
    """The step that a call begins; None for one that the page shows otherwise."""
    name, given = str(event.payload.get("name", "")), input_of(event)
    if name in _UNSEEN or _is_plan(given):
        return None
    tool = _TOOLS.get(name) or _Tool(StepKind.OTHER, "wand", "Using", "Used", ())
    added, removed = _lines_changed(given) if tool.kind is StepKind.EDIT else (None, None)
    return Step(
        kind=tool.kind,
        icon=tool.icon,
        what=tool.doing,
        argument=_argument(key, tool, name, given),
        href=href_of(key, event.seq),
        out=out_of(event.seq),
        added=added,
        removed=removed,
        since=event.at,
    )


def unnamed_agent(key: str, event: Event) -> Step:
    """A sub-agent of which only what it does is known."""
    return Step(
        kind=_AGENT.kind,
        icon=_AGENT.icon,
        what=_AGENT.done,
        argument="",
        href=href_of(key, event.seq),
        out=out_of(event.seq),
        since=event.at,
    )


def returned(step: Step, event: Event) -> Step:
    """The step with what the tool gave."""
    content, failed = str(event.payload.get("content", "")), bool(event.payload.get("failed"))
    return replace(ended(step), result=_result(step, content, event.at, failed=failed), failed=failed)


def ended(step: Step) -> Step:
    """The step when nothing more is heard of it."""
    done = {tool.doing: tool.done for tool in _TOOLS.values()} | {"Using": "Used"}
    return replace(step, what=done.get(step.what, step.what), since=None)


def href_of(key: str, seq: int) -> str:
    """Where the body of a step is."""
    return f"/code-runs/{key}/steps/{seq}"


def out_of(seq: int) -> str:
    """The id of a step's body."""
    return f"step-{seq}-out"


def input_of(event: Event) -> Mapping[str, Any]:
    """What a tool was called with."""
    given = event.payload.get("input")
    return given if isinstance(given, Mapping) else {}


def shown_path(key: str, path: str) -> str:
    """A file's path from the root of its worktree, below the repository's name where it is not the default one."""
    if not is_ticket_key(key) or (found := _INSIDE.search(path)) is None or found["branch"] != branch_of(key):
        return path
    return "/".join(filter(None, [found["repository"], found["path"]]))


def edits_of(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Texts before and after, of each edit in a call."""
    many = given.get("edits")
    if isinstance(many, list):
        return [pair for each in many if isinstance(each, Mapping) for pair in edits_of(each)]
    if "content" in given:
        return [("", str(given["content"]))]
    return [(str(given.get("old_string", "")), str(given.get("new_string", given.get("new_source", ""))))]


def _is_plan(given: Mapping[str, Any]) -> bool:
    """Whether it is about the file in which the CLI has a plan written. The page shows plans by themselves."""
    path = str(given.get("file_path", ""))
    return _PLAN.search(path) is not None and _INSIDE.search(path) is None


def _argument(key: str, tool: _Tool, name: str, given: Mapping[str, Any]) -> str:
    if not tool.fields:
        words = name.removeprefix("mcp__").replace("__", " ")
        first = next((value for value in given.values() if isinstance(value, str)), "")
        return f"{words} {first_line(first)}".strip()
    text = next((str(given[field]) for field in tool.fields if given.get(field)), "")
    return shown_path(key, text) if tool.kind in {StepKind.READ, StepKind.EDIT} else first_line(text)


def _lines_changed(given: Mapping[str, Any]) -> tuple[int, int]:
    added = removed = 0
    for before, after in edits_of(given):
        old, new = Counter(before.splitlines()), Counter(after.splitlines())
        added += (new - old).total()
        removed += (old - new).total()
    return added, removed


def _result(step: Step, content: str, at: datetime, *, failed: bool) -> str:
    if step.kind is StepKind.RUN:
        code = _EXIT.match(content)
        took = duration((at - step.since).total_seconds()) if step.since else ""
        return " · ".join(filter(None, [f"exit {code[1] if code else 1 if failed else 0}", took]))
    if failed:
        return "failed"
    lines = len(content.splitlines())
    if step.kind is StepKind.READ:
        return count(lines, "line")
    if step.kind is StepKind.SEARCH:
        nothing = not lines or content.startswith("No ")
        return "no matches" if nothing else count(lines, "match", "matches")
    return ""
