"""The text that the model is writing, told while it grows."""

import time
from collections.abc import Callable

from claude_agent_sdk import StreamEvent

_EVERY_S = 0.04  # what is left untold when the model pauses is what came within this time
_SIGN_EVERY_S = 5.0


class Draft:
    """Follows the text blocks of one turn's main agent, at most 25 tellings a second. The first comes at once."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")
        self._next_sign = float("-inf")
        self._text = ""

    def grown(self, message: StreamEvent) -> str | None:
        """The text block so far, when it is time to tell it."""
        if message.parent_tool_use_id is not None:
            return None
        event = message.event
        if event.get("type") in {"message_start", "content_block_start"}:
            self._text = ""
        delta = event.get("delta") or {}
        if delta.get("type") != "text_delta":
            return None
        self._text += delta.get("text", "")
        if not self._text.strip() or self._clock() < self._next:
            return None
        self._next = self._clock() + _EVERY_S
        return self._text

    def is_alive(self, message: StreamEvent) -> bool:
        """Whether it is time to say that the model writes what is not shown: a thought, a tool's input, a sub-agent's
        text. A large file can take it many minutes.
        """
        if message.event.get("type") != "content_block_delta" or self._clock() < self._next_sign:
            return False
        self._next_sign = self._clock() + _SIGN_EVERY_S
        return True
