"""A run's events: in pages, and live over connections that break."""

from collections.abc import AsyncIterator

import pytest

from app.models import EventKind, RunStatus, Ticket, Trigger
from tests.routes.service import Service, Stream, serving

LIVE = {"Accept": "text/event-stream"}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service that anybody may ask."""
    async with serving() as made:
        yield made


async def run_with(service: Service, texts: int) -> str:
    """A running run with that many texts, after two events of its own."""
    receipt = await service.runner.handle_ticket(Ticket(key="PROJ-1", summary="Add"), trigger=Trigger.WEBHOOK)
    assert receipt.run_id is not None
    await service.store.move(receipt.run_id, RunStatus.RUNNING)
    await say(service, receipt.run_id, texts)
    return receipt.run_id


async def say(service: Service, run_id: str, texts: int) -> None:
    for number in range(texts):
        await service.store.append(run_id, EventKind.TEXT, {"text": f"line {number}\n\nid: 99\r\n", "role": "author"})


def stream(service: Service, run_id: str, last: str | None = None) -> Stream:
    headers = {} if last is None else {"Last-Event-ID": last}
    return Stream(service.app, f"/api/v1/runs/{run_id}/events", headers)


async def first(wanted: int, of: Stream) -> list[str]:
    """Ids of the first events of the connection."""
    ids: list[str] = []
    async for event in of.events():
        ids += [event["id"]] if "id" in event else []
        if len(ids) == wanted:
            break
    return ids


# Pages


async def test_events_come_in_pages_after_a_number(service: Service) -> None:
    run_id = await run_with(service, 5)
    seen, after = [], 0
    while (page := (await service.get(f"/api/v1/runs/{run_id}/events?limit=3&after={after}")).json())["events"]:
        seen += [event["seq"] for event in page["events"]]
        assert page["next"] == seen[-1]
        after = page["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert page == {"events": [], "next": 7}


async def test_an_event_has_a_kind_a_time_and_what_it_tells(service: Service) -> None:
    run_id = await run_with(service, 0)
    event = (await service.get(f"/api/v1/runs/{run_id}/events")).json()["events"][0]
    assert set(event) == {"seq", "run_id", "kind", "at", "payload"}
    assert (event["kind"], event["payload"]) == (
        "run.status",
        {"status": "queued", "trigger": "webhook", "mode": "implement"},
    )


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", f"after={2**63}", "limit=0", "limit=1001", "limit=", "after=1.5"]
)
async def test_a_query_that_cannot_be_understood_is_named(service: Service, query: str) -> None:
    answer = await service.get(f"/api/v1/runs/none/events?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, query.partition("=")[0])


# Live


async def test_the_stream_of_a_run_that_has_ended_is_whole_and_says_done(service: Service) -> None:
    run_id = await run_with(service, 300)
    await service.store.move(run_id, RunStatus.IDLE)
    async with stream(service, run_id) as connection:
        *events, last = [event async for event in connection.events()]
    assert [event["id"] for event in events] == [str(number) for number in range(1, 304)]
    assert all("event" not in event for event in events)
    assert last == {"event": "done", "data": "{}"}


async def test_a_stream_brings_what_happens_while_it_is_open(service: Service) -> None:
    run_id = await run_with(service, 0)
    async with stream(service, run_id) as connection:
        events = connection.events()
        assert [(await anext(events))["id"] for _ in range(2)] == ["1", "2"]
        await say(service, run_id, 1)
        assert (await anext(events))["id"] == "3"
        await service.store.move(run_id, RunStatus.IDLE)
        assert [event.get("event", event.get("id")) async for event in events] == ["4", "done"]


async def test_over_broken_connections_no_event_is_lost_or_repeated(service: Service) -> None:
    run_id = await run_with(service, 10)
    seen: list[str] = []
    for wanted in (1, 2, 3, 5):
        async with stream(service, run_id, seen[-1] if seen else None) as connection:
            seen += await first(wanted, connection)
        await say(service, run_id, 4)
    await service.store.move(run_id, RunStatus.IDLE)
    async with stream(service, run_id, seen[-1]) as connection:
        seen += await first(-1, connection)
    assert seen == [str(number) for number in range(1, 2 + 10 + 16 + 1 + 1)]


async def test_a_last_event_id_wins_over_the_number_in_the_address(service: Service) -> None:
    run_id = await run_with(service, 3)
    await service.store.move(run_id, RunStatus.IDLE)
    answer = await service.get(f"/api/v1/runs/{run_id}/events?after=1", headers={**LIVE, "Last-Event-ID": "5"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == ["id: 6"]


@pytest.mark.parametrize("last", [b"", b"-1", b"1.5", b"x", "²".encode(), "١".encode(), b"9" * 16, b"1 2"])
async def test_a_last_event_id_that_is_no_number_is_named(service: Service, last: bytes) -> None:
    run_id = await run_with(service, 0)
    headers = {b"accept": b"text/event-stream", b"last-event-id": last}
    answer = await service.get(f"/api/v1/runs/{run_id}/events", headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")


async def test_the_stream_of_an_unknown_run_is_not_found_before_it_begins(service: Service) -> None:
    assert (await service.get("/api/v1/runs/none/events", headers=LIVE)).status_code == 404


async def test_a_number_above_the_last_event_brings_only_the_end(service: Service) -> None:
    run_id = await run_with(service, 0)
    await service.store.move(run_id, RunStatus.IDLE)
    answer = await service.get(f"/api/v1/runs/{run_id}/events", headers={**LIVE, "Last-Event-ID": "99"})
    assert answer.text.split() == ["event:", "done", "data:", "{}"]


async def test_all_who_watch_see_the_same(service: Service) -> None:
    run_id = await run_with(service, 2)
    async with stream(service, run_id) as one, stream(service, run_id) as other:
        begun = [await first(4, one), await first(4, other)]
    assert begun == [["1", "2", "3", "4"]] * 2
