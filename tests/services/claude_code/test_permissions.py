"""Which calls a turn may make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.services.claude_code.base import Permission
from app.services.claude_code.permissions import Call, Places, Ruling, ruling

READ, PLAN, EDIT, ALONE = Permission.READ, Permission.PLAN, Permission.EDIT, Permission.ALONE
EVERY = tuple(Permission)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Two worktrees with links that lead out of them, and files beside them."""
    web, api, state, outside = (tmp_path / name for name in ("web", "api", "state", "outside"))
    for directory in (web / "src", api, state / "plans", outside):
        directory.mkdir(parents=True)
    (outside / "secret.txt").write_text("secret\n")
    (web / "leak").symlink_to(outside)
    (web / "src" / "api").symlink_to(api)
    (web / "config").symlink_to(web / ".git")
    return Places(worktrees=(web, api), state=state)


def ruled(
    places: Places, permission: Permission, tool: str, given: Mapping[str, Any] | None = None, **more: Any
) -> Ruling:
    """The ruling; `{web}`, `{api}`, `{state}` and `{up}` in the input stand for directories."""
    web, api = places.worktrees
    named = {"web": web, "api": api, "state": places.state, "up": web.parent}
    filled = {key: value.format(**named) if isinstance(value, str) else value for key, value in (given or {}).items()}
    return ruling(permission, Call(tool=tool, input=filled, cwd=more.pop("cwd", web), **more), places)


INSIDE = ("a.txt", "src/a.txt", "{web}/a.txt", "{api}/new/a.txt", "src/api/a.txt", "{web}/../api/a.txt")
OUTSIDE = ("{up}/outside/secret.txt", "../outside/a.txt", "leak/secret.txt", " {up}/outside/a.txt", "~/a.txt", "/a")
UNREADABLE = ("a\0b",)


@pytest.mark.parametrize("path", INSIDE)
def test_a_turn_that_edits_writes_in_its_worktrees(places: Places, path: str) -> None:
    for permission in (EDIT, ALONE):
        assert ruled(places, permission, "Write", {"file_path": path}).decision == "allow"
        assert ruled(places, permission, "Edit", {"file_path": path}).decision == "allow"


@pytest.mark.parametrize(
    "path", [*OUTSIDE, *UNREADABLE, "", ".git/config", "{web}/.git/hooks/pre-commit", "config/x", "sub/.GIT/config"]
)
def test_nothing_is_written_outside_of_the_worktrees_or_into_git(places: Places, path: str) -> None:
    for permission in EVERY:
        for tool in ("Write", "Edit"):
            assert ruled(places, permission, tool, {"file_path": path}).decision == "deny"


@pytest.mark.parametrize("path", [*INSIDE, "{state}/plans/deep/a.md", "{state}/a.md", "{state}/plans/a.py"])
def test_a_turn_that_reads_or_plans_writes_nothing(places: Places, path: str) -> None:
    for permission in (READ, PLAN):
        for tool in ("Write", "Edit", "MultiEdit", "NotebookEdit"):
            assert ruled(places, permission, tool, {"file_path": path}).decision == "deny"


def test_only_a_turn_that_plans_writes_the_plan_file(places: Places) -> None:
    given = {"file_path": "{state}/plans/quiet-lemon.md"}
    allowed = [permission for permission in EVERY if ruled(places, permission, "Write", given).decision == "allow"]
    assert allowed == [PLAN]


@pytest.mark.parametrize("path", [*INSIDE, "{state}/projects/x/long-output.txt", "{state}/plans/a.md"])
def test_every_turn_reads_in_its_worktrees_and_what_the_cli_keeps_for_it(places: Places, path: str) -> None:
    for permission in EVERY:
        assert ruled(places, permission, "Read", {"file_path": path}).decision == "allow"
        assert ruled(places, permission, "Grep", {"pattern": "x", "path": path}).decision == "allow"
        assert ruled(places, permission, "Glob", {"pattern": "**/*.py", "path": path}).decision == "allow"


