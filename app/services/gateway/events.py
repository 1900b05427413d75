"""The events of a streamed answer, out of what frames them on the wire: server-sent events, or Amazon's event stream.

It reads beside the bytes as they pass, and refuses nothing: what it cannot read, the CLI judges.
"""

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from typing import Protocol

from app.http import StreamedReply

_PRELUDE = struct.Struct(">II")
"""Length of the frame, and of its headers. A checksum follows each of prelude and frame."""
_CHECKSUM_BYTES = 4
_BEFORE_HEADERS = _PRELUDE.size + _CHECKSUM_BYTES
_LEAST_FRAME = _BEFORE_HEADERS + _CHECKSUM_BYTES
_LARGEST_FRAME = 24 << 20
"""The format allows no more; a longer one is none."""
_OVERLOADED = (b"throttlingException", b"serviceUnavailableException")
_OVERLOADED_EVENT = b'{"type":"error","error":{"type":"overloaded_error"}}'


class Events(Protocol):
    """Takes a stream apart."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The events, in JSON, that are complete with this piece of the stream."""


class ServerSentEvents:
    """As the Messages API sends them."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """See Events."""
        self._rest += chunk
        if b"\n" not in chunk:
            return
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield bytes(line[5:])


class AmazonEventStream:
    """As Bedrock sends them (application/vnd.amazon.eventstream): in binary frames, each with the event in base64."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._readable = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """See Events. A frame that tells of an overloaded model is an event of the Messages API that says so."""
        if self._readable:
            self._rest += chunk
        while len(self._rest) >= _BEFORE_HEADERS:
            length, headers = _PRELUDE.unpack_from(self._rest)
            if not headers + _LEAST_FRAME <= length <= _LARGEST_FRAME:
                self._readable = False
                self._rest.clear()
            elif len(self._rest) < length:
                return
            else:
                frame = bytes(self._rest[:length])
                del self._rest[:length]
                yield _event(frame, _BEFORE_HEADERS + headers)


def events_of(reply: StreamedReply) -> Events | None:
    """What takes the answer apart; None for one that is no stream of events."""
    kind = next((value for name, value in reply.headers if name.lower() == b"content-type"), b"")
    if kind.startswith(b"text/event-stream"):
        return ServerSentEvents()
    return AmazonEventStream() if kind.startswith(b"application/vnd.amazon.eventstream") else None


def _event(frame: bytes, body_at: int) -> bytes:
    if any(kind in frame[_BEFORE_HEADERS:body_at] for kind in _OVERLOADED):
        return _OVERLOADED_EVENT
    try:
        return base64.b64decode(json.loads(frame[body_at:-_CHECKSUM_BYTES])["bytes"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return b""
