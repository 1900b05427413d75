"""Reads the transcript that the CLI keeps of a session: what the session was asked, and whether it answered.

It is the witness after a crash: the CLI writes the prompt down before its first request, and each answer as it comes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from app.models import Model, Question
from app.services.claude_code.copies import Copies
from app.services.claude_code.questions import SET_ASIDE, question_of

_CUT_OFF = "Go on with what you were asked: you were cut off in the middle of it."
_RESTORED = (
    "Go on with what you were asked. The machine that you worked on was lost in the middle of it: the files are as "
    "they were last saved, and may lack your newest changes. Look at them before you go on."
)
# A CLI whose service dies may write down for a call under way that the user refused it and wants it to stop.
_BY_NOBODY = " If a call of yours was refused or interrupted just before this, no person did that: make it again."
GO_ON, GO_ON_RESTORED = _CUT_OFF + _BY_NOBODY, _RESTORED + _BY_NOBODY
_GOING_ON = frozenset({GO_ON, GO_ON_RESTORED, _CUT_OFF, _RESTORED})
"""What a session is asked when its turn was cut off, or was by an earlier version. It counts as the same turn as the
prompt before.
"""

_KINDS = frozenset({"user", "assistant", "attachment", "cost-state"})
"""Entries that tell what happened."""


class Asked(Model):
    """What became of a prompt, or of an answer that people gave.

    `answer` is the final text once the turn ended by itself, `question` what it stopped for; both are None before.
    """

    answer: str | None = None
    question: Question | None = None
    cost_usd: float = 0.0
    """What the session had cost when the CLI last wrote it down."""


class Waiting(Model):
    """The call that a session stopped for, and that has no result yet.

    `planning`: the CLI was in its plan mode, without which it takes no plan. A call that was not `alone` in its message
    is not answered in place: the CLI takes it up again without the results of the others.
    """

    question: Question
    planning: bool
    alone: bool


class History:
    """What happened in a session, as its transcript says it."""

    def __init__(self, entries: Sequence[Mapping[str, Any]] = ()) -> None:
        self._entries = entries

    @cached_property
    def begun(self) -> bool:
        """Whether the session was ever asked anything, so that it can be resumed."""
        return any(entry.get("type") == "user" for entry in self._entries)

    @cached_property
    def waiting(self) -> Waiting | None:
        """What the session waits for people with."""
        waiting: Waiting | None = None
        calls: dict[str, str] = {}
        for entry in self._entries:
            calls |= _calls(entry)
            if (deferred := _deferred(entry)) is not None:
                message = calls.get(deferred["toolUseID"])
                alone = Counter(calls.values())[message] == 1 if message else True
                planning = deferred.get("permissionMode") == "plan"
                waiting = Waiting(question=_question(deferred), planning=planning, alone=alone)
            elif waiting is not None and (_is_prompt(entry) or waiting.question.id in _results(entry)):
                waiting = None
        return waiting

    def asked(self, anchor: str) -> Asked | None:
        """What became of the prompt, or of the answered call, with that id; None when the session never got it."""
        found: Asked | None = None
        cost = 0.0
        for entry in self._entries:
            if entry.get("type") == "cost-state":
                cost = float(entry.get("totalCostUSD") or 0.0)
            elif entry.get("isSidechain"):
                continue
            elif _is_anchor(entry, anchor):
                found = Asked()
            elif found is not None:
                if _begins_another(entry, found):
                    break
                found = _followed(found, entry)
        return found and found.model_copy(update={"cost_usd": cost})


NOTHING = History()
"""The history of a session that does not exist yet."""


class Transcript:
    """The file that the CLI writes for one session."""

    def __init__(self, *, config_directory: Path, session_id: str) -> None:
        self._copies = Copies(config_directory=config_directory, session_id=session_id)

    def read(self) -> History:
        """The session up to now; an empty history when there is no file."""
        return History([entry for entry in self._copies.own() if entry.get("type") in _KINDS])


def _is_anchor(entry: Mapping[str, Any], anchor: str) -> bool:
    return (_is_prompt(entry) and entry.get("uuid") == anchor) or _results(entry).get(anchor, SET_ASIDE) != SET_ASIDE


def _begins_another(entry: Mapping[str, Any], found: Asked) -> bool:
    """Whether this is the next turn: another prompt, or the answer to what this turn stopped for."""
    if _is_prompt(entry):
        return _text(entry) not in _GOING_ON
    return found.question is not None and found.question.id in _results(entry)


def _followed(found: Asked, entry: Mapping[str, Any]) -> Asked:
    if (deferred := _deferred(entry)) is not None:
        return Asked(question=_question(deferred))
    if found.question is not None:
        return found  # what other tools of the same message gave
    if entry.get("type") == "user":
        return Asked()  # a tool's result, or an interruption: not the end
    return Asked(answer=_final_text(entry)) if entry.get("type") == "assistant" else found


def _is_prompt(entry: Mapping[str, Any]) -> bool:
    return entry.get("type") == "user" and entry.get("promptSource") is not None and not entry.get("isMeta")


def _deferred(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    attachment = entry.get("attachment")
    is_one = isinstance(attachment, dict) and attachment.get("type") == "hook_deferred_tool"
    return attachment if is_one else None


def _question(deferred: Mapping[str, Any]) -> Question:
    return question_of(deferred["toolUseID"], deferred["toolName"], deferred["toolInput"])


def _calls(entry: Mapping[str, Any]) -> dict[str, str]:
    """Tool calls of an entry, each with the id of the message that it is part of."""
    message = entry.get("message") or {}
    blocks = (block for block in _blocks(entry, "assistant") if block.get("type") == "tool_use")
    return {block["id"]: str(message.get("id")) for block in blocks}


def _results(entry: Mapping[str, Any]) -> dict[str, str]:
    """Tool results of an entry, as text by the id of their call."""
    blocks = (block for block in _blocks(entry, "user") if block.get("type") == "tool_result")
    return {block["tool_use_id"]: str(block.get("content")) for block in blocks}


def _blocks(entry: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    content = (entry.get("message") or {}).get("content") if entry.get("type") == kind else None
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(entry: Mapping[str, Any]) -> str:
    content = (entry.get("message") or {}).get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(block.get("text", "") for block in blocks if block.get("type") == "text")


def _final_text(entry: Mapping[str, Any]) -> str | None:
    message = entry.get("message") or {}
    ended = message.get("stop_reason") == "end_turn" and message.get("model") != "<synthetic>"
    return _text(entry) if ended else None
