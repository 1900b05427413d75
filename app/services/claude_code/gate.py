"""The gate of one CLI process: every tool call passes it, in every permission mode, sub-agents' calls too."""

from pathlib import Path
from typing import Any

from claude_agent_sdk import (
    HookContext,
    HookInput,
    HookJSONOutput,
    HookMatcher,
    PermissionResult,
    PermissionResultAllow,
    PermissionResultDeny,
    ToolPermissionContext,
)
from claude_agent_sdk.types import HookEvent

from app.services.claude_code.base import Permission, Reply
from app.services.claude_code.permissions import ASKING, Call, Places, Ruling, ruling
from app.services.claude_code.questions import SET_ASIDE, result_of


class Gate:
    """Rules on calls by the permission of the turn that runs, and gives the call that waited its answer.

    `waiting` is the call that the session stopped for before its process began: the CLI takes it up again by itself,
    and gets `reply`, or is told that it was set aside.
    """

    def __init__(self, *, places: Places, waiting: str | None = None, reply: Reply | None = None) -> None:
        self._places = places
        self._permission = Permission.READ
        self._waiting = waiting
        self._reply = reply
        self._asked = False
        self._cwd = places.worktrees[0]

    def begin(self, permission: Permission, places: Places) -> None:
        """A turn begins, and this is what it may do."""
        self._permission, self._places = permission, places
        self._asked = False

    def hooks(self) -> dict[HookEvent, list[HookMatcher]]:
        """The gate as the SDK takes it. A gate that fails holds the call back."""
        return {"PreToolUse": [HookMatcher(hooks=[self._before], on_failure="block")]}

    async def can_use_tool(self, tool: str, given: dict[str, Any], context: ToolPermissionContext) -> PermissionResult:
        """What the CLI asks by itself: about the call that waited, and where it is more careful than the gate."""
        if tool in ASKING:
            return self._answered(given, context.tool_use_id)
        return _as_permission(self._ruling(tool, given, by_sub_agent=bool(context.agent_id)))

    async def _before(self, data: HookInput, call_id: str | None, _context: HookContext) -> HookJSONOutput:
        if data["hook_event_name"] != "PreToolUse" or (call_id is not None and call_id == self._waiting):
            return {}  # whether the CLI asks about a call that waited is a matter of luck; `can_use_tool` answers it
        self._cwd = Path(data["cwd"])
        ruled = self._ruling(data["tool_name"], data["tool_input"], by_sub_agent=bool(data.get("agent_id")))
        return {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": ruled.decision,
                "permissionDecisionReason": ruled.reason,
            }
        }

    def _ruling(self, tool: str, given: dict[str, Any], *, by_sub_agent: bool) -> Ruling:
        call = Call(tool=tool, input=given, cwd=self._cwd, by_sub_agent=by_sub_agent)
        ruled = ruling(self._permission, call, self._places)
        if ruled.decision != "defer":
            return ruled
        if self._asked:  # of two questions in one message the CLI would forget the first
            again = "People are asked something else in this message already. Ask again when they have answered."
            return Ruling(decision="deny", reason=again)
        self._asked = True
        return ruled

    def _answered(self, given: dict[str, Any], call_id: str | None) -> PermissionResult:
        if self._reply is not None and call_id == self._reply.question.id:
            return result_of(self._reply, given)
        return PermissionResultDeny(message=SET_ASIDE, interrupt=True)


def _as_permission(ruled: Ruling) -> PermissionResult:
    if ruled.decision == "allow":
        return PermissionResultAllow()
    return PermissionResultDeny(message=ruled.reason)
