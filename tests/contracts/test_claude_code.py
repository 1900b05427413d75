"""The offline stand-in of Claude Code keeps what the real one keeps: sessions, answers, costs."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.errors import WorkFailed
from app.models import EventKind
from app.services.claude_code.base import Prompt, SessionRef
from app.services.claude_code.mock_client import Answer, MockClaudeCode


class Heard:
    """What a turn told."""

    def __init__(self) -> None:
        self.events: list[tuple[EventKind, Mapping[str, Any]]] = []

    async def __call__(self, kind: EventKind, payload: Mapping[str, Any]) -> None:
        self.events.append((kind, payload))


def writes(_prompt: str, _directory: Path) -> Answer:
    return Answer(text="Written.", files={"src/toggle.txt": "on\n", "old.txt": None})


def prompt_of(text: str) -> Prompt:
    return Prompt(id=str(uuid.uuid5(uuid.NAMESPACE_OID, text)), text=text)


async def test_a_turn_writes_files_and_tells_what_it_does(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old\n")
    claude_code, heard = MockClaudeCode(author=writes), Heard()
    session = SessionRef(id=await claude_code.reserve(), directory=tmp_path)
    turn = await claude_code.run_implementation(session, prompt_of("implement"), heard)
    assert (turn.text, turn.session_id, turn.finished) == ("Written.", session.id, True)
    assert {file.name for file in tmp_path.rglob("*.txt")} == {"toggle.txt"}
    told = [kind for kind, _ in heard.events]
    assert told == [EventKind.TOOL_CALLED, EventKind.TOOL_RETURNED] * 2 + [EventKind.TEXT]


async def test_a_prompt_that_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    claude_code = MockClaudeCode()
    session = SessionRef(id=await claude_code.reserve(), directory=tmp_path)
    first = await claude_code.run_implementation(session, prompt_of("implement"), Heard())
    assert await claude_code.run_implementation(session, prompt_of("implement"), Heard()) == first
    await claude_code.run_implementation(session, prompt_of("fix"), Heard())
    assert claude_code.prompts == ["implement", "fix"]


async def test_a_session_adds_up_its_cost_and_is_remembered_after_its_process(tmp_path: Path) -> None:
    claude_code = MockClaudeCode()
    session = SessionRef(id=await claude_code.reserve(), directory=tmp_path)
    assert not await claude_code.remembers(session.id)
    first = await claude_code.run_implementation(session, prompt_of("implement"), Heard())
    await claude_code.close(session.id)
    assert await claude_code.remembers(session.id)
    second = await claude_code.run_implementation(session, prompt_of("fix"), Heard())
    assert 0 < first.session_cost_usd < second.session_cost_usd


async def test_a_reviewer_answers_in_a_session_of_its_own_and_goes(tmp_path: Path) -> None:
    claude_code = MockClaudeCode()
    author, reviewer = (SessionRef(id=name, directory=tmp_path) for name in ("author", "reviewer"))
    await claude_code.warm(author)
    turn = await claude_code.run_code_review(reviewer, prompt_of("review"), Heard(), beside=author.id)
    assert "HAS_ISSUES: false" in turn.text
    assert claude_code.open_sessions == {"author"}


async def test_a_turn_in_a_directory_that_is_gone_fails(tmp_path: Path) -> None:
    session = SessionRef(id="author", directory=tmp_path / "gone")
    with pytest.raises(WorkFailed, match="There is no directory"):
        await MockClaudeCode().run_implementation(session, prompt_of("implement"), Heard())
