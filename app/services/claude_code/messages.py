"""From the SDK's messages to events."""

from collections.abc import Iterator, Mapping
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    SystemMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from app.models import EventKind, Tokens
from app.services.claude_code.permissions import ASKING

KEEP_CHARS = 64_000
"""Longest text of one field of an event; more of a tool's output than this helps nobody who reads it."""

_SYNTHETIC = "<synthetic>"  # the model's name in messages that the CLI writes itself, about failures

Told = tuple[EventKind, dict[str, Any]]


class Narrator:
    """Tells what happens in one session. It remembers the todo list, which the CLI tells in pieces.

    Questions to people are not told: they come with the turn's end.
    """

    def __init__(self, *, role: str) -> None:
        self._role = role
        self._questions: set[str] = set()
        self._todo: dict[str, dict[str, str]] = {}
        self._task_calls: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def expect_answer(self, call_id: str) -> None:
        """A question of an earlier process is about to be answered."""
        self._questions.add(call_id)

    def events(self, message: Message) -> Iterator[Told]:
        """The events that a message is worth; most are worth none."""
        if isinstance(message, AssistantMessage):
            yield from self._said(message)
        elif isinstance(message, UserMessage) and isinstance(message.content, list):
            yield from self._returned(message)
        elif isinstance(message, SystemMessage) and message.subtype == "api_retry":
            yield EventKind.NOTICE, {"text": _retry(message.data)}

    def _said(self, message: AssistantMessage) -> Iterator[Told]:
        who = self._who(message.parent_tool_use_id)
        for block in message.content:
            if isinstance(block, TextBlock) and block.text.strip():
                kind = EventKind.NOTICE if message.model == _SYNTHETIC else EventKind.TEXT
                yield kind, {"text": shortened(block.text), **who}
            elif isinstance(block, ToolUseBlock):
                yield from self._called(block, who)

    def _called(self, block: ToolUseBlock, who: Mapping[str, str]) -> Iterator[Told]:
        if block.name in ASKING:
            self._questions.add(block.id)
            return
        if block.name.startswith("Task"):
            self._task_calls[block.id] = (block.name, block.input)
        yield EventKind.TOOL_CALLED, {"id": block.id, "name": block.name, "input": shortened(block.input), **who}

    def _returned(self, message: UserMessage) -> Iterator[Told]:
        for block in message.content:
            if not isinstance(block, ToolResultBlock) or block.tool_use_id in self._questions:
                continue
            content = shortened(_text_of(block.content))
            failed = bool(block.is_error)
            told = {
                "id": block.tool_use_id,
                "content": content,
                "failed": failed,
                **self._who(message.parent_tool_use_id),
            }
            yield EventKind.TOOL_RETURNED, told
            call = self._task_calls.pop(block.tool_use_id, None)
            if call is not None and not failed and self._update_todo(*call, message.tool_use_result):
                yield EventKind.TODO_UPDATED, {"items": [dict(item) for item in self._todo.values()]}

    def _update_todo(self, name: str, asked: Mapping[str, Any], result: Any) -> bool:
        if name == "TaskCreate":
            task = result.get("task", {}) if isinstance(result, dict) else {}
            key = str(task.get("id") or len(self._todo) + 1)
            self._todo[key] = {"id": key, "subject": str(asked.get("subject", "")), "status": "pending"}
            return True
        if name == "TaskUpdate":
            key, status = str(asked.get("taskId", "")), asked.get("status")
            if status == "deleted":
                return self._todo.pop(key, None) is not None
            item = self._todo.setdefault(key, {"id": key, "subject": f"Task {key}", "status": "pending"})
            item |= {field: str(asked[field]) for field in ("subject", "status") if field in asked}
            return True
        return False

    def _who(self, parent: str | None) -> dict[str, str]:
        return {"role": self._role} if parent is None else {"role": self._role, "parent": parent}


def tokens_of(usage: Mapping[str, Any] | None) -> Tokens:
    """Tokens from a result's usage."""
    counted = usage or {}
    return Tokens(
        input=int(counted.get("input_tokens") or 0),
        output=int(counted.get("output_tokens") or 0),
        cache_read=int(counted.get("cache_read_input_tokens") or 0),
        cache_write=int(counted.get("cache_creation_input_tokens") or 0),
    )


def shortened(value: Any) -> Any:
    """The same JSON value; each long text in it loses its middle."""
    if isinstance(value, Mapping):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if not isinstance(value, str) or len(value) <= KEEP_CHARS:
        return value
    half = KEEP_CHARS // 2
    return f"{value[:half]}\n… {len(value) - KEEP_CHARS:,} characters left out …\n{value[-half:]}"


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(block.get("text", f"[{block.get('type')}]") for block in blocks if isinstance(block, dict))


def _retry(data: Mapping[str, Any]) -> str:
    status = data.get("error_status") or data.get("error") or "no answer"
    return f"Claude's API gave {status}; trying again ({data.get('attempt')} of {data.get('max_retries')})."
