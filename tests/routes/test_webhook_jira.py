"""The door for Jira takes tickets once, and answers everything else with what is wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import RunFilter, RunStatus
from app.services.store.mock_client import MockStore
from tests.builders import Shape, adf_sample, jira_body
from tests.routes.service import SECRET, Service, serving, small_body, taken

SHAPES: tuple[Shape, ...] = (
    "system.issue_created",
    "system.issue_updated",
    "automation.issue_data_jira_format",
    "automation.issue_data_automation_format",
    "automation.custom",
)
MIB = 1 << 20


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service that anybody may send to."""
    async with serving() as made:
        yield made


# What is taken


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_ticket_is_taken_in_every_shape_that_jira_sends(service: Service, shape: Shape) -> None:
    answer = await service.deliver(jira_body(shape, key="PROJ-1"))
    (run_id,) = [run.id for run in (await service.store.runs(RunFilter())).runs]
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "run_id": run_id, "ticket": "PROJ-1", "url": "/code-runs/PROJ-1"}


async def test_what_was_accepted_is_stored_before_the_answer(service: Service) -> None:
    answer = await service.deliver(jira_body(key="PROJ-1", summary="Add dark mode", description=adf_sample()))
    job = await service.store.job(answer.json()["run_id"])
    assert (job.ticket.key, job.ticket.summary, job.status) == ("PROJ-1", "Add dark mode", RunStatus.QUEUED)
    assert job.ticket.description.startswith("## Why")


@pytest.mark.parametrize("description", [None, "", "On every page.", adf_sample()])
async def test_a_ticket_is_taken_whatever_its_description_is(service: Service, description: Any) -> None:
    answer = await service.deliver(small_body(description=description))
    assert answer.json()["status"] == "accepted"


async def test_what_is_not_asked_for_is_ignored(service: Service) -> None:
    body = small_body(labels=7, project=None, nested={"a": [1, {}]})
    body["issue"]["self"] = 7
    answer = await service.deliver({**body, "webhookEvent": [], "changelog": 7, "user": "Ada", "timestamp": "now"})
    assert answer.json()["status"] == "accepted"


# What is a duplicate


async def test_of_200_equal_webhooks_at_once_one_is_accepted(service: Service) -> None:
    body = jira_body(key="PROJ-1")
    answers = await asyncio.gather(*(service.deliver(body) for _ in range(200)))
    statuses = [answer.json()["status"] for answer in answers]
    assert {answer.status_code for answer in answers} == {202}
    assert (statuses.count("accepted"), statuses.count("duplicate")) == (1, 199)
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert await taken(service) == ["PROJ-1"]


async def test_200_different_tickets_at_once_are_all_accepted(service: Service) -> None:
    answers = await asyncio.gather(*(service.deliver(jira_body(key=f"PROJ-{number}")) for number in range(200)))
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(202, "accepted")}
    assert len({answer.json()["run_id"] for answer in answers}) == 200


async def test_a_ticket_in_flight_is_a_duplicate_that_names_its_run(service: Service) -> None:
    first = (await service.deliver(jira_body(key="PROJ-1"))).json()
    second = await service.deliver(jira_body("automation.custom", key="PROJ-1"))
    assert second.status_code == 202
    assert second.json() == {**first, "status": "duplicate", "reason": "PROJ-1 is being worked on already"}


async def test_a_redelivery_is_known_by_jiras_identifier_however_late_it_comes(service: Service) -> None:
    first = await service.deliver(small_body(), x_atlassian_webhook_identifier="one")
    await service.store.move(first.json()["run_id"], RunStatus.IDLE)
    again = await service.deliver(small_body(description="edited"), x_atlassian_webhook_identifier="one")
    assert (again.json()["status"], again.json()["reason"]) == ("duplicate", "this request was taken already")
    other = await service.deliver(small_body(description="edited"), x_atlassian_webhook_identifier="two")
    assert other.json()["status"] == "accepted"


