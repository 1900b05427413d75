"""What the stand-in's model says: a script is a pure function of the conversation.

So it survives every restart: a resumed session is answered by what its request holds, not by what was asked
before.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tests.fakes.http import Request

Block = Mapping[str, Any]

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_PLAN_FILE = re.compile(r"/[^\s\"]+/plans/[\w-]+\.md")
_CLI_WORDS = ("[Request interrupted", "Continue from where you left off.", "Your response above was cut off")
"""How what the CLI says in a person's place begins."""
_CUT_OFF = re.compile(
    r"stopped while running|\[Tool call interrupted|\[Tool result missing|\[Request interrupted"
    r"|want to take this action right now"
)


@dataclass
class ModelRequest(Request):
    """One request to the Messages API, read as a conversation."""

    @property
    def session_id(self) -> str | None:
        """The Claude Code session that asks."""
        return self.headers.get("x-claude-code-session-id")

    @cached_property
    def json(self) -> dict[str, Any]:
        """The parsed body; empty when it is no JSON object."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def model(self) -> str:
        """The model that is asked."""
        return str(self.json.get("model", ""))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation so far."""
        messages: list[dict[str, Any]] = self.json.get("messages", [])
        return messages

    @cached_property
    def tools(self) -> set[str]:
        """Names of the tools that the model may call."""
        return {str(tool.get("name")) for tool in self.json.get("tools", [])}

    @property
    def plan_file(self) -> str:
        """Where the CLI wants the plan written, as it says in its plan mode."""
        named = [path for text in map(_whole, self.messages) for path in _PLAN_FILE.findall(text)]
        return str(named[-1]) if named else "no-plan-mode.md"

    @cached_property
    def prompts(self) -> list[tuple[int, str]]:
        """What people said: each message's index and its text, without reminders and tool results."""
        said = [(i, _said(message)) for i, message in enumerate(self.messages) if message.get("role") == "user"]
        return [(i, text) for i, text in said if text]

    @property
    def prompt(self) -> str:
        """The last thing that people said."""
        return self.prompts[-1][1] if self.prompts else ""


_PLAN = "the plan file"


@dataclass(frozen=True)
class ToolUse:
    """A tool that the model calls."""

    name: str
    input: Mapping[str, Any]


def write_file(path: str, content: str) -> ToolUse:
    """Write a file; a relative path is the session's own directory's."""
    return ToolUse("Write", {"file_path": path, "content": content})


def read_file(path: str) -> ToolUse:
    """Read a file. The CLI edits no file that it has not read or written before."""
    return ToolUse("Read", {"file_path": path})


def edit_file(path: str, old: str, new: str) -> ToolUse:
    """Replace a piece of a file."""
    return ToolUse("Edit", {"file_path": path, "old_string": old, "new_string": new})


def bash(command: str) -> ToolUse:
    """Run a shell command. The CLI refuses one that begins with `sleep`."""
    return ToolUse("Bash", {"command": command})


def write_plan(text: str) -> ToolUse:
    """Write the plan file, which has its place from the CLI."""
    return write_file(_PLAN, text)


def propose_plan() -> ToolUse:
    """Propose what is in the plan file. The CLI takes no plan outside of its plan mode."""
    return ToolUse("ExitPlanMode", {})


def ask_people(question: str, *choices: str, several: bool = False) -> ToolUse:
    """Ask one question; the CLI wants two to four choices."""
    options = [{"label": choice, "description": f"Take {choice}."} for choice in choices]
    asked = {"question": question, "header": "Choice", "options": options, "multiSelect": several}
    return ToolUse("AskUserQuestion", {"questions": [asked]})


def agent(prompt: str) -> ToolUse:
    """Send a sub-agent; it is asked the prompt, and has the tools of its session."""
    return ToolUse("Agent", {"description": "Help", "prompt": prompt, "subagent_type": "general-purpose"})


@dataclass(frozen=True)
class Reply:
    """One answer of the model. `stop_reason` follows from the tools when it is not given."""

    text: str = ""
    tools: Sequence[ToolUse] = ()
    stop_reason: str = ""

    @property
    def reason(self) -> str:
        """Why the model stopped."""
        return self.stop_reason or ("tool_use" if self.tools else "end_turn")


