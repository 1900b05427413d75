"""The list of what Claude means to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.web.presenters.fragments import Fragment


@dataclass(frozen=True)
class Item:
    """One thing to do; `state` is done, active or open."""

    words: str
    state: str


@dataclass(frozen=True)
class Todo:
    """The list, and the line that stands for it while it is folded. Hidden without items."""

    items: tuple[Item, ...]
    current: str
    done: int


_STATES = {"completed": "done", "in_progress": "active"}


def todo(items: Sequence[Mapping[str, Any]]) -> Fragment:
    """The docked list of an event's items."""
    known = tuple(
        Item(words=str(item.get("subject", "")), state=_STATES.get(str(item.get("status")), "open")) for item in items
    )
    waiting = [item for item in known if item.state != "done"]
    current = next((item for item in waiting if item.state == "active"), waiting[0] if waiting else None)
    view = Todo(
        items=known,
        current=current.words if current else "All done",
        done=len(known) - len(waiting),
    )
    return Fragment(id="todo", template="parts/todo.html", view=view)
