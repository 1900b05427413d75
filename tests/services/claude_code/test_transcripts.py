"""What became of a prompt, by the transcript that the CLI keeps."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.services.claude_code.transcripts import GO_ON, Asked, Transcript

SESSION = "11111111-1111-4111-8111-111111111111"
PROMPT = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"

Entry = dict[str, Any]


def prompted(uuid: str = PROMPT, text: str = "Implement it.", **more: Any) -> Entry:
    return {"type": "user", "uuid": uuid, "promptSource": "sdk", "message": {"content": text}, **more}


def answered(text: str = "Done.", *, stop: str | None = "end_turn", model: str = "claude-sonnet-4-6") -> Entry:
    content = [{"type": "text", "text": text}]
    return {"type": "assistant", "message": {"content": content, "stop_reason": stop, "model": model}}


def calls() -> Entry:
    content = [{"type": "tool_use", "id": "t1", "name": "Read", "input": {}}]
    return {"type": "assistant", "message": {"content": content, "stop_reason": "tool_use", "model": "claude"}}


def result() -> Entry:
    content = [{"type": "tool_result", "tool_use_id": "t1", "content": "text"}]
    return {"type": "user", "uuid": "r", "message": {"content": content}}


def interrupted() -> Entry:
    content = [{"type": "text", "text": "[Request interrupted by user]"}]
    return {"type": "user", "uuid": "i", "message": {"content": content}}


def cost(usd: float) -> Entry:
    return {"type": "cost-state", "totalCostUSD": usd}


@pytest.fixture
def transcript(tmp_path: Path) -> Transcript:
    return Transcript(config_directory=tmp_path, session_id=SESSION)


def write(tmp_path: Path, *entries: Entry, torn: str = "") -> None:
    directory = tmp_path / "projects" / "-a-worktree"
    directory.mkdir(parents=True)
    lines = "".join(f"{json.dumps(entry)}\n" for entry in entries)
    (directory / f"{SESSION}.jsonl").write_text(lines + torn)


NOT_ENDED = Asked(answer=None)

CASES: dict[str, tuple[list[Entry], Asked | None]] = {
    "another one was asked": ([prompted(OTHER), answered()], None),
    "just asked": ([prompted()], NOT_ENDED),
    "cut off at a tool": ([prompted(), calls()], NOT_ENDED),
    "cut off after a tool": ([prompted(), calls(), result()], NOT_ENDED),
    "cut off in an answer": ([prompted(), answered("So f", stop=None)], NOT_ENDED),
    "cut at the limit of tokens": ([prompted(), answered("So f", stop="max_tokens")], NOT_ENDED),
    "interrupted": ([prompted(), calls(), interrupted()], NOT_ENDED),
    "interrupted after words": ([prompted(), answered("Done."), interrupted()], NOT_ENDED),
    "failed at the API": ([prompted(), answered("API Error", model="<synthetic>")], NOT_ENDED),
    "answered": ([prompted(), calls(), result(), answered()], Asked(answer="Done.")),
    "gone on": ([prompted(), calls(), prompted("g", GO_ON)], NOT_ENDED),
    "gone on after a failure": (
        [prompted(), answered("API Error", model="<synthetic>"), prompted("g", GO_ON)],
        NOT_ENDED,
    ),
    "gone on and answered": ([prompted(), calls(), prompted("g", GO_ON), answered()], Asked(answer="Done.")),
    "the next one was asked": ([prompted(), answered("1"), prompted(OTHER), answered("2")], Asked(answer="1")),
    "the next one cut off": ([prompted(), answered("1"), prompted(OTHER), calls()], Asked(answer="1")),
    "the next one in place of an answer": ([prompted(), calls(), prompted(OTHER), answered("2")], NOT_ENDED),
    "asked after another": ([prompted(OTHER), answered("1"), prompted(), answered("2")], Asked(answer="2")),
    "a sub-agent answered": ([prompted(), calls(), {**answered("Found."), "isSidechain": True}], NOT_ENDED),
    "a sub-agent was asked": (
        [prompted(), {**prompted("s", "Look."), "isSidechain": True}, answered()],
        Asked(answer="Done."),
    ),
    "a reminder came": ([prompted(), prompted("m", "Mind.", isMeta=True), answered()], Asked(answer="Done.")),
    "what it cost": ([prompted(), cost(0.1), answered(), cost(0.2)], Asked(answer="Done.", cost_usd=0.2)),
}


@pytest.mark.parametrize(("entries", "expected"), CASES.values(), ids=CASES)
def test_what_became_of_a_prompt(
    tmp_path: Path, transcript: Transcript, entries: list[Entry], expected: Asked | None
) -> None:
    write(tmp_path, *entries)
    assert transcript.asked(PROMPT) == expected


def test_a_session_without_a_transcript_was_never_asked(transcript: Transcript) -> None:
    assert (transcript.exists(), transcript.asked(PROMPT)) == (False, None)


def test_a_last_line_that_is_torn_counts_for_nothing(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, prompted(), torn=json.dumps(answered())[:-20])
    assert transcript.asked(PROMPT) == NOT_ENDED


def test_a_line_that_is_no_entry_counts_for_nothing(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, prompted(), answered(), torn="3\n[]\n\n")
    assert transcript.asked(PROMPT) == Asked(answer="Done.")


def test_a_session_that_was_opened_and_not_asked_does_not_exist(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, {"type": "queue-operation"}, cost(0.0))
    assert not transcript.exists()


def test_a_session_that_was_asked_anything_exists(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, prompted(OTHER))
    assert transcript.exists()


def test_an_answer_in_plain_text_is_read_too(tmp_path: Path, transcript: Transcript) -> None:
    plain = {"type": "assistant", "message": {"content": "Done.", "stop_reason": "end_turn", "model": "claude"}}
    write(tmp_path, prompted(), plain)
    assert transcript.asked(PROMPT) == Asked(answer="Done.")
