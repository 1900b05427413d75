"""Tracing says what a run's turns took, and never hurts a run, whatever is wrong with Langfuse."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

from app.domain.redaction import Redactor
from app.errors import WorkFailed
from app.models import Job, PipelineOptions, Request, RunStatus, Ticket, Tokens, Trigger
from app.results import Outcome, Turn
from app.services.langfuse import Langfuse
from app.services.langfuse.client import LangfuseClient
from app.services.langfuse.mock_client import MockLangfuse
from tests.fakes.langfuse_api import PROJECT, SECRET_KEY, LangfuseApi

LIMIT_S = 0.3
_keys = (f"pk-lf-{number}" for number in count())

OUTCOME = Outcome(status=RunStatus.IDLE, sentence="Nothing to do.")
TURN = Turn(
    text="Done.",
    session_id="session",
    turns=3,
    cost_usd=0.25,
    tokens=Tokens(input=10, output=2, cache_read=5, cache_write=1),
)


def job_of(run_id: str = "run-1", key: str = "PROJ-1") -> Job:
    return Job(
        run_id=run_id,
        ticket=Ticket(key=key, summary="Add dark mode"),
        request=Request(),
        trigger=Trigger.WEBHOOK,
        options=PipelineOptions(),
        session_id=None,
        status=RunStatus.RUNNING,
    )


def client_of(api: LangfuseApi, *, secret_key: str = SECRET_KEY, limit_s: float = 20.0) -> LangfuseClient:
    return LangfuseClient(
        public_key=api.public_key, secret_key=secret_key, base_url=api.url, model="claude", flush_limit_s=limit_s
    )


async def one_run(langfuse: Langfuse, job: Job, *names: str) -> None:
    """What a run does with tracing."""
    for name in names:
        langfuse.begin_turn(job, name, f"prompt of {name}")(TURN)
    await langfuse.end(job, OUTCOME)


@pytest.fixture
def api() -> Iterator[LangfuseApi]:
    """A Langfuse that works."""
    with LangfuseApi(public_key=next(_keys)) as made:
        yield made


# Every kind


@pytest.fixture(params=["mock", "client", "refusing", "hanging", "gone"])
async def langfuse(request: pytest.FixtureRequest, api: LangfuseApi) -> AsyncIterator[Langfuse]:
    """Tracing of each kind, well or not."""
    if request.param == "mock":
        yield MockLangfuse()
        return
    if request.param == "gone":
        api.stop()
    if request.param in {"refusing", "hanging"}:
        api.fault(500 if request.param == "refusing" else "hang_before_headers", times=None)
    yield client_of(api, limit_s=LIMIT_S)
    api.mend()


async def test_no_run_is_failed_or_held_up(langfuse: Langfuse) -> None:
    started = time.monotonic()
    await langfuse.start()
    await one_run(langfuse, job_of(), "implement", "fix review")
    await one_run(langfuse, job_of("run-2"))
    await langfuse.stop()
    assert time.monotonic() - started < 10  # each end, and the stop, has its limit


@pytest.mark.parametrize("langfuse", ["mock", "client"], indirect=True)
async def test_a_turn_that_never_ends_hurts_nobody(langfuse: Langfuse) -> None:
    await langfuse.start()
    langfuse.begin_turn(job_of(), "implement", "prompt")
    await langfuse.end(job_of(), OUTCOME)
    await langfuse.stop()


@pytest.mark.parametrize("langfuse", ["mock", "client"], indirect=True)
async def test_tracing_that_was_never_started_does_nothing(langfuse: Langfuse) -> None:
    await one_run(langfuse, job_of(), "implement")
    await langfuse.stop()


# What Langfuse sees


async def test_each_turn_is_a_generation_with_its_words_tokens_and_cost(api: LangfuseApi) -> None:
    langfuse = client_of(api)
    await langfuse.start()
    await one_run(langfuse, job_of(), "implement")
    generation = api.spans[0]
    shown = generation.attributes
    assert generation.name == "implement"
    assert (shown["type"], shown["model.name"]) == ("generation", "claude")
    assert (shown["input"], shown["output"]) == ("prompt of implement", "Done.")
    assert json.loads(shown["cost_details"]) == {"total": 0.25}
    assert json.loads(shown["usage_details"]) == {
        "input": 10,
        "output": 2,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 1,
    }
    await langfuse.stop()


async def test_no_secret_is_in_a_trace(api: LangfuseApi) -> None:
    redact = Redactor({"GH_TOKEN": "Zk3-9vQ_w8Lr2XyT7b"}).redact
    langfuse = LangfuseClient(
        public_key=api.public_key, secret_key=SECRET_KEY, base_url=api.url, model="claude", redact=redact
    )
    await langfuse.start()
    langfuse.begin_turn(job_of(), "implement", "with Zk3-9vQ_w8Lr2XyT7b")(
        TURN.model_copy(update={"text": "used Zk3-9vQ_w8Lr2XyT7b"})
    )
    await langfuse.end(job_of(), OUTCOME.model_copy(update={"sentence": "Pushed with Zk3-9vQ_w8Lr2XyT7b."}))
    turn, end = (span.attributes for span in api.spans)
    assert (turn["input"], turn["output"]) == ("with [redacted: GH_TOKEN]", "used [redacted: GH_TOKEN]")
    assert json.loads(end["output"])["sentence"] == "Pushed with [redacted: GH_TOKEN]."
    assert "Zk3-9vQ_w8Lr2XyT7b" not in str(api.spans)
    await langfuse.stop()


async def test_the_turns_of_a_run_are_one_trace_of_the_tickets_session(api: LangfuseApi) -> None:
    langfuse = client_of(api)
    await langfuse.start()
    await one_run(langfuse, job_of("run-1"), "implement", "fix lint 1")
    await one_run(langfuse, job_of("run-2"), "implement")
    await one_run(langfuse, job_of("run-3", "PROJ-2"), "implement")
    traces: dict[str, list[str]] = {}
    for span in api.spans:
        traces.setdefault(span.trace_id, []).append(span.name)
    assert list(traces.values()) == [["implement", "fix lint 1", "end"], ["implement", "end"], ["implement", "end"]]
    assert [span.attributes["session.id"] for span in api.spans] == ["PROJ-1"] * 5 + ["PROJ-2"] * 2
    assert {tuple(span.attributes["trace.tags"]) for span in api.spans} == {("webhook",)}
    await langfuse.stop()


async def test_the_end_of_a_run_says_how_it_ended(api: LangfuseApi) -> None:
    langfuse = client_of(api)
    await langfuse.start()
    await one_run(langfuse, job_of())
    (end,) = api.spans
    assert json.loads(end.attributes["output"]) == {"status": "idle", "sentence": "Nothing to do."}
    await langfuse.stop()


async def test_a_run_that_goes_on_after_a_crash_goes_on_in_its_trace(api: LangfuseApi) -> None:
    with LangfuseApi(public_key=next(_keys)) as later:
        for far_side in (api, later):
            langfuse = client_of(far_side)
            await langfuse.start()
            await one_run(langfuse, job_of(), "implement")
            await langfuse.stop()
        assert api.spans[0].trace_id == later.spans[0].trace_id


async def test_stopping_sends_what_is_left(api: LangfuseApi) -> None:
    langfuse = client_of(api)
    await langfuse.start()
    langfuse.begin_turn(job_of(), "implement", "prompt")(TURN)
    await langfuse.stop()
    assert [span.name for span in api.spans] == ["implement"]


async def test_what_was_said_while_langfuse_was_away_for_a_moment_arrives(api: LangfuseApi) -> None:
    langfuse = client_of(api)
    await langfuse.start()
    api.fault(503)
    await one_run(langfuse, job_of(), "implement")
    assert [span.name for span in api.spans] == ["implement", "end"]
    await langfuse.stop()


# Trying the keys


async def test_good_keys_are_named_by_their_project(api: LangfuseApi) -> None:
    assert await client_of(api).check() == f"{api.url} knows the keys of {PROJECT}"


async def test_wrong_keys_are_told_with_what_to_mend(api: LangfuseApi) -> None:
    with pytest.raises(WorkFailed, match=r"refused the keys \(status 401\)\. Check LANGFUSE_PUBLIC_KEY") as refused:
        await client_of(api, secret_key="sk-lf-wrong").check()
    assert "sk-lf-wrong" not in str(refused.value)


async def test_an_address_where_nobody_answers_is_told(api: LangfuseApi) -> None:
    api.stop()
    with pytest.raises(WorkFailed, match=r"cannot be reached .* Check LANGFUSE_BASE_URL"):
        await client_of(api).check()


async def test_without_keys_tracing_is_off() -> None:
    assert await MockLangfuse().check() == "tracing is off"


async def test_the_mock_keeps_what_it_was_told() -> None:
    langfuse = MockLangfuse()
    await one_run(langfuse, job_of(), "implement", "review")
    assert langfuse.turns == [("run-1", "implement"), ("run-1", "review")]
    assert langfuse.ended == [("run-1", OUTCOME)]
