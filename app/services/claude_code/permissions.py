"""Which tool calls a turn may make: one pure decision, asked at every call whatever the model was told.

It reads paths on disk to follow symbolic links, and changes nothing. It refuses what it does not know.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from app.models import Model
from app.services.claude_code.base import Permission

ASK, PROPOSE = "AskUserQuestion", "ExitPlanMode"
ASKING = frozenset({ASK, PROPOSE})
"""Tools that only people can answer."""

EDITING = frozenset({Permission.EDIT, Permission.ALONE})
"""What lets a turn change files."""
_WILDCARDS = frozenset("*?[{")

_MODES = {
    Permission.READ: (
        "This turn answers, and changes nothing. Use Read, Glob, Grep and Agent to look, AskUserQuestion to ask, and "
        "say in your last message what you would change."
    ),
    Permission.PLAN: (
        "This turn plans, and changes nothing but the plan file. Use Read, Glob, Grep and Agent to look, "
        "AskUserQuestion to ask, and ExitPlanMode to propose the plan."
    ),
    Permission.EDIT: "This turn changes files of its working directories, and nothing else.",
    Permission.ALONE: "This turn changes files of its working directories by itself, and nothing else.",
}


class Places(Model):
    """Where a session works: its worktrees, and the directory where the CLI keeps its plans and long outputs."""

    worktrees: tuple[Path, ...]
    state: Path

    @property
    def plans(self) -> Path:
        """Where the CLI has the session write its plan."""
        return self.state / "plans"


class Call(Model):
    """A tool call. Relative paths in its input begin at `cwd`."""

    tool: str
    input: Mapping[str, Any]
    cwd: Path
    by_sub_agent: bool = False


class Ruling(Model):
    """What becomes of a call. A refusal's `reason` is for the model: why, and what to do instead.

    "defer": the turn ends here, and goes on once people have answered.
    """

    decision: Literal["allow", "deny", "defer"]
    reason: str = ""


_ALLOWED = Ruling(decision="allow")
_DEFERRED = Ruling(decision="defer")


def ruling(permission: Permission, call: Call, places: Places) -> Ruling:
    """Whether the call may be made, is refused, or has to wait for people."""
    rule = _RULES.get(call.tool)
    if rule is None:
        return _refused(permission, f"{call.tool} is not available here.")
    return rule(permission, call, places)


def _free(_permission: Permission, _call: Call, _places: Places) -> Ruling:
    return _ALLOWED


def _agent(permission: Permission, call: Call, _places: Places) -> Ruling:
    # What a sub-agent does comes here by itself, call by call.
    if call.input.get("isolation"):
        return _refused(permission, "Sub-agents work in the directories that are there: leave `isolation` out.")
    return _ALLOWED


def _look(permission: Permission, call: Call, places: Places) -> Ruling:
    found = _resolved(_text(call, "file_path") or _text(call, "path"), call.cwd)
    if found is None or _inside(found, (*places.worktrees, places.state)) is None:
        return _refused(permission, f"{call.tool} stays inside {_listed(places)}; look there.")
    return _ALLOWED


def _glob(permission: Permission, call: Call, places: Places) -> Ruling:
    start = _resolved(_text(call, "path"), call.cwd)
    pattern = Path(_text(call, "pattern"))
    fixed = Path(*_fixed_parts(pattern))
    begin = None if start is None or ".." in pattern.parts else _resolved(str(fixed), start)
    if begin is None or _inside(begin, (*places.worktrees, places.state)) is None:
        return _refused(permission, f"Glob stays inside {_listed(places)}; look there.")
    return _ALLOWED


def _change(permission: Permission, call: Call, places: Places) -> Ruling:
    name = _text(call, "file_path")
    file = _resolved(name, call.cwd) if name else None
    if permission is Permission.PLAN and file is not None and _is_plan(file, places):
        return _ALLOWED
    if permission not in EDITING:
        return _refused(permission, f"{call.tool} is refused.")
    inside = file and _inside(file, places.worktrees)
    if inside is None:
        return _refused(permission, f"{call.tool} outside of {_listed(places)} is refused.")
    if ".git" in (part.lower() for part in inside.parts):
        return _refused(permission, "What git keeps for itself is not yours to change.")
    return _ALLOWED


def _command(permission: Permission, _call: Call, _places: Places) -> Ruling:
    if permission in EDITING:
        return _ALLOWED
    why = "Bash is refused: of a command nobody can prove that it changes nothing. Use Glob for find and ls, Grep for"
    return _refused(permission, f"{why} grep, Read for cat.")


def _ask(permission: Permission, call: Call, _places: Places) -> Ruling:
    if permission is Permission.ALONE:
        why = "Nobody is there to answer: take the choice the ticket's author would most likely want, and name it in"
        return _refused(permission, f"{why} your last message.")
    if call.by_sub_agent:
        return _refused(permission, "Only the main agent asks people: end with your question to it.")
    return _DEFERRED


def _propose(permission: Permission, call: Call, _places: Places) -> Ruling:
    if permission is not Permission.PLAN:
        return _refused(permission, "Only a turn that plans proposes a plan.")
    if call.by_sub_agent:
        return _refused(permission, "Only the main agent proposes a plan: end with your findings.")
    if not _text(call, "plan"):
        return _refused(permission, "There is no plan yet: write it to the plan file, then call ExitPlanMode again.")
    return _DEFERRED


_RULES: Mapping[str, Callable[[Permission, Call, Places], Ruling]] = {
    "Read": _look,
    "Grep": _look,
    "Glob": _glob,
    "Write": _change,
    "Edit": _change,
    "Bash": _command,
    "Agent": _agent,
    "TaskCreate": _free,
    "TaskUpdate": _free,
    "TaskList": _free,
    ASK: _ask,
    PROPOSE: _propose,
}


def _refused(permission: Permission, why: str) -> Ruling:
    return Ruling(decision="deny", reason=f"{why} {_MODES[permission]}")


def _listed(places: Places) -> str:
    return ", ".join(map(str, places.worktrees))


def _text(call: Call, name: str) -> str:
    value = call.input.get(name)
    return value.strip() if isinstance(value, str) else ""


def _fixed_parts(pattern: Path) -> Iterator[str]:
    """The leading parts of a pattern that stand for themselves."""
    for part in pattern.parts:
        if not _WILDCARDS.isdisjoint(part):
            return
        yield part


def _resolved(path: str, start: Path) -> Path | None:
    """The file that is meant, behind all symbolic links; None when that cannot be told."""
    if path.startswith("~"):
        return None
    try:
        return (start / path).resolve()
    except (ValueError, RuntimeError):  # a zero byte, a loop of links
        return None


def _inside(path: Path, directories: tuple[Path, ...]) -> Path | None:
    """The path as it is seen from the first of the directories that holds it."""
    roots = (directory.resolve() for directory in directories)
    return next((path.relative_to(root) for root in roots if path.is_relative_to(root)), None)


def _is_plan(file: Path, places: Places) -> bool:
    return file.suffix == ".md" and file.parent == places.plans.resolve()
