"""The events of a stream are found wherever the network cuts it."""

import json
from collections.abc import Sequence

import pytest

from app.services.gateway.events import AmazonEventStream, Events, ServerSentEvents
from app.services.gateway.usage import Meter
from tests.fakes.bedrock_api import event_frame, frame

STARTED = {
    "type": "message_start",
    "message": {"model": "claude-sonnet-4-6", "usage": {"input_tokens": 7, "cache_read_input_tokens": 90}},
}
ENDED = {"type": "message_delta", "usage": {"output_tokens": 12}}
STOPPED = {"type": "message_stop"}
THREE = (STARTED, ENDED, STOPPED)
AMAZON = b"".join(event_frame(each) for each in THREE)
SERVER_SENT = b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in THREE)


def found(events: Events, chunks: Sequence[bytes]) -> list[object]:
    return [json.loads(event) for chunk in chunks for event in events.feed(chunk)]


@pytest.mark.parametrize(("make", "stream"), [(AmazonEventStream, AMAZON), (ServerSentEvents, SERVER_SENT)])
@pytest.mark.parametrize("size", [1, 5, 100, 100_000])
def test_events_are_found_in_pieces_of_any_size(make: type[Events], stream: bytes, size: int) -> None:
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert found(make(), chunks) == list(THREE)


def test_a_frame_counts_as_soon_as_it_is_whole() -> None:
    events = AmazonEventStream()
    first = event_frame(STARTED)
    assert found(events, [first + event_frame(STOPPED)[:-1]]) == [STARTED]
    assert found(events, [event_frame(STOPPED)[-1:]]) == [STOPPED]


@pytest.mark.parametrize("kind", ["throttlingException", "serviceUnavailableException"])
def test_a_model_that_is_overloaded_in_mid_stream_is_one(kind: str) -> None:
    meter = Meter(AmazonEventStream())
    meter.feed(event_frame(STARTED) + frame({"message": "busy"}, message_type="exception", exception_type=kind))
    assert (meter.overloaded, meter.tokens.input) == (True, 7)


def test_another_exception_is_none() -> None:
    meter = Meter(AmazonEventStream())
    meter.feed(frame({"message": "no"}, message_type="exception", exception_type="validationException"))
    assert (meter.overloaded, meter.seen) == (False, False)


@pytest.mark.parametrize("length", [0, 15, 0xFFFFFFFF])
def test_what_is_no_event_stream_is_not_kept(length: int) -> None:
    events = AmazonEventStream()
    assert found(events, [length.to_bytes(4) + bytes(8), b"x" * 1_000, AMAZON]) == []
    assert len(events._rest) == 0


@pytest.mark.parametrize("body", [{}, {"bytes": 5}, {"bytes": "no base64"}, {"bytes": "AAA"}])
def test_a_frame_without_an_event_changes_nothing(body: dict[str, object]) -> None:
    meter = Meter(AmazonEventStream())
    meter.feed(frame(body, message_type="event") + AMAZON)
    assert (meter.complete, meter.tokens.output, meter.tokens.cache_read) == (True, 12, 90)
