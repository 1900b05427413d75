"""The files that the CLI keeps of a session, as entries, and the other way round."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.services.claude_code.copies import Copies, Entry, is_behind, missing_in

SESSION = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


def said(uuid: str) -> Entry:
    return {"type": "user", "uuid": uuid}


NOTE: Entry = {"type": "cost-state", "totalCostUSD": 1}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "session" / "config"


@pytest.fixture
def copies(config: Path) -> Copies:
    return Copies(config_directory=config, session_id=SESSION)


def put(file: Path, *entries: Any, torn: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write("".join(f"{json.dumps(entry)}\n" for entry in entries) + torn)
    return file


def test_entries_are_told_once_and_a_line_only_when_it_is_whole(copies: Copies, config: Path) -> None:
    file = put(config / "projects/a" / f"{SESSION}.jsonl", said("1"), {"type": "api-request"}, torn='{"type": "us')
    assert copies.news() == {"": [said("1")]}
    put(file, torn='er", "uuid": "2"}\n')
    assert copies.news() == {"": [said("2")]}
    assert copies.news() == {}


def test_each_part_of_a_session_is_told_and_nothing_else(copies: Copies, config: Path) -> None:
    put(config / "projects/a" / SESSION / "subagents/agent-1.jsonl", said("1"))
    (plan := put(config / "plans/a-plan.md")).write_text("# Plan\n")
    put(config / "tasks" / SESSION / "1.json").write_text('{"id": "1"}')
    for strange in [
        config / "projects/a" / f"{OTHER}.jsonl",
        config / "projects/a" / OTHER / "subagents/agent-1.jsonl",
        config / "projects/a" / SESSION / "tool-results/1.jsonl",
        config / "projects/a" / SESSION / "subagents/..hidden.jsonl",
        config / "tasks" / OTHER / "1.json",
        config / "plans/notes.txt",
    ]:
        put(strange, said("strange"))
    news = copies.news()
    assert news == {
        "subagents/agent-1": [said("1")],
        "plans/a-plan.md": [{"type": "file", "text": "# Plan\n"}],
        "tasks/1.json": [{"type": "file", "text": '{"id": "1"}'}],
    }
    plan.write_text("# Better\n")
    assert copies.news() == {"plans/a-plan.md": [{"type": "file", "text": "# Better\n"}]}


def test_files_made_of_entries_hold_them_and_are_no_news(copies: Copies, config: Path) -> None:
    parts: dict[str, list[Entry]] = {
        "": [said("1"), NOTE],
        "subagents/agent-1": [said("2")],
        "plans/a-plan.md": [{"type": "file", "text": "# Old\n"}, {"type": "file", "text": "# New\n"}],
        "tasks/1.json": [{"type": "file", "text": "{}"}],
    }
    put(config / "projects/old" / f"{SESSION}.jsonl", said("old"))
    copies.replace(parts)
    assert copies.news() == {}
    again = Copies(config_directory=config, session_id=SESSION)
    assert again.own() == parts[""]
    assert again.news() == {part: entries[-1:] if "." in part else entries for part, entries in parts.items()}


def test_parts_with_strange_names_are_not_written(copies: Copies, tmp_path: Path) -> None:
    strange = ["../../x", "/etc/x", "subagents/../../../x", "plans/../x.md", "tasks/a/b.json", "subagents/x\n"]
    copies.replace({part: [{"type": "file", "text": "x", "uuid": "1"}] for part in strange})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("place", ["projects", "projects/a", "plans", "tasks"])
def test_a_link_in_a_directorys_place_is_neither_read_nor_written_through(
    place: str, copies: Copies, config: Path, tmp_path: Path
) -> None:
    lent = tmp_path / "lent"
    for name in [f"{SESSION}.jsonl", f"a/{SESSION}.jsonl", "plan.md", f"{SESSION}/1.json"]:
        put(lent / name, said("lent"))
    before = {path: path.read_bytes() for path in lent.rglob("*") if path.is_file()}
    (config / place).parent.mkdir(parents=True)
    (config / place).symlink_to(lent)

    assert (copies.news(), copies.own()) == ({}, [])
    copies.replace({"": [said("1")], "plans/plan.md": [{"text": "x"}], "tasks/1.json": [{"text": "x"}]})
    assert {path: path.read_bytes() for path in lent.rglob("*") if path.is_file()} == before
    assert not (config / place).is_symlink()
    assert copies.own() == [said("1")]


@pytest.mark.parametrize("put_there", [lambda file: file.symlink_to("/dev/zero"), os.mkfifo])
def test_what_is_no_file_is_not_read(put_there: Callable[[Path], None], copies: Copies, config: Path) -> None:
    (config / "plans").mkdir(parents=True)
    put_there(config / "plans" / "plan.md")
    assert copies.news() == {}


BEHIND = {
    "nothing is archived": ([said("1")], [], False),
    "the same": ([said("1")], [said("1")], False),
    "it went on here": ([said("1"), said("2")], [said("1")], False),
    "it went on elsewhere": ([said("1")], [said("1"), said("2"), NOTE], True),
    "it was never here": ([], [said("1")], True),
    "it went on in both": ([said("1"), said("2")], [said("1"), said("3")], True),
    "only what has no id is archived": ([], [NOTE], False),
    "an id that is none": ([{"uuid": {}}], [said("1")], True),
}


@pytest.mark.parametrize(("local", "archived", "expected"), BEHIND.values(), ids=BEHIND)
def test_whether_a_session_went_on_elsewhere(local: Sequence[Entry], archived: Sequence[Entry], expected: bool) -> None:
    assert is_behind({"": local}, {"": archived}) is expected


MISSING = {
    "nothing": ([said("1"), NOTE], [said("1"), NOTE], []),
    "all": ([NOTE, said("1")], [], [NOTE, said("1")]),
    "the end": ([NOTE, said("1"), said("2"), NOTE], [NOTE, said("1")], [said("2"), NOTE]),
    "one in the middle": ([said("1"), NOTE, said("2"), said("3")], [said("1"), NOTE, said("3")], [said("2")]),
    "an id that is none": ([said("1"), {"uuid": {}}], [said("1")], [{"uuid": {}}]),
}


@pytest.mark.parametrize(("local", "archived", "expected"), MISSING.values(), ids=MISSING)
def test_what_the_archive_does_not_hold(
    local: Sequence[Entry], archived: Sequence[Entry], expected: list[Entry]
) -> None:
    assert missing_in({"": archived}, {"": local}) == ({"": expected} if expected else {})
