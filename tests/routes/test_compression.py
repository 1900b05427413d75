"""What is large goes over the wire compressed; a live stream never waits for a compressor's buffer."""

from collections.abc import AsyncIterator

import pytest

from tests.routes.service import Service, Stream, serving


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with serving() as served:
        yield served


@pytest.mark.parametrize("path", ["/code-runs", "/static/any/vendor/htmx.min.js"])
async def test_pages_and_scripts_are_compressed_for_who_can_read_it(service: Service, path: str) -> None:
    compressed = await service.get(path, headers={"accept-encoding": "gzip"})
    plain = await service.get(path, headers={"accept-encoding": "identity"})

    assert (compressed.headers["content-encoding"], compressed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert int(compressed.headers["content-length"]) < len(plain.content) / 2
    assert len(compressed.text) == len(plain.text)
    assert "content-encoding" not in plain.headers


async def test_a_stream_is_sent_as_it_is(service: Service) -> None:
    async with Stream(service.app, "/events", {"accept-encoding": "gzip"}) as stream:
        hello, *_ = await stream.until(lambda _: True)

    assert hello["event"] == "hello"