async def test_an_identifier_that_jira_would_not_send_is_named(service: Service) -> None:
    answer = await service.deliver(small_body(), x_atlassian_webhook_identifier="x" * 201)
    assert (answer.status_code, answer.json()["field"]) == (422, "X-Atlassian-Webhook-Identifier")
    empty = [await service.deliver(small_body(key), x_atlassian_webhook_identifier="") for key in ("PROJ-1", "PROJ-2")]
    assert [answer.json()["status"] for answer in empty] == ["accepted", "accepted"]


async def test_an_equal_body_is_a_redelivery_for_a_while(service: Service) -> None:
    first = await service.deliver(small_body())
    await service.store.move(first.json()["run_id"], RunStatus.IDLE)
    assert (await service.deliver(small_body())).json()["reason"] == "this request was taken already"
    assert (await service.deliver(small_body(description="more"))).json()["status"] == "accepted"


async def test_a_ticket_may_be_sent_again_as_it_is_after_its_run_failed(service: Service) -> None:
    first = await service.deliver(small_body())
    await service.store.move(first.json()["run_id"], RunStatus.FAILED, error="No network.")
    assert (await service.deliver(small_body())).json()["status"] == "accepted"


# What is ignored


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({**jira_body(), "webhookEvent": "jira:issue_deleted"}, "jira:issue_deleted starts no run"),
        ({**jira_body(), "webhookEvent": "comment_created"}, "comment_created starts no run"),
        ({"webhookEvent": "comment_created", "comment": {"id": "1"}}, "comment_created starts no run"),
        (
            jira_body("system.issue_updated", changed=["labels"]),
            "the edit changes neither summary nor description",
        ),
        (
            {**jira_body("system.issue_updated"), "changelog": None},
            "the edit changes neither summary nor description",
        ),
    ],
)
async def test_what_asks_for_no_work_is_ignored_with_the_reason(service: Service, body: Any, reason: str) -> None:
    answer = await service.deliver(body)
    assert (answer.status_code, answer.json()) == (202, {"status": "ignored", "reason": reason})
    assert await taken(service) == []


@pytest.mark.parametrize("changed", [["summary"], ["labels", "description"]])
async def test_an_edit_of_the_text_is_work(service: Service, changed: list[str]) -> None:
    answer = await service.deliver(jira_body("system.issue_updated", changed=changed))
    assert answer.json()["status"] == "accepted"


