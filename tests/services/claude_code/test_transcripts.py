"""What became of a prompt, by the transcript that the CLI keeps."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.models import Asked as AskedOfPeople
from app.models import Question
from app.services.claude_code.questions import SET_ASIDE
from app.services.claude_code.transcripts import GO_ON, GO_ON_RESTORED, Asked, Transcript, Waiting

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


def asks(call: str = "q1", *, message: str = "m1", beside: str | None = None) -> list[Entry]:
    """A question to people, in the CLI's three entries where another call stands beside it, else in two."""
    given = {"questions": [{"question": "Which?"}]}
    blocks = [{"type": "tool_use", "id": call, "name": "AskUserQuestion", "input": given}]
    blocks += [{"type": "tool_use", "id": beside, "name": "Read", "input": {}}] if beside else []
    said = [
        {"type": "assistant", "message": {"id": message, "content": [block], "model": "claude"}} for block in blocks
    ]
    attached = {"type": "hook_deferred_tool", "toolUseID": call, "toolName": "AskUserQuestion", "toolInput": given}
    return [*said, {"type": "attachment", "attachment": {**attached, "permissionMode": "plan"}}]


def replied(text: str = "They chose A.", call: str = "q1") -> Entry:
    content = [{"type": "tool_result", "tool_use_id": call, "content": text}]
    return {"type": "user", "uuid": "a", "message": {"content": content}}


def copied(entry: Entry) -> Entry:
    """The CLI's own copy of what it sent to the model."""
    return {**entry, "type": "api-request-blob"}


def resumed() -> Entry:
    """What the CLI says to itself when it takes a question up again."""
    return prompted("c", "Continue from where you left off.", promptSource="system", isMeta=True)


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
QUESTION = Question(id="q1", asked=(AskedOfPeople(question="Which?"),))
STOPPED = Asked(question=QUESTION)

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
    "gone on after its machine was lost": (
        [prompted(), answered("1"), prompted("g", GO_ON_RESTORED), calls(), result(), answered("2")],
        Asked(answer="2"),
    ),
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
    "stopped for people": ([prompted(), calls(), result(), *asks()], STOPPED),
    "stopped for people, with another tool at work": ([prompted(), *asks(beside="t1"), result()], STOPPED),
    "stopped for people, who answered": ([prompted(), *asks(), replied(), resumed(), answered("2")], STOPPED),
    "stopped for people, who wrote something else": (
        [prompted(), *asks(), replied(SET_ASIDE), prompted(OTHER), answered("2")],
        STOPPED,
    ),
    "what it cost": ([prompted(), cost(0.1), answered(), cost(0.2)], Asked(answer="Done.", cost_usd=0.2)),
}


@pytest.mark.parametrize(("entries", "expected"), CASES.values(), ids=CASES)
def test_what_became_of_a_prompt(
    tmp_path: Path, transcript: Transcript, entries: list[Entry], expected: Asked | None
) -> None:
    write(tmp_path, *entries)
    assert transcript.read().asked(PROMPT) == expected


REPLIES: dict[str, tuple[list[Entry], Asked | None]] = {
    "waits": ([prompted(), *asks()], None),
    "set aside": ([prompted(), *asks(), replied(SET_ASIDE)], None),
    "a copy of it": ([prompted(), *asks(), copied(replied())], None),
    "given": ([prompted(), *asks(), replied()], NOT_ENDED),
    "given, and cut off": ([prompted(), *asks(), replied(), resumed(), calls(), result()], NOT_ENDED),
    "given, and gone on": ([prompted(), *asks(), replied(), resumed(), answered()], Asked(answer="Done.")),
    "given, and cut off and gone on": (
        [prompted(), *asks(), replied(), resumed(), calls(), prompted("g", GO_ON), answered()],
        Asked(answer="Done."),
    ),
    "given, and the next one was asked": (
        [prompted(), *asks(), replied(), answered("1"), prompted(OTHER), answered("2")],
        Asked(answer="1"),
    ),
    "given, and stopped again": (
        [prompted(), *asks("q0"), replied(call="q0"), *asks("q1"), replied(), *asks("q2", message="m2")],
        Asked(question=Question(id="q2", asked=(AskedOfPeople(question="Which?"),))),
    ),
}


