"""Whether a conversation's requests begin with what the cache has read before; and why one does not.

The cache reads model, tools, system and messages in this order: what comes behind the first difference is paid anew.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.services.gateway.course import Order

_MOST_BYTES = 64 << 20
"""Of requests that are kept to compare the next with."""
_KEPT_S = 300.0
_KEPT_1H_S = 3600.0

_Key = tuple[str, str, int]


@dataclass(frozen=True)
class _Prefix:
    """A request as the cache reads it, without the marks that say how far to cache."""

    model: str
    tools: tuple[Any, ...]
    system: tuple[Any, ...]
    messages: tuple[Any, ...]
    size: int
    kept_s: float
    at: float


class Prefixes:
    """The last request of each conversation; a session has one, and one for each of its sub-agents."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._last: OrderedDict[_Key, _Prefix] = OrderedDict()
        self._bytes = 0

    def learn(self, order: Order, *, at: float, cache_read: int) -> str | None:
        """Hold a request that came at that (monotonic) time and was answered against the one before it.

        The return is the cause for which the cache could not be read, None where it could.
        """
        after = _prefix_of(order, at)
        # A conversation is known by how it begins: the CLI asks other things beside it in the same session.
        first = hash(json.dumps(after.messages[:1], sort_keys=True))
        before = self._keep((order.turn.session_id, order.agent_id, first), after)
        return None if before is None else _cause(before, after, cache_read)

    def _keep(self, key: _Key, prefix: _Prefix) -> _Prefix | None:
        """Compare the next one with this; the oldest are forgotten for it. The return is the one before."""
        before = self._last.pop(key, None)
        self._bytes += prefix.size - (before.size if before is not None else 0)
        self._last[key] = prefix
        while self._bytes > self._most_bytes:
            self._bytes -= self._last.popitem(last=False)[1].size
        return before


def _cause(before: _Prefix, after: _Prefix, cache_read: int) -> str | None:
    for part in ("model", "tools", "system"):
        if getattr(before, part) != getattr(after, part):
            return part
    if after.messages[: len(before.messages)] != before.messages:
        return "messages"
    return "expiry" if cache_read == 0 and after.at - before.at > before.kept_s else None


def _prefix_of(order: Order, at: float) -> _Prefix:
    body = order.body
    messages = tuple((said.get("role"), _blocks(said.get("content"))) for said in _mappings(body.get("messages")))
    return _Prefix(
        model=order.model,
        tools=_blocks(body.get("tools")),
        system=_blocks(body.get("system")),
        messages=messages,
        size=len(order.request.body),
        kept_s=_KEPT_1H_S if _has_hour_mark(body) else _KEPT_S,
        at=at,
    )


def _blocks(content: object) -> tuple[Any, ...]:
    """Blocks without their marks. Plain text is one block: the CLI writes a message so until it marks it."""
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    return tuple(
        {name: value for name, value in each.items() if name != "cache_control"} for each in _mappings(content)
    )


def _has_hour_mark(body: Mapping[str, Any]) -> bool:
    marked = [*_mappings(body.get("tools")), *_mappings(body.get("system"))]
    marked += [block for said in _mappings(body.get("messages")) for block in _mappings(said.get("content"))]
    marks = (block.get("cache_control") for block in marked)
    return any(isinstance(mark, dict) and mark.get("ttl") == "1h" for mark in marks)


def _mappings(value: object) -> Iterable[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
