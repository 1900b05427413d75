"""The live stream under load: readers that come and go while the run goes on, and who may read."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.models import EventKind, RunStatus
from app.routes.runs import Lines
from tests.routes.service import ACCESS_CODE, Json, Service, Stream, serving
from tests.routes.test_runs_api import RUNS, ended, taken


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service whose API is open."""
    async with serving() as made:
        yield made


def stream_of(service: Service, run_id: str, *, after: int | None = None) -> Stream:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    return Stream(service.app, f"{RUNS}/{run_id}/events", headers)


async def say(service: Service, run_id: str, *texts: str) -> None:
    for text in texts:
        await service.store.append(run_id, EventKind.NOTICE, {"text": text})


async def whole(service: Service, run_id: str, *, after: int | None = None) -> list[Json]:
    """Everything that a stream sends until its end."""
    async with stream_of(service, run_id, after=after) as stream:
        return [event async for event in stream.events()]


@pytest.mark.parametrize("each", [1, 3, 7])
async def test_connections_that_break_lose_and_repeat_nothing(service: Service, each: int) -> None:
    run_id = await taken(service)

    async def work() -> None:
        for number in range(60):
            await say(service, run_id, f"{number}")
            await asyncio.sleep(0)
        await service.store.move(run_id, RunStatus.IDLE)

    working, seen, done = asyncio.create_task(work()), [0], False
    while not done:
        async with stream_of(service, run_id, after=seen[-1]) as stream:
            events = stream.events()
            for _ in range(each):
                event = await anext(events)
                if done := event.get("event") == "done":
                    break
                seen.append(int(event["id"]))
    await working
    assert seen == list(range(63))


async def test_many_readers_all_get_everything(service: Service) -> None:
    run_id = await taken(service)
    readers = [asyncio.create_task(whole(service, run_id)) for _ in range(10)]
    for number in range(30):
        await say(service, run_id, f"{number}")
    await service.store.move(run_id, RunStatus.IDLE)
    for events in await asyncio.gather(*readers):
        assert [event.get("id") for event in events] == [*(str(number) for number in range(1, 33)), None]


async def test_a_stream_without_news_keeps_its_connection_until_the_reader_goes(service: Service) -> None:
    run_id = await taken(service)
    async with stream_of(service, run_id) as stream:
        events = stream.events()
        assert (await anext(events))["id"] == "1"
        coming = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        assert not coming.done()
        coming.cancel()


async def test_a_stream_needs_the_code_too() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        run_id = await ended(service)
        accept = {"Accept": "text/event-stream"}
        assert (await service.get(f"{RUNS}/{run_id}/events", headers=accept)).status_code == 401
        known = {**accept, "Authorization": f"Bearer {ACCESS_CODE}"}
        answer = await service.get(f"{RUNS}/{run_id}/events", headers=known)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"


async def test_an_event_is_written_once_for_all_who_follow_and_not_kept_for_ever(service: Service) -> None:
    run_id = await taken(service)
    await say(service, run_id, *map(str, range(100)))
    events = await service.store.events(run_id)
    lines = Lines()
    first = lines.of(events[0])
    assert lines.of(events[0].model_copy()) is first
    for event in events:
        lines.of(event)
    assert lines.of(events[0]) is not first
    assert lines.of(events[0]) == first