@pytest.mark.parametrize(("entries", "expected"), REPLIES.values(), ids=REPLIES)
def test_what_became_of_an_answer(
    tmp_path: Path, transcript: Transcript, entries: list[Entry], expected: Asked | None
) -> None:
    write(tmp_path, *entries)
    assert transcript.read().asked("q1") == expected


WAITS: dict[str, tuple[list[Entry], Waiting | None]] = {
    "nobody": ([prompted(), calls(), result()], None),
    "people": ([prompted(), *asks()], Waiting(question=QUESTION, planning=True, alone=True)),
    "people, and asked beside another": (
        [prompted(), *asks(beside="t1"), result()],
        Waiting(question=QUESTION, planning=True, alone=False),
    ),
    "nobody any more: answered": ([prompted(), *asks(), replied()], None),
    "nobody any more: set aside": ([prompted(), *asks(), replied(SET_ASIDE)], None),
    "nobody any more: asked over it": ([prompted(), *asks(), prompted(OTHER)], None),
}


@pytest.mark.parametrize(("entries", "expected"), WAITS.values(), ids=WAITS)
def test_whom_a_session_waits_for(
    tmp_path: Path, transcript: Transcript, entries: list[Entry], expected: Waiting | None
) -> None:
    write(tmp_path, *entries)
    assert transcript.read().waiting == expected


def test_a_session_without_a_transcript_was_never_asked(transcript: Transcript) -> None:
    history = transcript.read()
    assert (history.begun, history.asked(PROMPT), history.waiting) == (False, None, None)


def test_a_last_line_that_is_torn_counts_for_nothing(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, prompted(), torn=json.dumps(answered())[:-20])
    assert transcript.read().asked(PROMPT) == NOT_ENDED


def test_a_line_that_is_no_entry_counts_for_nothing(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, prompted(), answered(), torn="3\n[]\n\n")
    assert transcript.read().asked(PROMPT) == Asked(answer="Done.")


def test_a_session_that_was_opened_and_not_asked_does_not_exist(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, {"type": "queue-operation"}, cost(0.0))
    assert not transcript.read().begun


def test_a_session_that_was_asked_anything_exists(tmp_path: Path, transcript: Transcript) -> None:
    write(tmp_path, prompted(OTHER))
    assert transcript.read().begun


def test_an_answer_in_plain_text_is_read_too(tmp_path: Path, transcript: Transcript) -> None:
    plain = {"type": "assistant", "message": {"content": "Done.", "stop_reason": "end_turn", "model": "claude"}}
    write(tmp_path, prompted(), plain)
    assert transcript.read().asked(PROMPT) == Asked(answer="Done.")


@pytest.mark.parametrize(
    "put", [lambda file: file.symlink_to("/dev/zero"), os.mkfifo, lambda file: file.symlink_to("../lent.jsonl")]
)
def test_what_a_command_put_in_the_transcripts_place_is_not_read(
    put: Callable[[Path], None], transcript: Transcript, tmp_path: Path
) -> None:
    write(tmp_path, prompted())
    (file,) = tmp_path.glob(f"projects/*/{SESSION}.jsonl")
    file.rename(tmp_path / "projects" / "lent.jsonl")
    put(file)
    assert not transcript.read().begun


def test_lines_that_are_no_entries_are_passed_over(transcript: Transcript, tmp_path: Path) -> None:
    write(tmp_path, prompted(text="one\u2028two"), torn="[" * 100_000)
    assert transcript.read().asked(PROMPT) == NOT_ENDED
