"""The stand-in of the Messages API, asked by hand and by the real Agent SDK with its bundled CLI."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage

from tests.fakes.messages_api import API_KEY, MessagesApi
from tests.fakes.scripts import ModelRequest, Reply, ToolUse, always, bash, conversation, write_file, write_plan

ANSWERED = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}],
}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


def ask(api: MessagesApi, *, key: str = API_KEY, path: str = "/v1/messages", **changes: Any) -> httpx.Response:
    body = {
        "model": "claude-test",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
        **changes,
    }
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return httpx.post(api.url + path, params={"beta": "true"}, json=body, headers=headers, trust_env=False)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line[:5] == "data:"]


# By hand


def test_a_plain_request_is_answered_with_one_message(api: MessagesApi) -> None:
    answer = ask(api).json()
    assert answer["content"] == [{"type": "text", "text": "OK"}]
    assert (answer["stop_reason"], answer["model"]) == ("end_turn", "claude-test")


def test_a_streamed_request_is_answered_with_the_same_message_in_events(api: MessagesApi) -> None:
    api.script = always(Reply("A text of more than one piece", [ToolUse("Bash", {"command": "ls"})]))
    got = events(ask(api, stream=True))
    assert [event["type"] for event in got][:2] == ["message_start", "ping"]
    assert [event["type"] for event in got][-2:] == ["message_delta", "message_stop"]
    deltas = [event["delta"] for event in got if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "A text of more than one piece"
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"command": "ls"}
    assert got[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_wrong_key_is_refused_and_never_recorded(api: MessagesApi) -> None:
    answer = ask(api, key="sk-ant-mistyped")
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    [request] = api.requests
    assert request.credential == "wrong"
    assert "sk-ant-mistyped" not in str(request)


def test_a_bearer_token_is_as_good_as_a_key(api: MessagesApi) -> None:
    headers = {"authorization": f"Bearer {API_KEY}", "anthropic-version": "2023-06-01"}
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
    assert httpx.post(f"{api.url}/v1/messages", json=body, headers=headers, trust_env=False).status_code == 200
    assert api.requests[0].headers["authorization"] == "Bearer ***"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": None}, "model: Field required"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [ANSWERED, RESULT]}, 'first message must use the "user" role'),
        ({"messages": [{"role": "user", "content": "Hi"}, ANSWERED]}, "without `tool_result` blocks"),
        (
            {"messages": [{"role": "user", "content": "Hi"}, ANSWERED, {"role": "user", "content": "And?"}]},
            "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
        ),
        ({"messages": [RESULT]}, "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
        ({"messages": [{"role": "user", "content": ""}]}, "must have non-empty content"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages.0.role"),
    ],
)
def test_what_the_real_api_refuses_is_refused(api: MessagesApi, changes: dict[str, Any], reason: str) -> None:
    answer = ask(api, **changes)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert reason in answer.json()["error"]["message"]


def test_a_request_without_its_version_is_refused(api: MessagesApi) -> None:
    answer = httpx.post(f"{api.url}/v1/messages", json={}, headers={"x-api-key": API_KEY}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "anthropic-version: header is required",
    )


def test_words_of_the_system_may_stand_between_a_tool_call_and_its_result(api: MessagesApi) -> None:
    system = {"role": "system", "content": "It is late."}
    assert ask(api, messages=[{"role": "user", "content": "Hi"}, ANSWERED, system, RESULT]).status_code == 200


def test_other_paths_are_not_found(api: MessagesApi) -> None:
    assert httpx.get(f"{api.url}/v1/files", trust_env=False).status_code == 404
    assert httpx.head(api.url, trust_env=False).status_code == 404


def test_tokens_are_counted(api: MessagesApi) -> None:
    assert ask(api, path="/v1/messages/count_tokens").json()["input_tokens"] > 10


def test_a_prompt_that_goes_on_from_a_cached_one_is_read_from_the_cache(api: MessagesApi) -> None:
    def marked(text: str, *, cache: bool) -> dict[str, Any]:
        mark = {"cache_control": {"type": "ephemeral"}} if cache else {}
        return {"role": "user", "content": [{"type": "text", "text": text, **mark}]}

    first = ask(api, messages=[marked("x" * 4000, cache=True)]).json()["usage"]
    second = ask(api, messages=[marked("x" * 4000, cache=False), marked("y" * 400, cache=True)]).json()["usage"]
    other_model = ask(api, model="claude-other", messages=[marked("x" * 4000, cache=True)]).json()["usage"]
    assert first["cache_read_input_tokens"] == 0
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"] > 1000
    assert 100 < second["cache_creation_input_tokens"] < 150
    assert other_model["cache_read_input_tokens"] == 0


def test_a_prompt_without_marks_is_not_cached(api: MessagesApi) -> None:
    ask(api)
    usage = ask(api).json()["usage"]
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (0, 0)


# Scripts

TURNS = {"implement": [Reply("First", [bash("ls")]), Reply("Done")], "review": [Reply("Fine")]}


def said(*messages: tuple[str, Any]) -> ModelRequest:
    body = json.dumps({"messages": [{"role": role, "content": content} for role, content in messages]}).encode()
    return ModelRequest("POST", "/v1/messages", {}, {}, body)


def called(text: str, result: str = "ok") -> list[tuple[str, Any]]:
    use = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
    answer = {"type": "tool_result", "tool_use_id": "t1", "content": result}
    return [("assistant", [{"type": "text", "text": text}, use]), ("user", [answer])]


@pytest.mark.parametrize(
    ("messages", "reply"),
    [
        ([("user", "Please implement it")], "First"),
        ([("user", "Please implement it"), *called("First")], "Done"),
        ([("user", "Implement"), *called("First"), ("assistant", "Done"), ("user", "Review it")], "Fine"),
        ([("user", "Implement"), *called("First"), ("user", "Go on, you were cut off")], "Done"),
        ([("user", "Implement"), *called("First", "[Tool call interrupted]"), ("user", "Go on")], "First"),
        ([("user", "Implement"), ("assistant", "First"), ("user", "Go on")], "First"),
        ([("user", "Implement"), *called("First"), ("assistant", "Done"), ("user", "Go on")], "Done"),
        ([("user", "<system-reminder>review</system-reminder>"), ("user", "implement")], "First"),
        ([("user", "Implement"), *called("First"), ("user", "Continue from where you left off.")], "Done"),
        ([("user", "Something else")], "OK"),
    ],
)
def test_a_conversation_is_carried_on_from_what_it_holds(messages: list[tuple[str, Any]], reply: str) -> None:
    assert conversation(TURNS)(said(*messages)).text == reply


def test_a_plan_is_written_where_the_cli_wants_it() -> None:
    reminder = (
        "<system-reminder>Create your plan at /state/plans/quiet-lemon.md using the Write tool.</system-reminder>"
    )
    script = conversation({"plan": [Reply("", [write_plan("# Plan")])]})
    (call,) = script(said(("user", [{"type": "text", "text": reminder}, {"type": "text", "text": "Plan it"}]))).tools
    assert call == write_file("/state/plans/quiet-lemon.md", "# Plan")


# With the real CLI

Session = Callable[..., AbstractAsyncContextManager[ClaudeSDKClient]]


@pytest.fixture
def session(api: MessagesApi, tmp_path: Path) -> Session:
    (tmp_path / "work").mkdir()

    @asynccontextmanager
    async def open_session(*, key: str = API_KEY, **options: Any) -> AsyncIterator[ClaudeSDKClient]:
        env = {
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_API_KEY": key,
            "CLAUDE_CONFIG_DIR": str(tmp_path / "config"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            "NO_PROXY": "127.0.0.1",
        }
        chosen = ClaudeAgentOptions(
            cwd=tmp_path / "work",
            model="claude-opus-5-5",
            setting_sources=[],
            permission_mode="acceptEdits",
            tools=["Read", "Write", "Bash"],
            allowed_tools=["Bash"],
            env=env,
            **options,
        )
        async with ClaudeSDKClient(chosen) as client:
            yield client

    return open_session


async def turn(client: ClaudeSDKClient, prompt: str) -> ResultMessage:
    await client.query(prompt)
    return await ended(client)


async def ended(client: ClaudeSDKClient) -> ResultMessage:
    results = [message async for message in client.receive_response() if isinstance(message, ResultMessage)]
    return results[-1]


def wait_for_transcript(config: Path, text: str) -> None:
    """Block until the CLI has written `text` down: it does so about 0.1 s after the fact."""
    limit = time.monotonic() + 10
    while not any(text in transcript.read_text() for transcript in config.glob("projects/*/*.jsonl")):
        assert time.monotonic() < limit, f"No transcript in {config} holds {text!r}."
        time.sleep(0.01)


async def test_the_cli_works_through_a_script(api: MessagesApi, session: Session, tmp_path: Path) -> None:
    api.script = conversation(
        {
            "implement": [Reply("I write.", [write_file("hello.txt", "hi\n")]), Reply("Written.")],
            "say hello": [Reply("Hello.")],
        }
    )
    async with session() as client:
        first = await turn(client, "Please implement it")
        second = await turn(client, "Now say hello")
    assert (first.result, first.num_turns, first.is_error) == ("Written.", 2, False)
    assert second.result == "Hello."
    assert (tmp_path / "work" / "hello.txt").read_text() == "hi\n"
    assert [request.finished for request in api.requests] == [True, True, True]
    assert {request.session_id for request in api.requests} == {first.session_id}
    assert second.usage is not None
    assert second.usage["cache_read_input_tokens"] > 0


@pytest.mark.parametrize(
    ("kind", "streams"),
    [
        ("empty_200", [True, False]),
        ("malformed_sse", [True, False]),
        ("html_200", [True, False]),
        ("cut_mid_stream", [True, True]),
    ],
)
async def test_the_cli_asks_again_after_a_broken_stream(
    api: MessagesApi, session: Session, kind: str, streams: list[bool]
) -> None:
    api.script = always(Reply("An answer of several pieces."))
    api.fault(kind)
    async with session() as client:
        result = await turn(client, "Hello")
    assert (result.result, result.is_error) == ("An answer of several pieces.", False)
    assert [bool(request.json.get("stream")) for request in api.requests] == streams


@pytest.mark.parametrize(("status", "tries"), [(401, 2), (403, 1), (429, 2), (500, 2), (529, 2)])
async def test_the_cli_sees_an_error_status(api: MessagesApi, session: Session, status: int, tries: int) -> None:
    api.fault(status, times=None, headers={"retry-after": "0"})
    async with session() as client:
        result = await turn(client, "Hello")
    assert (result.is_error, result.api_error_status) == (True, status)
    assert len(api.requests) == tries


async def test_a_hanging_answer_can_be_interrupted_and_gone_on_with(api: MessagesApi, session: Session) -> None:
    api.script = conversation({"implement": [Reply("A long answer that hangs in its middle.")]})
    api.fault("hang_mid_stream")
    async with session(include_partial_messages=True) as client:
        await client.query("Please implement it")
        hanging = await asyncio.to_thread(api.wait_for, lambda request: request.prompt.startswith("Please"))
        async for message in client.receive_messages():
            if getattr(message, "event", {}).get("type") == "content_block_delta":
                break
        await client.interrupt()
        interrupted = await ended(client)
        resumed = await turn(client, "Go on")
    assert (interrupted.subtype, hanging.finished) == ("error_during_execution", False)
    assert resumed.result == "A long answer that hangs in its middle."


async def test_a_killed_session_is_gone_on_with_where_it_was(
    api: MessagesApi, session: Session, tmp_path: Path
) -> None:
    api.script = conversation(
        {
            "implement": [
                Reply("One", [write_file("1", "1")]),
                Reply("Two", [write_file("2", "2")]),
                Reply("End"),
            ]
        }
    )
    gate = api.gate(lambda request: len(request.messages) > 3)
    async with session() as client:
        await client.query("Please implement it")
        held = await asyncio.to_thread(gate.wait)
        await asyncio.to_thread(wait_for_transcript, tmp_path / "config", "File created successfully")
        os.kill((await client.get_server_info() or {})["pid"], signal.SIGKILL)
    gate.open()
    assert held.session_id is not None
    async with session(resume=held.session_id) as client:
        result = await turn(client, "Go on")
    assert result.result == "End"
    assert (tmp_path / "work" / "2").read_text() == "2"
    assert not held.finished
