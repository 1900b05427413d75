"""The Messages API on loopback, for the real Agent SDK and its CLI.

It answers streamed and whole, counts tokens and what the prompt cache saves, and refuses what the real one
refuses: wrong credentials, requests without their version, tool calls that were never answered. It knows no
model: what is said is the script's business.
"""

from collections.abc import Mapping
from typing import Any

from tests.fakes import messages_wire as wire
from tests.fakes.http import Answer, Credential
from tests.fakes.scripts import ModelRequest, Reply, Script, always, blocks_of
from tests.fakes.server import Server

API_KEY = "sk-ant-loopback"
_UNASKED = (
    "messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {ids}. Each `tool_result`"
    " block must have a corresponding `tool_use` block in the previous message."
)
_UNANSWERED = (
    "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each"
    " `tool_use` block must have a corresponding `tool_result` block in the next message."
)
_ASKED = {("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens"), ("GET", "/v1/models")}
_OK = always(Reply("OK"))


class RefusedError(ValueError):
    """The request is not one that the API takes."""


class MessagesApi(Server[ModelRequest]):
    """`POST /v1/messages` and `/v1/messages/count_tokens`, answered by a script; `GET /v1/models`.

    `ANTHROPIC_BASE_URL` is its `url`. `script` may be set anew at any time. `first_token_s` is how long the
    model thinks before each answer. Beside the faults of every server it knows those of REPLACEMENTS.
    """

    REPLACEMENTS: Mapping[str, Answer] = {
        "empty_200": Answer(200, {"content-type": "text/event-stream"}),
        "malformed_sse": Answer(
            200,
            {"content-type": "text/event-stream"},
            [b"event: message_start\n", b'data: {"type": "mess\n\n'],
        ),
        "overloaded_mid_stream": Answer(
            200,
            {"content-type": "text/event-stream"},
            [
                b"event: error\n",
                b'data: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n',
            ],
        ),
        "html_200": Answer(200, {"content-type": "text/html"}, [b"<html><body>Please log in.</body></html>"]),
    }

    def __init__(self, script: Script = _OK, *, credential: str = API_KEY, first_token_s: float = 0.0) -> None:
        super().__init__(ModelRequest)
        self.script = script
        self.first_token_s = first_token_s
        self._credential = credential
        self._cache = wire.PromptCache()

    def credential(self, headers: Mapping[str, str]) -> Credential:
        sent = [headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")]
        if not any(sent):
            return "absent"
        return "right" if self._credential in sent else "wrong"

    def refusal(self, status: int) -> Answer:
        return wire.error(status)

    async def answer(self, request: ModelRequest) -> Answer:
        if (request.method, request.path) not in _ASKED:
            return wire.error(404)
        if request.credential != "right":
            return wire.error(401)
        try:
            return self._model_list() if request.method == "GET" else self._reply(request)
        except RefusedError as refused:
            return wire.error(400, str(refused))

    def _model_list(self) -> Answer:
        return wire.json_answer({"data": [{"type": "model", "id": "claude-sonnet-4-6"}], "has_more": False})

    def _reply(self, request: ModelRequest) -> Answer:
        _check(request)
        if request.path.endswith("/count_tokens"):
            return wire.json_answer({"input_tokens": wire.tokens_in(request.json)})
        whole = wire.message(request, self.script(request), self._cache.usage(request))
        if request.json.get("stream"):
            return wire.stream(whole, first_chunk_s=self.first_token_s)
        return wire.json_answer(whole, first_chunk_s=self.first_token_s)


def _check(request: ModelRequest) -> None:
    """Raise RefusedError, in the API's own words, for what the API would not take."""
    if "anthropic-version" not in request.headers:
        raise RefusedError("anthropic-version: header is required")
    body = request.json
    if not body:
        raise RefusedError("The request body is not valid JSON")
    if not isinstance(body.get("model"), str):
        raise RefusedError("model: Field required")
    if not isinstance(body.get("messages"), list):
        raise RefusedError("messages: Field required")
    if request.path == "/v1/messages":
        check_limit(body.get("max_tokens"))
    check_conversation(body["messages"])


def check_limit(max_tokens: object) -> None:
    """Raise RefusedError for a limit that is none."""
    if not isinstance(max_tokens, int):
        raise RefusedError("max_tokens: Field required")
    if max_tokens < 1:
        raise RefusedError("max_tokens: Input should be greater than or equal to 1")


def check_conversation(messages: list[dict[str, Any]]) -> None:
    """Raise RefusedError for a conversation that no model could have had."""
    if not messages:
        raise RefusedError("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(index, message)
    # Words of the system may stand between a call and its result.
    turns = [(index, message) for index, message in enumerate(messages) if message["role"] != "system"]
    if not turns or turns[0][1]["role"] != "user":
        raise RefusedError('messages: first message must use the "user" role')
    asked: set[str] = set()
    for index, message in turns:
        answered = _ids(message, "tool_result", "tool_use_id")
        if unknown := answered - asked:
            raise RefusedError(_UNASKED.format(index=index, ids=", ".join(sorted(unknown))))
        if missing := asked - answered:
            raise RefusedError(_UNANSWERED.format(index=index, ids=", ".join(sorted(missing))))
        asked = _ids(message, "tool_use", "id")
    if asked:
        raise RefusedError(_UNANSWERED.format(index=len(messages), ids=", ".join(sorted(asked))))


def _check_message(index: int, message: object) -> None:
    if not isinstance(message, dict):
        raise RefusedError(f"messages.{index}: Input should be an object")
    if message.get("role") not in {"user", "assistant", "system"}:
        raise RefusedError(f"messages.{index}.role: Input should be 'user' or 'assistant'")
    if not message.get("content"):
        raise RefusedError(f"messages.{index}: all messages must have non-empty content")
    for block in blocks_of(message):
        if block.get("type") == "text" and not str(block.get("text", "")).strip():
            raise RefusedError("messages: text content blocks must contain non-whitespace text")
        if block.get("type") == "tool_use" and not isinstance(block.get("input"), dict):
            raise RefusedError(f"messages.{index}: tool_use.input: Input should be a valid dictionary")


def _ids(message: Mapping[str, Any], kind: str, name: str) -> set[str]:
    return {str(block.get(name)) for block in blocks_of(message) if block.get("type") == kind}
