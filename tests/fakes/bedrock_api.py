"""AWS Bedrock's runtime on loopback, for the real CLI: the Messages API's messages in Amazon's own clothes.

The model is named by the path, streams come in binary frames, and errors in AWS's shape. It refuses wrong credentials,
and fields of the Messages API that Bedrock does not know.
"""

import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping
from typing import Any

from tests.fakes import messages_wire as wire
from tests.fakes.http import Answer, Credential
from tests.fakes.messages_api import RefusedError, check_conversation, check_limit
from tests.fakes.scripts import ModelRequest, Reply, Script, always
from tests.fakes.server import Server

BEDROCK_KEY = "bedrock-api-key-loopback"
_INVOKE = re.compile(r"/model/(?P<model>.+)/(?P<way>invoke|invoke-with-response-stream)")
_VERSION = "bedrock-2023-05-31"
_UNKNOWN = ("model", "stream")
_EXCEPTIONS = {
    400: ("ValidationException", "Malformed input request, please reformat your input and try again."),
    403: ("UnrecognizedClientException", "The security token included in the request is invalid."),
    404: ("ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier."),
    429: ("ThrottlingException", "Too many requests, please wait before trying again."),
    500: ("InternalServerException", "The system encountered an unexpected error during processing."),
    503: ("ServiceUnavailableException", "Bedrock is unable to process your request."),
}


class BedrockRequest(ModelRequest):
    """One request to Bedrock, read as a conversation."""

    @property
    def model(self) -> str:
        """The model that the path names."""
        named = _INVOKE.fullmatch(self.path)
        return named["model"] if named else ""


def frame(body: Mapping[str, Any], **headers: str) -> bytes:
    """A frame of Amazon's event stream, with headers of text; `_` in a name is `-`, and `:` comes before it."""
    named = [(f":{name.replace('_', '-')}".encode(), value.encode()) for name, value in headers.items()]
    head = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value for name, value in named
    )
    payload = json.dumps(body).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    checked = prelude + struct.pack(">I", binascii.crc32(prelude)) + head + payload
    return checked + struct.pack(">I", binascii.crc32(checked))


def event_frame(event: Mapping[str, Any]) -> bytes:
    """An event of the Messages API as Bedrock sends it."""
    body = {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcdefgh"}
    return frame(body, event_type="chunk", content_type="application/json", message_type="event")


def _error(status: int, message: str = "") -> Answer:
    kind, said = _EXCEPTIONS.get(status, _EXCEPTIONS[500])
    headers = {"content-type": "application/json", "x-amzn-errortype": kind}
    return Answer(status, headers, [json.dumps({"message": message or said}).encode()])


_STREAM = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-bedrock-content-type": "application/json"}
_OK = always(Reply("OK"))


class BedrockApi(Server[BedrockRequest]):
    """`POST /model/{id}/invoke` and `/invoke-with-response-stream`, answered by a script.

    `ANTHROPIC_BEDROCK_BASE_URL` is its `url`. `script` may be set anew at any time.
    """

    REPLACEMENTS: Mapping[str, Answer] = {
        "throttled_mid_stream": Answer(
            200,
            _STREAM,
            [frame({"message": "Too many"}, exception_type="throttlingException", message_type="exception")],
        )
    }

    def __init__(self, script: Script = _OK, *, credential: str = BEDROCK_KEY) -> None:
        super().__init__(BedrockRequest)
        self.script = script
        self._credential = credential
        self._cache = wire.PromptCache()

    def credential(self, headers: Mapping[str, str]) -> Credential:
        sent = headers.get("authorization")
        if sent is None:
            return "absent"
        return "right" if sent == f"Bearer {self._credential}" else "wrong"

    def refusal(self, status: int) -> Answer:
        return _error(status)

    async def answer(self, request: BedrockRequest) -> Answer:
        asked = _INVOKE.fullmatch(request.path)
        if request.method != "POST" or asked is None:
            return _error(404)
        if request.credential != "right":
            return _error(403)
        try:
            _check(request)
        except RefusedError as refused:
            return _error(400, str(refused))
        whole = wire.message(request, self.script(request), self._cache.usage(request))
        # As Bedrock does: the answer names the model, not its profile in a region.
        whole["model"] = request.model.rpartition("anthropic.")[2]
        if asked["way"] == "invoke":
            return wire.json_answer(whole)
        return Answer(200, _STREAM, [event_frame(event) for event in wire.events(whole)])


def _check(request: BedrockRequest) -> None:
    """Raise RefusedError for what Bedrock would not take."""
    body = request.json
    if body.get("anthropic_version") != _VERSION:
        raise RefusedError("anthropic_version: Field required")
    if unknown := [name for name in _UNKNOWN if name in body]:
        raise RefusedError(f"{unknown[0]}: Extra inputs are not permitted")
    if not isinstance(body.get("messages"), list):
        raise RefusedError("messages: Field required")
    check_limit(body.get("max_tokens"))
    check_conversation(body["messages"])
