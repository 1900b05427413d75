"""Reads the transcript that the CLI keeps of a session: what the session was asked, and whether it answered.

It is the witness after a crash: the CLI writes the prompt down before its first request, and each answer as it comes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.models import Model

GO_ON = "Go on with what you were asked: you were cut off in the middle of it."
"""What a session is asked when its turn was cut off. It counts as the same turn as the prompt before."""


class Asked(Model):
    """What became of a prompt. `answer` is the final text once the turn ended by itself, None before."""

    answer: str | None = None
    cost_usd: float = 0.0
    """What the session had cost when the CLI last wrote it down."""


class Transcript:
    """The transcript of one session, read anew at each question."""

    def __init__(self, *, config_directory: Path, session_id: str) -> None:
        self._pattern = (config_directory / "projects", f"*/{session_id}.jsonl")

    def exists(self) -> bool:
        """Whether the session was ever asked anything, so that it can be resumed."""
        return any(entry.get("type") == "user" for entry in self._entries())

    def asked(self, prompt_id: str) -> Asked | None:
        """What became of the prompt with that id; None when the session was never asked it."""
        found: Asked | None = None
        cost = 0.0
        for entry in self._entries():
            if entry.get("type") == "cost-state":
                cost = float(entry.get("totalCostUSD") or 0.0)
            elif entry.get("isSidechain"):
                continue
            elif entry.get("type") == "user" and _is_prompt(entry):
                if entry.get("uuid") == prompt_id:
                    found = Asked()
                elif found is not None and _text(entry) != GO_ON:
                    break  # the next turn's prompt
                elif found is not None:
                    found = Asked()
            elif found is not None and entry.get("type") == "user":
                found = Asked()  # a tool's result, or an interruption: not the end
            elif found is not None and entry.get("type") == "assistant":
                found = Asked(answer=_final_text(entry))
        return found and found.model_copy(update={"cost_usd": cost})

    def _entries(self) -> Iterator[dict[str, Any]]:
        directory, name = self._pattern
        for file in directory.glob(name):
            for line in file.read_text(errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:
                    continue  # the last line of a process that was killed
                if isinstance(entry, dict):
                    yield entry


def _is_prompt(entry: dict[str, Any]) -> bool:
    return entry.get("promptSource") is not None and not entry.get("isMeta")


def _text(entry: dict[str, Any]) -> str:
    content = (entry.get("message") or {}).get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(block.get("text", "") for block in blocks if block.get("type") == "text")


def _final_text(entry: dict[str, Any]) -> str | None:
    message = entry.get("message") or {}
    ended = message.get("stop_reason") == "end_turn" and message.get("model") != "<synthetic>"
    return _text(entry) if ended else None
