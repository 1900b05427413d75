"""A stand-in of Langfuse: takes traces by OpenTelemetry's protocol, and knows one project by its keys."""

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.fakes.http import Answer, Credential, Request
from tests.fakes.server import Server

PUBLIC_KEY, SECRET_KEY = "pk-lf-stand-in", "sk-lf-stand-in"
PROJECT = "Widgets"

_TRACES = "/api/public/otel/v1/traces"
_PROJECTS = "/api/public/projects"


@dataclass(frozen=True)
class Span:
    """One span as it arrived. Attribute names are without Langfuse's prefix."""

    name: str
    trace_id: str
    attributes: Mapping[str, Any]


class LangfuseApi(Server[Request]):
    """`public_key` is the project's: the SDK keeps one client a key in a process, so that each test has its own."""

    def __init__(self, *, public_key: str = PUBLIC_KEY) -> None:
        super().__init__(Request)
        self.public_key = public_key
        self._spans: list[Span] = []

    @property
    def spans(self) -> list[Span]:
        """Every span so far, in the order in which they came."""
        return list(self._spans)

    async def answer(self, request: Request) -> Answer:
        if request.credential != "right":
            return self.refusal(401)
        if (request.method, request.path) == ("POST", _TRACES):
            self._spans += _spans_of(request)
            done = trace_service_pb2.ExportTraceServiceResponse().SerializeToString()
            return Answer(headers={"content-type": "application/x-protobuf"}, chunks=[done])
        if (request.method, request.path) == ("GET", _PROJECTS):
            organization = {"id": "organization", "name": "Acme"}
            project = {"id": "project", "name": PROJECT, "organization": organization, "metadata": {}}
            return _json(200, {"data": [project]})
        return self.refusal(404)

    def refusal(self, status: int) -> Answer:
        return _json(status, {"error": "UnauthorizedError", "message": "Invalid credentials"})

    def credential(self, headers: Mapping[str, str]) -> Credential:
        given = headers.get("authorization")
        keys = base64.b64encode(f"{self.public_key}:{SECRET_KEY}".encode()).decode()
        return "absent" if given is None else "right" if given == f"Basic {keys}" else "wrong"


def _json(status: int, body: object) -> Answer:
    return Answer(status, {"content-type": "application/json"}, [json.dumps(body).encode()])


def _spans_of(request: Request) -> list[Span]:
    body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
    message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
    return [
        Span(span.name, span.trace_id.hex(), {_short(each.key): _value(each.value) for each in span.attributes})
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _short(name: str) -> str:
    return name.removeprefix("langfuse.").removeprefix("observation.")


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None