@pytest.mark.parametrize("path", [*OUTSIDE, *UNREADABLE])
def test_no_turn_reads_elsewhere(places: Places, path: str) -> None:
    for permission in EVERY:
        assert ruled(places, permission, "Read", {"file_path": path}).decision == "deny"
        assert ruled(places, permission, "Grep", {"pattern": "x", "path": path}).decision == "deny"
        assert ruled(places, permission, "Glob", {"pattern": "*", "path": path}).decision == "deny"


@pytest.mark.parametrize("pattern", ["{up}/**/*.txt", "../*", "src/../../*", "*/../../../*", "leak/*", "~/*", "/etc/*"])
def test_a_glob_does_not_lead_outside(places: Places, pattern: str) -> None:
    assert ruled(places, EDIT, "Glob", {"pattern": pattern}).decision == "deny"


@pytest.mark.parametrize("pattern", ["**/*.py", "src/*", "{web}/src/*.[tj]s", "*.{{a,b}}"])
def test_a_glob_looks_inside(places: Places, pattern: str) -> None:
    assert ruled(places, READ, "Glob", {"pattern": pattern}).decision == "allow"


def test_relative_paths_begin_where_the_shell_went(places: Places) -> None:
    outside = places.worktrees[0].parent / "outside"
    for tool, given in (("Write", {"file_path": "a"}), ("Grep", {"pattern": "x"}), ("Glob", {"pattern": "*"})):
        assert ruled(places, EDIT, tool, given, cwd=outside).decision == "deny"


def test_commands_are_for_turns_that_edit(places: Places) -> None:
    for permission, decision in ((READ, "deny"), (PLAN, "deny"), (EDIT, "allow"), (ALONE, "allow")):
        assert ruled(places, permission, "Bash", {"command": "git status"}).decision == decision


def test_a_refused_command_says_why_and_what_to_use_instead(places: Places) -> None:
    reason = ruled(places, READ, "Bash", {"command": "cat a.txt"}).reason
    assert "nobody can prove that it changes nothing" in reason
    assert "Read for cat" in reason
    assert "This turn answers, and changes nothing." in reason


def test_tools_that_nobody_thought_of_are_refused(places: Places) -> None:
    for permission in EVERY:
        for tool in ("WebFetch", "mcp__files__write", "EnterPlanMode", "write", ""):
            assert ruled(places, permission, tool).decision == "deny"


@pytest.mark.parametrize("tool", ["Agent", "TaskCreate", "TaskUpdate", "TaskList"])
def test_sub_agents_and_the_todo_list_are_for_every_turn(places: Places, tool: str) -> None:
    assert {ruled(places, permission, tool).decision for permission in EVERY} == {"allow"}


def test_a_sub_agent_gets_no_worktree_of_its_own(places: Places) -> None:
    assert ruled(places, READ, "Agent", {"isolation": "worktree"}).decision == "deny"


def test_people_are_asked_where_there_are_people(places: Places) -> None:
    decisions = [ruled(places, permission, "AskUserQuestion").decision for permission in (READ, PLAN, EDIT, ALONE)]
    assert decisions == ["defer", "defer", "defer", "deny"]
    assert "Nobody is there to answer" in ruled(places, ALONE, "AskUserQuestion").reason


def test_a_plan_is_proposed_where_one_is_wanted_and_written(places: Places) -> None:
    given = {"plan": "# Plan"}
    decisions = [ruled(places, permission, "ExitPlanMode", given).decision for permission in (READ, PLAN, EDIT, ALONE)]
    assert decisions == ["deny", "defer", "deny", "deny"]
    assert "write it to the plan file" in ruled(places, PLAN, "ExitPlanMode", {"plan": " "}).reason


def test_a_sub_agent_neither_asks_people_nor_proposes(places: Places) -> None:
    assert ruled(places, PLAN, "AskUserQuestion", by_sub_agent=True).decision == "deny"
    assert ruled(places, PLAN, "ExitPlanMode", {"plan": "# Plan"}, by_sub_agent=True).decision == "deny"
