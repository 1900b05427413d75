"""The Messages API's own shapes: messages, event streams, errors, and what a prompt costs."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.http import Answer
from tests.fakes.scripts import ModelRequest, Reply, blocks_of

Event = dict[str, Any]

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ERROR_MESSAGES = {
    401: "invalid x-api-key",
    403: "Your API key does not have permission to use the specified resource.",
    404: "Not found",
    429: "This request would exceed your account's rate limit. Please try again later.",
    500: "Internal server error",
    529: "Overloaded",
}
_CHUNK = 12  # characters of text in one event
_BYTES_A_TOKEN = 4


def error(status: int, message: str = "") -> Answer:
    """An error as the API gives it."""
    kind = _ERROR_TYPES.get(status, "api_error")
    detail = {"type": kind, "message": message or _ERROR_MESSAGES.get(status, kind)}
    return json_answer({"type": "error", "error": detail, "request_id": "req_fake"}, status)


def json_answer(value: object, status: int = 200, *, first_chunk_s: float = 0.0) -> Answer:
    """Any value as JSON."""
    return Answer(status, {"content-type": "application/json"}, [json.dumps(value).encode()], first_chunk_s)


def message(request: ModelRequest, reply: Reply, usage: Mapping[str, int]) -> dict[str, Any]:
    """A reply as a whole message. Ids follow from the request: asked again, it is answered alike."""
    digest = hashlib.sha256(request.body).hexdigest()[:20]
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    for number, tool in enumerate(reply.tools):
        call = {
            "type": "tool_use",
            "id": f"toolu_{digest}{number:02}",
            "name": tool.name,
            "input": dict(tool.input),
        }
        content.append(call)
    return {
        "id": f"msg_{digest}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": reply.reason,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": tokens_in(content)},
    }


def stream(whole: dict[str, Any], *, first_chunk_s: float = 0.0) -> Answer:
    """The same message as server-sent events, its text in small pieces."""
    chunks = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events(whole)]
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    return Answer(200, headers, chunks, first_chunk_s)


def events(whole: dict[str, Any]) -> Iterator[Event]:
    """A message as the events of its stream."""
    usage = whole["usage"]
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _empty(block: Event) -> Event:
    return {**block, "input": {}} if block["type"] == "tool_use" else {**block, "text": ""}


def _deltas(block: Event) -> Iterator[Event]:
    if block["type"] == "tool_use":
        yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        return
    text = block["text"]
    for start in range(0, len(text), _CHUNK):
        yield {"type": "text_delta", "text": text[start : start + _CHUNK]}


def tokens_in(value: object) -> int:
    """Roughly the tokens of any part of a request or an answer."""
    return -(-len(json.dumps(value, sort_keys=True)) // _BYTES_A_TOKEN)


class PromptCache:
    """The API's prompt cache: what comes before a request's last `cache_control` mark is found again later.

    A prefix is found when model, tools, system and messages are the same up to the end of a block. Nothing is
    kept of a request without a mark, and nothing is ever forgotten.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def usage(self, request: ModelRequest) -> dict[str, int]:
        """The input side of a message's usage, and remember the prefix."""
        digest = hashlib.sha256(request.model.encode())
        total = read = marked = 0
        prefixes: list[str] = []
        with self._lock:
            for block in _prompt_blocks(request.json):
                plain = {name: value for name, value in block.items() if name != "cache_control"}
                digest.update(json.dumps(plain, sort_keys=True).encode())
                total += tokens_in(plain)
                prefixes.append(digest.hexdigest())
                if prefixes[-1] in self._known:
                    read = total
                if "cache_control" in block:
                    marked = total
                    self._known.update(prefixes)
        return {
            "input_tokens": total - max(marked, read),
            "cache_creation_input_tokens": max(0, marked - read),
            "cache_read_input_tokens": read,
        }


def _prompt_blocks(body: Mapping[str, Any]) -> Iterator[Event]:
    yield from body.get("tools", [])
    yield from (dict(block) for block in blocks_of({"content": body.get("system", [])}))
    for said in body.get("messages", []):
        yield from ({"role": said.get("role"), **block} for block in blocks_of(said))
