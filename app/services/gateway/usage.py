"""What an answer says of its tokens, read beside the bytes as they pass."""

import json
import time
from typing import Any

from app.models import Tokens
from app.services.gateway.events import Events

_DELTA_FRAME_BYTES = 90
"""Of a piece of text in the stream, what is not text."""
_BYTES_A_TOKEN = 4
_MOST_JSON_BYTES = 16 << 20


class Meter:
    """Reads one answer: by its events, or as a whole message where it has none. Tokens are those seen so far."""

    def __init__(self, events: Events | None) -> None:
        self._events = events
        self._whole = bytearray()
        self._text_bytes = 0
        self._counts: dict[str, int] = {}
        self.model = ""
        self.first_piece_at: float | None = None
        """Monotonic time of the first piece of the model's answer."""
        self.complete = False
        self.overloaded = False
        """The answer broke off because the API was overloaded."""

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        if self._events is not None:
            for event in self._events.feed(chunk):
                self._event(event)
            return
        self._whole += chunk
        if len(self._whole) > _MOST_JSON_BYTES:
            self._whole.clear()

    def end(self) -> None:
        """The answer came to its end."""
        if self._events is None:
            self.first_piece_at = time.monotonic()
            self._message(_parsed(bytes(self._whole)))
            self.complete = bool(self._counts)

    @property
    def seen(self) -> bool:
        """The API said what the request's input was."""
        return bool(self._counts)

    @property
    def tokens(self) -> Tokens:
        """As far as they are known; output that was cut off before its count is estimated by its length."""
        output = self._counts.get("output_tokens", 0)
        if not self.complete:
            output = max(output, self._text_bytes // _BYTES_A_TOKEN)
        return Tokens(
            input=self._counts.get("input_tokens", 0),
            output=output,
            cache_read=self._counts.get("cache_read_input_tokens", 0),
            cache_write=self._counts.get("cache_creation_input_tokens", 0),
        )

    @property
    def cache_write_1h(self) -> int:
        """Of the tokens that were written to the cache, those that stay for an hour."""
        return self._counts.get("ephemeral_1h_input_tokens", 0)

    def _event(self, data: bytes) -> None:
        if b'"content_block_delta"' in data[:40]:  # nearly all of them: not worth a look inside
            self._text_bytes += max(0, len(data) - _DELTA_FRAME_BYTES)
            self.first_piece_at = self.first_piece_at or time.monotonic()
            return
        event = _parsed(data)
        kind = event.get("type")
        if kind == "message_start":
            self._message(_mapping(event.get("message")))
        elif kind == "message_delta":
            self._count(_mapping(event.get("usage")))
        elif kind == "message_stop":
            self.complete = True
        elif kind == "error":
            self.overloaded = _mapping(event.get("error")).get("type") == "overloaded_error"

    def _message(self, message: dict[str, Any]) -> None:
        self.model = str(message.get("model") or "")
        usage = _mapping(message.get("usage"))
        self._count(usage)
        self._count(_mapping(usage.get("cache_creation")))

    def _count(self, usage: dict[str, Any]) -> None:
        self._counts |= {name: value for name, value in usage.items() if isinstance(value, int)}


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        return _mapping(json.loads(data))
    except ValueError:
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
