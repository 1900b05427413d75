"""Asking another service: whole answers in time, and the credential to nobody else."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack

import pytest

from app.errors import TemporarilyFailed, WorkFailed
from app.http import HttpClient
from tests.fakes.http import Answer, Credential, Request
from tests.fakes.server import Server

BIG = 100_000


class Echo(Server[Request]):
    """Says what it was asked; redirects to where it was told."""

    elsewhere = ""

    def __init__(self) -> None:
        super().__init__(Request)

    def credential(self, headers: Mapping[str, str]) -> Credential:
        return "right" if "authorization" in headers else "absent"

    def refusal(self, status: int) -> Answer:
        return Answer(status, {}, [b"refused"])

    async def answer(self, request: Request) -> Answer:
        if request.path.endswith("/moved"):
            return Answer(302, {"location": self.elsewhere}, [b""])
        if request.path.endswith("/big"):
            return Answer(200, {}, [b"x" * 1000] * (BIG // 1000 + 1))
        return Answer(200, {"X-Seen": "Yes"}, [request.body or b"nothing"])


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as made:
        yield made


Open = Callable[..., HttpClient]


@pytest.fixture
async def opened(echo: Echo) -> AsyncIterator[Open]:
    """Makes clients of the echo."""
    async with AsyncExitStack() as stack:

        def make(base: str = "", **facts: object) -> HttpClient:
            client = HttpClient(base_url=echo.url + base, **facts)  # type: ignore[arg-type]
            stack.push_async_callback(client.close)
            return client

        yield make


async def test_a_reply_is_status_headers_and_body(echo: Echo, opened: Open) -> None:
    reply = await opened("/base").ask("POST", "/there", query={"a": "1&b=2", "n": 3}, json={"key": "value"})
    assert (reply.status, reply.headers["x-seen"], reply.body) == (200, "Yes", b'{"key":"value"}')
    (request,) = echo.requests
    assert (request.method, request.path, request.query) == ("POST", "/base/there", {"a": "1&b=2", "n": "3"})
    assert request.headers["accept"] == "application/json"


async def test_a_status_is_its_callers_to_judge(echo: Echo, opened: Open) -> None:
    echo.fault(503)
    assert (await opened().ask("GET", "/")).status == 503


async def test_a_redirect_is_not_followed_with_the_credential(echo: Echo, opened: Open) -> None:
    with Echo() as stranger:
        echo.elsewhere = stranger.url
        assert (await opened(basic=("user", "secret")).ask("GET", "/moved")).status == 302
        assert [request.credential for request in echo.requests] == ["right"]
        assert stranger.requests == []


async def test_an_answer_over_the_limit_is_refused(opened: Open) -> None:
    client = opened(most_bytes=BIG)
    with pytest.raises(WorkFailed, match="larger than 100,000 bytes"):
        await client.ask("GET", "/big")
    assert (await client.ask("GET", "/")).body == b"nothing"


@pytest.mark.parametrize("kind", ["hang_before_headers", "hang_after_headers", "hang_mid_stream"])
async def test_silence_at_any_point_ends_at_the_limit(echo: Echo, opened: Open, kind: str) -> None:
    echo.fault(kind)
    with pytest.raises(TemporarilyFailed, match=r"^127\.0\.0\.1:\d+ did not answer within 0\.1 seconds"):
        await opened(limit_s=0.1).ask("GET", "/")


@pytest.mark.parametrize("kind", ["cut_before_headers", "cut_mid_stream"])
async def test_a_broken_connection_is_a_passing_fault(echo: Echo, opened: Open, kind: str) -> None:
    echo.fault(kind)
    client = opened()
    with pytest.raises(TemporarilyFailed, match="cannot be reached"):
        await client.ask("GET", "/")
    assert (await client.ask("GET", "/")).status == 200


async def test_nobody_there_is_a_passing_fault(echo: Echo, opened: Open) -> None:
    client = opened()
    echo.stop()
    with pytest.raises(TemporarilyFailed, match="cannot be reached"):
        await client.ask("GET", "/")


async def test_a_closed_client_opens_again_when_it_is_asked(opened: Open) -> None:
    client = opened()
    await client.close()
    assert (await client.ask("GET", "/")).status == 200
    await client.close()
    assert (await client.ask("GET", "/")).status == 200