# What cannot be understood


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"{'issue': 1}", b"null", b"7", b'"PROJ-1"', b"[]", b"\xff\xfe{}", b'{"a": "\xff"}',
        b'{"issue": "\\ud800"}', b"[" * 100_000, b'{"issue":' * 100_000, b'{"a":' + b"[" * 100_000 + b"]" * 100_000,
        json.dumps([small_body()]).encode(),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_object_is_refused(service: Service, body: bytes) -> None:
    answer = await service.deliver(body)
    assert (answer.status_code, answer.json()["field"]) == (422, "body")
    assert answer.json()["detail"].startswith("body: ")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "issue"),
        ({"issue": 7}, "issue"),
        (small_body(key=None), "issue.key"),
        (small_body(key={}), "issue.key"),
        (small_body(key="../../etc"), "issue.key"),
        (small_body(key="$(id)"), "issue.key"),
        (small_body(key="P" * 10_000), "issue.key"),
        (small_body(key="proj-1"), "issue.key"),
        (small_body(key="PROJ-1\n"), "issue.key"),
        (small_body(summary=None), "issue.fields.summary"),
        (small_body(summary="a\0"), "issue.fields.summary"),
        (small_body(description="a\0"), "issue.fields.description"),
        (small_body(description=7), "issue.fields.description"),
        (small_body(description={"content": [{"text": "\0", "type": "text"}]}), "issue.fields.description"),
        ({**small_body(), "webhookEvent": "x" * 201}, "webhookEvent"),
        ({"key": "proj-1", "fields": {"summary": "Add"}}, "key"),
    ],
)
async def test_the_field_that_is_wrong_is_named(service: Service, body: Any, field: str) -> None:
    answer = await service.deliver(body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert len(answer.content) < 500  # what was sent is not sent back
    assert await taken(service) == []


async def test_a_body_over_a_mebibyte_is_refused_before_it_is_read(service: Service) -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"{}"

    answer = await service.post("/webhook/jira", content=chunks(), headers={"content-length": str(MIB + 1)})
    said = "The body is larger than 1,048,576 bytes. Send the ticket without attachments."
    assert (answer.status_code, answer.json()) == (413, {"detail": said})
    assert read == 0


async def test_a_body_that_does_not_say_its_size_is_refused_where_it_gets_too_large(service: Service) -> None:
    read = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(40):
            read += 1
            yield b"x" * (MIB // 4)

    answer = await service.post("/webhook/jira", content=much())
    assert (answer.status_code, read) == (413, 5)


async def test_a_body_of_a_mebibyte_is_taken(service: Service) -> None:
    body = json.dumps(small_body(description="")).encode()
    body = body.replace(b'"description": ""', b'"description": "' + b"x" * (MIB - len(body)) + b'"')
    assert len(body) == MIB
    assert (await service.deliver(body)).json()["status"] == "accepted"


@pytest.mark.parametrize("length", ["²", "many", "-1", "9" * 5000])
async def test_a_size_that_is_no_number_says_nothing(service: Service, length: str) -> None:
    headers = [(b"content-length", length.encode("latin-1"))]
    answer = await service.post("/webhook/jira", content=b"[]", headers=headers)
    assert answer.status_code == 422


# Bad days


async def test_a_ticket_that_could_not_be_stored_is_taken_when_it_comes_again() -> None:
    store = MockStore()
    async with serving(store) as service:
        store.away = True
        lost = await service.deliver(jira_body(), x_atlassian_webhook_identifier="one")
        assert (lost.status_code, lost.headers["Retry-After"]) == (503, "5")
        assert "The database did not answer" in lost.json()["detail"]
        store.away = False
        again = await service.deliver(jira_body(), x_atlassian_webhook_identifier="one")
        assert (again.status_code, again.json()["status"]) == (202, "accepted")


async def test_a_sender_that_goes_away_leaves_nothing(service: Service) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"issue":'
        raise httpx.WriteError("gone")

    with pytest.raises(httpx.WriteError):
        await service.post("/webhook/jira", content=broken())
    assert await taken(service) == []


# Anything

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)
KEYS = st.one_of(VALUES, st.from_regex(r"[A-Z]{2,4}-[0-9]{1,3}", fullmatch=True), st.text(max_size=80))
FIELDS = st.one_of(VALUES, st.fixed_dictionaries({}, optional={"summary": VALUES, "description": VALUES}))
ISSUES = st.one_of(VALUES, st.fixed_dictionaries({}, optional={"key": KEYS, "fields": FIELDS, "self": VALUES}))
EVENTS = st.one_of(VALUES, st.sampled_from(["jira:issue_created", "jira:issue_updated", "jira:issue_deleted"]))
ITEMS = st.fixed_dictionaries(
    {}, optional={"items": st.one_of(VALUES, st.lists(st.fixed_dictionaries({"field": KEYS})))}
)
BODIES = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {}, optional={"issue": ISSUES, "webhookEvent": EVENTS, "changelog": ITEMS, "key": KEYS, "fields": FIELDS}
    ),
)


@given(body=BODIES, token=st.sampled_from([SECRET, "wrong"]))
async def test_whatever_is_sent_is_never_an_error_of_ours(body: Any, token: str) -> None:
    async with serving(webhook_secret=SECRET) as service:
        answer = await service.deliver(body, x_webhook_token=token)
        assert answer.status_code in {202, 401, 413, 422, 429}
        assert (answer.status_code == 401) == (token == "wrong")
        if answer.status_code == 422:
            assert answer.json()["detail"].startswith(f"{answer.json()['field']}: ")


@given(body=st.binary(max_size=200))
async def test_whatever_bytes_are_sent_are_never_an_error_of_ours(body: bytes) -> None:
    async with serving() as service:
        assert (await service.deliver(body)).status_code in {202, 422}