def verdict(*findings: str) -> Reply:
    """A reviewer's answer."""
    lines = "\n".join(f"- {finding}" for finding in findings) or "none"
    return Reply(f"HAS_ISSUES: {str(bool(findings)).lower()}\nFINDINGS:\n{lines}")


Script = Callable[[ModelRequest], Reply]


def always(reply: Reply) -> Script:
    """A model that says the same to everything."""
    return lambda _: reply


def goes_on(prompt: str) -> bool:
    """Whether a prompt only asks to carry on with a turn that was cut off."""
    return prompt.lower().startswith(("go on", "continue", "carry on"))


def says_files_are_lost(prompt: str) -> bool:
    """Whether a prompt that asks to carry on says that the files may be older than the conversation."""
    return "machine" in prompt and "lost" in prompt


def conversation(
    turns: Mapping[str, Sequence[Reply]],
    *,
    key: Callable[[str], str | None] | None = None,
    continues: Callable[[str], bool] = goes_on,
    otherwise: Reply = Reply("OK"),
) -> Script:
    """A model that knows its replies to each prompt.

    `key` tells the turn's name from the prompt; without it that is the first name that occurs in the prompt,
    in any case. A prompt that only `continues` a turn gets that turn's first reply that was not said and done
    in full: a reply cut off in the middle, or whose tool call was interrupted, is given again. Where it says that
    the files are lost, that is the turn's first. After its last reply a turn repeats the last one's text.
    """
    name_of = key or (lambda prompt: next((name for name in turns if name.lower() in prompt.lower()), None))

    def script(request: ModelRequest) -> Reply:
        real = [(i, text) for i, text in request.prompts if not continues(text)] or request.prompts
        if not real or (name := name_of(real[-1][1])) is None:
            return otherwise
        replies = turns[name]
        began = max(i for i, text in request.prompts if i == real[-1][0] or says_files_are_lost(text))
        step = _done(replies, request.messages[began + 1 :])
        return _addressed(replies[step], request) if step < len(replies) else Reply(replies[-1].text)

    return script


def _addressed(reply: Reply, request: ModelRequest) -> Reply:
    """The reply with the plan file's place in it."""
    calls = [
        replace(tool, input={**tool.input, "file_path": request.plan_file})
        if tool.input.get("file_path") == _PLAN
        else tool
        for tool in reply.tools
    ]
    return replace(reply, tools=calls)


def _done(replies: Sequence[Reply], messages: Sequence[Mapping[str, Any]]) -> int:
    """How many of the replies these messages hold in full, one after the other."""
    cut_off = {
        str(block.get("tool_use_id"))
        for message in messages
        for block in blocks_of(message)
        if block.get("type") == "tool_result" and _CUT_OFF.search(json.dumps(block.get("content")))
    }
    done = 0
    for message in messages:
        if message.get("role") == "assistant" and done < len(replies) and _holds(message, replies[done], cut_off):
            done += 1
    return done


def _holds(message: Mapping[str, Any], reply: Reply, cut_off: set[str]) -> bool:
    calls = [block for block in blocks_of(message) if block.get("type") == "tool_use"]
    text = "".join(str(block.get("text")) for block in blocks_of(message) if block.get("type") == "text")
    return (
        text.strip() == reply.text.strip()
        and [call.get("name") for call in calls] == [tool.name for tool in reply.tools]
        and cut_off.isdisjoint(str(call.get("id")) for call in calls)
    )


def blocks_of(message: Mapping[str, Any]) -> list[Block]:
    """A message's content as blocks; a plain string is one text block."""
    content = message.get("content", [])
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)]


def _said(message: Mapping[str, Any]) -> str:
    parts = (_REMINDER.sub("", text).strip() for text in _texts(message))
    return "\n".join(part for part in parts if part and not part.startswith(_CLI_WORDS))


def _whole(message: Mapping[str, Any]) -> str:
    return "\n".join(_texts(message))


def _texts(message: Mapping[str, Any]) -> list[str]:
    return [str(block.get("text")) for block in blocks_of(message) if block.get("type") == "text"]
