"""From the SDK's messages to events."""

from typing import Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    Message,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from app.models import EventKind, Tokens
from app.services.claude_code.messages import KEEP_CHARS, Narrator, Told, shortened, tokens_of

MODEL = "claude-sonnet-4-6"


def said(*blocks: Any, model: str = MODEL, parent: str | None = None) -> AssistantMessage:
    return AssistantMessage(content=list(blocks), model=model, parent_tool_use_id=parent)


def returned(
    call: str, content: Any = "ok", *, failed: bool | None = None, result: Any = None, parent: str | None = None
) -> UserMessage:
    block = ToolResultBlock(tool_use_id=call, content=content, is_error=failed)
    return UserMessage(content=[block], tool_use_result=result, parent_tool_use_id=parent)


def told(*messages: Message) -> list[Told]:
    narrator = Narrator(role="author")
    return [event for message in messages for event in narrator.events(message)]


def todo(*messages: Message) -> list[list[tuple[str, str]]]:
    """The todo list as it was told each time: subjects and statuses."""
    lists = [payload["items"] for kind, payload in told(*messages) if kind is EventKind.TODO_UPDATED]
    return [[(item["subject"], item["status"]) for item in items] for items in lists]


def created(number: int, subject: str) -> tuple[Message, Message]:
    call = f"create{number}"
    return said(ToolUseBlock(call, "TaskCreate", {"subject": subject})), returned(
        call, result={"task": {"id": str(number), "subject": subject}}
    )


def updated(number: int, *, failed: bool = False, **fields: str) -> tuple[Message, Message]:
    call = f"update{number}{fields}"
    return said(ToolUseBlock(call, "TaskUpdate", {"taskId": str(number), **fields})), returned(call, failed=failed)


def test_text_and_tools_are_told_in_their_order() -> None:
    events = told(
        said(TextBlock("On it."), ToolUseBlock("t1", "Write", {"file_path": "a.txt"})), returned("t1", "written")
    )
    assert events == [
        (EventKind.TEXT, {"text": "On it.", "role": "author"}),
        (EventKind.TOOL_CALLED, {"id": "t1", "name": "Write", "input": {"file_path": "a.txt"}, "role": "author"}),
        (EventKind.TOOL_RETURNED, {"id": "t1", "content": "written", "failed": False, "role": "author"}),
    ]


@pytest.mark.parametrize(
    "message",
    [
        said(TextBlock("  \n")),
        said(ThinkingBlock("hm", "signature")),
        UserMessage(content="a prompt"),
        UserMessage(content=[TextBlock("a reminder")]),
        SystemMessage(subtype="init", data={}),
        ResultMessage("success", 1, 1, False, 1, "s"),
    ],
)
def test_what_says_nothing_is_not_told(message: Message) -> None:
    assert told(message) == []


def test_what_a_sub_agent_does_names_the_call_that_started_it() -> None:
    events = told(said(TextBlock("Looking."), ToolUseBlock("t2", "Read", {}), parent="t1"), returned("t2", parent="t1"))
    assert [payload["parent"] for _, payload in events] == ["t1", "t1", "t1"]


def test_what_the_cli_says_in_the_models_place_is_a_notice() -> None:
    assert told(said(TextBlock("API Error: 529"), model="<synthetic>")) == [
        (EventKind.NOTICE, {"text": "API Error: 529", "role": "author"})
    ]


def test_a_request_that_is_tried_again_is_a_notice() -> None:
    data = {"error_status": 529, "attempt": 2, "max_retries": 10}
    ((kind, payload),) = told(SystemMessage(subtype="api_retry", data=data))
    assert (kind, payload["text"]) == (EventKind.NOTICE, "Claude's API gave 529; trying again (2 of 10).")


def test_a_failed_tool_is_told_as_failed() -> None:
    ((_, payload),) = told(returned("t1", "no such file", failed=True))
    assert payload["failed"] is True


def test_a_result_in_blocks_is_told_as_text() -> None:
    ((_, payload),) = told(returned("t1", [{"type": "text", "text": "a"}, {"type": "image"}]))
    assert payload["content"] == "a\n[image]"


def test_a_result_without_content_is_told_as_empty() -> None:
    ((_, payload),) = told(returned("t1", None))
    assert payload["content"] == ""


@pytest.mark.parametrize("tool", ["AskUserQuestion", "ExitPlanMode"])
def test_questions_to_people_and_their_answers_are_not_told(tool: str) -> None:
    assert told(said(ToolUseBlock("q1", tool, {})), returned("q1", "They chose A.")) == []


def test_the_answer_to_a_question_of_an_earlier_process_is_not_told() -> None:
    narrator = Narrator(role="author")
    narrator.expect_answer("q1")
    assert list(narrator.events(returned("q1", "They chose A."))) == []
    assert list(narrator.events(returned("t1", "written"))) != []


# The todo list


def test_the_todo_list_grows_and_changes_with_its_calls() -> None:
    assert todo(*created(1, "read"), *created(2, "write"), *updated(1, status="completed")) == [
        [("read", "pending")],
        [("read", "pending"), ("write", "pending")],
        [("read", "completed"), ("write", "pending")],
    ]


def test_a_todo_can_be_renamed_and_deleted() -> None:
    lists = todo(
        *created(1, "read"), *created(2, "write"), *updated(2, subject="write it"), *updated(1, status="deleted")
    )
    assert lists[-2:] == [[("read", "pending"), ("write it", "pending")], [("write it", "pending")]]


def test_deleting_what_is_not_there_changes_nothing() -> None:
    assert todo(*updated(9, status="deleted")) == []


def test_a_todo_call_that_failed_changes_nothing() -> None:
    assert todo(*created(1, "read"), *updated(1, status="completed", failed=True)) == [[("read", "pending")]]


def test_a_todo_of_an_earlier_process_is_listed_by_its_number() -> None:
    assert todo(*updated(4, status="in_progress")) == [[("Task 4", "in_progress")]]


def test_a_list_that_was_told_does_not_change_afterwards() -> None:
    narrator = Narrator(role="author")
    lists = [
        payload["items"]
        for message in (*created(1, "read"), *updated(1, status="completed"))
        for kind, payload in narrator.events(message)
        if kind is EventKind.TODO_UPDATED
    ]
    assert [items[0]["status"] for items in lists] == ["pending", "completed"]


# Sizes


@pytest.mark.parametrize("length", [0, 1, KEEP_CHARS])
def test_a_text_that_fits_is_kept(length: int) -> None:
    assert shortened("x" * length) == "x" * length


def test_a_long_text_loses_its_middle_and_says_how_much() -> None:
    text = "a" * KEEP_CHARS + "b" * KEEP_CHARS
    short = shortened(text)
    assert short.startswith("a" * (KEEP_CHARS // 2))
    assert short.endswith("b" * (KEEP_CHARS // 2))
    assert f"{KEEP_CHARS:,} characters left out" in short
    assert len(short) < KEEP_CHARS + 100


def test_long_texts_are_shortened_wherever_they_are() -> None:
    long = "x" * (3 * KEEP_CHARS)
    call = ToolUseBlock("t1", "Write", {"content": long, "lines": 3, "edits": [{"new_string": long}]})
    events = told(said(TextBlock(long), call), returned("t1", long))
    assert all(len(str(payload)) < 3 * KEEP_CHARS for _, payload in events)
    assert events[1][1]["input"]["lines"] == 3


def test_tokens_are_counted_as_the_api_names_them() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": None}
    assert tokens_of(usage) == Tokens(input=1, output=2, cache_read=3, cache_write=0)
    assert tokens_of(None) == Tokens()
