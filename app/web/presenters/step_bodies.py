"""What is behind a step's line: the change that it made, what it was given, and what came of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from app.models import Event, EventKind
from app.web import diff_tables
from app.web.diffs import edit
from app.web.presenters.steps import edits_of, href_of, input_of, out_of, shown_path
from app.web.presenters.wording import count

_MOST_LINES = 200

_EDITS = frozenset({"Edit", "MultiEdit", "Write"})
_SAID_BY_ITS_LINE = frozenset({"Read", "Grep", "Glob", "LS"})


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of the body: a `table`, or text, as Markdown where it is `prose`. `label` says what it is."""

    label: str
    text: str = ""
    table: Markup | None = None
    prose: bool = False
    left_out: str = ""


@dataclass(frozen=True, kw_only=True)
class StepBody:
    """The body; `whole` leads to all of it, where lines are left out."""

    id: str
    blocks: tuple[Block, ...]
    whole: str | None


def step_body(key: str, event: Event, returned: Event | None = None, *, whole: bool = False) -> StepBody:
    """The body of a call, with what it returned, or of a gate's check. Takes its time: call it in a thread."""
    blocks = tuple(
        _gate(event, whole=whole) if event.kind == EventKind.GATE_CHECKED else _call(key, event, whole=whole)
    )
    if returned is not None:
        blocks += tuple(_returned(event, returned, whole=whole))
    left_out = any(block.left_out for block in blocks)
    href = f"{href_of(key, event.seq)}?whole=1"
    return StepBody(id=out_of(event.seq), blocks=blocks, whole=href if left_out else None)


def _call(key: str, event: Event, *, whole: bool) -> Iterator[Block]:
    name, given = str(event.payload.get("name", "")), input_of(event)
    if name in _EDITS:
        path = shown_path(key, str(given.get("file_path", "")))
        for before, after in edits_of(given):
            yield Block(label=f"Change to {path}", table=diff_tables.unified(edit(path, before, after)))
    elif name in {"Agent", "Task"}:
        yield Block(label="What it was asked", text=str(given.get("prompt", "")), prose=True)
    elif name == "Bash":
        yield _text("Command", str(given.get("command", "")), whole=whole)
    elif given and name not in _SAID_BY_ITS_LINE:
        yield _text("Input", json.dumps(given, indent=2, ensure_ascii=False), whole=whole)


def _returned(event: Event, returned: Event, *, whole: bool) -> Iterator[Block]:
    name, content = str(event.payload.get("name", "")), str(returned.payload.get("content", ""))
    if name in {"Agent", "Task"}:
        yield Block(label="What it reported", text=content, prose=True)
    elif name not in _EDITS or returned.payload.get("failed"):
        yield _text("Output", content, whole=whole)


def _gate(event: Event, *, whole: bool) -> Iterator[Block]:
    yield _text("Command", str(event.payload.get("command") or "no command"), whole=whole)
    yield _text("Output", str(event.payload.get("output") or ""), whole=whole)


def _text(label: str, text: str, *, whole: bool) -> Block:
    lines = text.splitlines()
    if whole or len(lines) <= _MOST_LINES:
        return Block(label=label, text=text or "(nothing)")
    left_out = f"{count(len(lines) - _MOST_LINES, 'earlier line')} left out"
    return Block(label=label, text="\n".join(lines[-_MOST_LINES:]), left_out=left_out)
