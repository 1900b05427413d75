"""What all stand-ins share: recording, faults, gates, and an end that nothing holds up."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.fakes.http import Answer, Credential, Request
from tests.fakes.server import Server

BODY = b"first half, second half"
SHORT_S = 0.2

Get = Callable[[str], "Future[httpx.Response]"]


class Echo(Server[Request]):
    """Answers BODY to everything, and counts what it worked on."""

    REPLACEMENTS: Mapping[str, Answer] = {"teapot": Answer(418, {"content-type": "text/plain"}, [b"short and stout"])}

    def __init__(self, *, socket: Path | None = None) -> None:
        super().__init__(Request, socket=socket)
        self.worked: list[str] = []

    def credential(self, headers: Mapping[str, str]) -> Credential:
        return "right" if "authorization" in headers else "absent"

    def refusal(self, status: int) -> Answer:
        return Answer(status, {}, [b"no"])

    async def answer(self, request: Request) -> Answer:
        if request.path == "/bug":
            raise LookupError("a mistake in a script")
        self.worked.append(request.path)
        return Answer(200, {"content-type": "text/plain"}, [BODY[:10], BODY[10:]])


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as echo:
        yield echo


@pytest.fixture
def get(echo: Echo) -> Iterator[Get]:
    """Ask in the background; an answer that does not come raises httpx.ReadTimeout after SHORT_S."""
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=echo.url, trust_env=False, timeout=SHORT_S) as client:
        yield lambda path: pool.submit(client.get, path)


def test_requests_are_recorded_as_they_came_but_for_credentials(echo: Echo) -> None:
    headers = {"Authorization": "Basic c2VjcmV0", "X-Test": "1"}
    httpx.post(f"{echo.url}/a?b=c", content=b"body", headers=headers, trust_env=False)
    [request] = echo.requests
    assert (request.method, request.path, request.query, request.body) == ("POST", "/a", {"b": "c"}, b"body")
    assert (request.headers["authorization"], request.headers["x-test"]) == ("Basic ***", "1")
    assert request.credential == "right"
    assert echo.wait_for(lambda request: request.finished) is request


def test_a_chunked_body_comes_in_whole(echo: Echo) -> None:
    httpx.post(echo.url, content=iter([b"one ", b"two"]), trust_env=False)
    assert echo.requests[0].body == b"one two"


def test_an_error_is_given_as_often_as_asked_for(echo: Echo, get: Get) -> None:
    echo.fault(503, times=2, headers={"retry-after": "7"})
    answers = [get("/").result() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert echo.worked == ["/"]


def test_a_fault_waits_for_a_request_that_matches(echo: Echo, get: Get) -> None:
    echo.fault("teapot", when=lambda request: request.path == "/tea")
    assert [get(path).result().status_code for path in ("/coffee", "/tea", "/tea")] == [200, 418, 200]


def test_an_unknown_fault_is_refused(echo: Echo) -> None:
    with pytest.raises(ValueError, match="'earthquake' is not one of"):
        echo.fault("earthquake")


@pytest.mark.parametrize(
    ("kind", "worked"), [("cut_before_headers", False), ("cut_after_work", True), ("cut_mid_stream", True)]
)
def test_a_connection_is_cut_before_or_after_the_work(echo: Echo, get: Get, kind: str, worked: bool) -> None:
    echo.fault(kind)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        get("/").result()
    assert bool(echo.worked) is worked
    assert not echo.requests[0].finished


@pytest.mark.parametrize("kind", ["hang_before_headers", "hang_after_headers", "hang_mid_stream"])
def test_silence_lasts_until_it_is_released(echo: Echo, get: Get, kind: str) -> None:
    echo.fault(kind, times=2)
    with pytest.raises(httpx.ReadTimeout):
        get("/").result()
    with httpx.Client(base_url=echo.url, trust_env=False, timeout=10) as patient, ThreadPoolExecutor() as pool:
        answer = pool.submit(patient.get, "/released")
        echo.wait_for(lambda request: request.path == "/released" and request.hanging)
        echo.release()
        assert answer.result().content == BODY


def test_a_mended_server_hangs_no_more(echo: Echo, get: Get) -> None:
    echo.fault("hang_before_headers", times=None)
    echo.mend()
    assert get("/").result().content == BODY


def test_half_of_the_body_comes_before_the_cut(echo: Echo) -> None:
    echo.fault("cut_mid_stream")
    with httpx.stream("GET", echo.url, trust_env=False) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == BODY[:10]
        with pytest.raises(httpx.ReadError):
            next(pieces)


def test_a_gate_holds_a_request_before_its_work(echo: Echo, get: Get) -> None:
    with echo.gate(lambda request: request.path == "/held") as gate:
        answer = get("/held")
        assert gate.wait().path == "/held"
        assert echo.worked == []
        assert get("/other").result().status_code == 200
    assert answer.result().status_code == 200
    assert echo.worked == ["/other", "/held"]


def test_a_gate_can_hold_the_answer_of_work_that_is_done(echo: Echo, get: Get) -> None:
    with echo.gate(after_work=True) as gate:
        answer = get("/held")
        gate.wait()
        assert echo.worked == ["/held"]
        assert not answer.done()
    assert answer.result().status_code == 200


def test_a_held_request_whose_client_hangs_up_is_dropped(echo: Echo, get: Get) -> None:
    with echo.gate() as gate:
        with pytest.raises(httpx.ReadTimeout):
            get("/gone").result()
        gate.wait()
    assert get("/next").result().status_code == 200
    assert echo.worked == ["/next"]


def test_an_opened_gate_stays_open(echo: Echo, get: Get) -> None:
    gate = echo.gate()
    gate.open()
    assert get("/").result().status_code == 200
    assert gate.held == []


def test_waiting_for_a_request_that_does_not_come_is_an_error(echo: Echo) -> None:
    with pytest.raises(TimeoutError, match=r"No matching request came within 0.01 s"):
        echo.wait_for(lambda _: True, timeout_s=0.01)
    with pytest.raises(TimeoutError):
        echo.gate().wait(timeout_s=0.01)


def test_a_stopped_server_refuses_connections_and_comes_back_on_its_port(echo: Echo) -> None:
    url = echo.url
    echo.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
    echo.start()
    assert httpx.get(url, trust_env=False).content == BODY


def test_a_mistake_in_the_stand_in_itself_fails_the_test() -> None:
    echo = Echo()
    echo.start()
    with pytest.raises(httpx.ReadError):
        httpx.get(f"{echo.url}/bug", trust_env=False)
    with pytest.raises(LookupError, match="a mistake in a script"):
        echo.stop()


def test_the_end_waits_for_no_hanging_request(get: Get, echo: Echo) -> None:
    echo.fault("hang_before_headers")
    hanging = get("/")
    echo.wait_for(lambda _: True)
    echo.stop()
    with pytest.raises((httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError)):
        hanging.result()
    assert all(thread.name != "Echo" for thread in threading.enumerate())


def test_it_listens_on_a_unix_socket_even_where_a_stale_one_was_left(tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    path.touch()
    with Echo(socket=path), httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert client.get("http://api.github.com/").content == BODY
