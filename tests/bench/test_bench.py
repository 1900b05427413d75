"""The benches' arithmetic. What they measure is measured by hand: `python -m tests.bench`."""

import json

import pytest

from tests.bench import load, prefix
from tests.bench.measurements import Measurement, milliseconds
from tests.bench.numbers import percentile
from tests.builders import signature
from tests.fakes.scripts import ModelRequest
from tests.flows.service import WEBHOOK_SECRET


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    hundred = [float(number) for number in range(100, 0, -1)]
    assert [percentile(hundred, percent) for percent in (0, 1, 50, 99, 99.5, 100)] == [1, 1, 50, 99, 100, 100]
    assert percentile([7.0], 99) == 7.0


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="of nothing"):
        percentile([], 50)


def test_a_request_that_begins_with_the_whole_one_before_shares_all_of_it() -> None:
    assert prefix.shares([b"abcd", b"abcdef", b"abcdef", b"abcxyz"]) == [1.0, 1.0, 0.5]


def test_what_the_cache_reads_is_tools_then_system_then_messages_without_its_marks() -> None:
    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    plain = {"type": "text", "text": "a"}
    first = _request(messages=[{"role": "user", "content": [marked]}])
    second = _request(messages=[{"role": "user", "content": [plain]}, {"role": "assistant", "content": [marked]}])
    other_tools = _request(tools=[{"name": "Write"}], messages=[{"role": "user", "content": [plain]}])

    assert prefix.share(prefix.cached(first), prefix.cached(second)) == 1.0
    assert prefix.share(prefix.cached(first), prefix.cached(other_tools)) < 0.5


def test_a_measurement_is_a_row_with_its_ratio() -> None:
    row = Measurement("bench", "p50", milliseconds(0.0123), milliseconds(12), 0.5, "≤ 2×")
    assert row.cells == ("bench", "p50", "12 ms", "12.0 s", "0.50×", "≤ 2×")


def test_the_load_sends_signed_tickets_of_their_own() -> None:
    head, _, body = load.request("LOAD-7").partition(b"\r\n\r\n")
    assert json.loads(body)["issue"]["key"] == "LOAD-7"
    assert f"x-hub-signature: {signature(body, WEBHOOK_SECRET)}".encode() in head
    assert f"content-length: {len(body)}".encode() in head


def _request(**body: object) -> ModelRequest:
    whole = {"tools": [{"name": "Read"}], "system": [{"type": "text", "text": "You are …"}], **body}
    return ModelRequest("POST", "/v1/messages", {}, {}, json.dumps(whole).encode())
