"""What Jira sends: recorded bodies with the facts changed that a test is about, and how their deliveries are signed."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any, Literal

Json = dict[str, Any]
Shape = Literal[
    "system.issue_created",
    "system.issue_updated",
    "automation.issue_data_jira_format",
    "automation.issue_data_automation_format",
    "automation.custom",
]

_RECORDED = Path(__file__).parent / "data" / "jira"


def jira_body(
    shape: Shape = "system.issue_created",
    *,
    key: str | None = None,
    summary: str | None = None,
    description: str | Json | EllipsisType | None = ...,
    labels: Sequence[str] | None = None,
    timestamp: int | None = None,
    changed: Sequence[str] | None = None,
) -> Json:
    """A body in one of Jira's shapes; what is not given stays as it was recorded.

    `timestamp` is in milliseconds. `changed` names the fields in the change log of a system webhook; without it the log
    says that the fields of its event were changed, to what the issue now says.
    """
    body: Json = json.loads((_RECORDED / f"{shape}.json").read_text())
    issue = issue_of(body)
    given = {"summary": summary, "labels": list(labels) if labels is not None else None}
    issue["fields"] |= {name: value for name, value in given.items() if value is not None}
    if not isinstance(description, EllipsisType):
        issue["fields"]["description"] = description
    if key is not None:
        _rename(issue, key)
    if timestamp is not None:
        body["timestamp"] = timestamp
    if "changelog" in body and body is not issue:
        _log_changes(body["changelog"], issue["fields"], changed)
    return body


def issue_of(body: Json) -> Json:
    """The issue in a body: Automation's own format has it at the top."""
    issue: Json = body.get("issue", body)
    return issue


def jira_headers(
    body: bytes, *, token: str | None = None, secret: str | None = None, identifier: str | None = None, retry: int = 0
) -> dict[str, str]:
    """Headers of a delivery: Automation's fixed token, or a system webhook's signature and identifier."""
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["x-webhook-token"] = token
    if secret is not None:
        headers["x-hub-signature"] = signature(body, secret)
    if identifier is not None:
        headers |= {"x-atlassian-webhook-identifier": identifier, "x-atlassian-webhook-retry": str(retry)}
    return headers


def signature(body: bytes, secret: str) -> str:
    """What Jira puts into X-Hub-Signature for a raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def adf(*paragraphs: str) -> Json:
    """A document of plain paragraphs, as Jira's own REST describes issues."""
    return {"type": "doc", "version": 1, "content": [_node("paragraph", _text(line)) for line in paragraphs]}


def adf_sample() -> Json:
    """A document with the nodes that people use, and one that nobody knows yet."""
    return {
        "type": "doc",
        "version": 1,
        "content": [
            _node("heading", _text("Why"), level=2),
            _node(
                "paragraph",
                _text("People work at "),
                _text("night", "strong"),
                _text(", see "),
                {**_text("the mock"), "marks": [{"type": "link", "attrs": {"href": "https://example.com/mock"}}]},
                _node("hardBreak"),
                _node("mention", id="557058:1", text="@Ada"),
                _text(" asked "),
                _node("emoji", shortName=":moon:", text="🌙"),
            ),
            _node("bulletList", _item("a toggle in Settings"), _item("remembered per person")),
            _node("codeBlock", _text("setTheme('dark')"), language="javascript"),
            _node("taskList", _node("taskItem", _text("ask design"), state="TODO"), localId="1"),
            _node("mediaSingle", _node("media", type="file", id="1", collection="")),
            _node("nodeOfTomorrow", _node("paragraph", _text("still worth reading"))),
        ],
    }


def _rename(issue: Json, key: str) -> None:
    project = key.partition("-")[0]
    issue["key"] = key
    if "id" in issue:  # Automation's own format has numbers here, the others strings
        issue["id"] = type(issue["id"])(int.from_bytes(hashlib.sha256(key.encode()).digest()[:3], "big"))
    if "project" in issue["fields"]:
        issue["fields"]["project"]["key"] = project


def _log_changes(changelog: Json, fields: Json, changed: Sequence[str] | None) -> None:
    if changed is not None:
        plain = {"fieldtype": "jira", "from": None, "fromString": None, "to": None}
        changelog["items"] = [{"field": name, "fieldId": name, **plain} for name in changed]
    for item in changelog["items"]:
        value = fields.get(item["fieldId"])
        if item["fieldId"] in {"summary", "description"}:
            item["toString"] = value if isinstance(value, str) else json.dumps(value) if value else None
        elif item["fieldId"] == "labels":
            item["toString"] = " ".join(value or [])


def _node(kind: str, *content: Json, **attrs: object) -> Json:
    node: Json = {"type": kind}
    return node | ({"attrs": attrs} if attrs else {}) | ({"content": list(content)} if content else {})


def _text(text: str, *marks: str) -> Json:
    return {"type": "text", "text": text} | ({"marks": [{"type": mark} for mark in marks]} if marks else {})


def _item(text: str) -> Json:
    return _node("listItem", _node("paragraph", _text(text)))
