"""Questions to people: from the tool call that asks to what is shown, and from their answer to the call's result."""

from collections.abc import Mapping
from typing import Any

from claude_agent_sdk import PermissionResultAllow, PermissionResultDeny

from app.models import Asked, Choice, Question
from app.services.claude_code.base import Reply
from app.services.claude_code.messages import shortened
from app.services.claude_code.permissions import PROPOSE

SET_ASIDE = "People did not answer this by itself. What they said instead follows."
"""The result of a question that the session is not answered in place: a prompt comes after it."""


def question_of(call_id: str, tool: str, asked: Mapping[str, Any]) -> Question:
    """What people are asked by a call of AskUserQuestion or ExitPlanMode."""
    if tool == PROPOSE:
        return Question(id=call_id, plan=str(shortened(asked.get("plan", ""))))
    return Question(id=call_id, asked=tuple(_asked(each) for each in shortened(asked.get("questions", []))))


def result_of(reply: Reply, given: Mapping[str, Any]) -> PermissionResultAllow | PermissionResultDeny:
    """What the call returns once people have answered it; `given` is the call's input."""
    answer = reply.answer
    if reply.question.plan is not None:
        return _reviewed(reply, given)
    if not answer.answers:
        wrote = f"They did not choose; they wrote: {answer.text or 'nothing.'}"
        return PermissionResultDeny(message=_with_news(wrote, reply))
    note = _with_news(answer.text, reply)
    notes = {next(iter(answer.answers)): {"notes": note}} if note else {}
    return PermissionResultAllow(updated_input={**given, "answers": answer.answers, "annotations": notes})


def _reviewed(reply: Reply, given: Mapping[str, Any]) -> PermissionResultAllow | PermissionResultDeny:
    answer = reply.answer
    if not answer.approved:
        wanted = f"They want the plan changed. Revise it and propose it again. They wrote: {answer.text or 'nothing.'}"
        return PermissionResultDeny(message=_with_news(wanted, reply))
    added = _with_news(f"Added at the approval: {answer.text}" if answer.text else "", reply)
    if not added:
        return PermissionResultAllow(updated_input=dict(given))
    return PermissionResultAllow(updated_input={**given, "plan": f"{given.get('plan', '')}\n\n{added}"})


def _with_news(words: str, reply: Reply) -> str:
    return "\n\n".join(filter(None, [words, reply.news]))


def _asked(one: Mapping[str, Any]) -> Asked:
    return Asked(
        question=str(one.get("question", "")),
        header=str(one.get("header", "")),
        choices=tuple(
            Choice(label=str(option.get("label", "")), description=str(option.get("description", "")))
            for option in one.get("options", [])
        ),
        several=bool(one.get("multiSelect")),
    )
