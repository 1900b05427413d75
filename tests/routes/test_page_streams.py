"""The stream that keeps a page going: every event once and in order over connections that break, and how things stand
when that changed.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest

from app.errors import Unauthorized
from app.models import EventKind, RepositoryChanges, RunStatus
from app.models import FileChange as File
from app.routes.feed import Feed
from tests.routes.service import ACCESS_CODE, Json, Service, Stream, serving
from tests.routes.test_runs_api import taken

EVENTS = "/code-runs/PROJ-1/events"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service that anybody may ask."""
    async with serving() as made:
        yield made


async def running(service: Service) -> str:
    """The run of PROJ-1, whose conversation has two events."""
    run_id = await taken(service)
    await service.store.move(run_id, RunStatus.RUNNING)
    return run_id


async def say(service: Service, run_id: str, *texts: str) -> None:
    for text in texts:
        await service.store.append(run_id, EventKind.TEXT, {"text": text, "role": "author"})


def stream(service: Service, query: str = "", *, last: int | None = None, path: str = EVENTS) -> Stream:
    return Stream(service.app, path + query, {} if last is None else {"Last-Event-ID": str(last)})


async def once(service: Service, query: str = "", *, last: int | None = None) -> list[dict[str, str]]:
    """All that a connection is told that only wants to know what there is."""
    async with stream(service, f"?once=1{query}", last=last) as connection:
        return [event async for event in connection.events()]


def ids(events: list[dict[str, str]]) -> list[int]:
    return [int(event["id"]) for event in events if "id" in event]


def roots(html: str) -> list[str]:
    """Ids of what is drawn, in order."""
    return re.findall(r'\bid="([a-z]+(?:-[a-z]+)*-\d+)"', html)


# Every event once


async def test_a_stream_begins_with_a_hello(service: Service) -> None:
    await running(service)
    hello, *_ = await once(service)
    said: Json = json.loads(hello["data"])
    assert hello["event"] == "hello"
    assert "id" not in hello
    assert (said["seq"], said["version"]) == (2, service.app.state.assets.version)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", said["server_time"])


async def test_each_event_comes_with_what_it_changes_on_the_page(service: Service) -> None:
    run_id = await running(service)
    await say(service, run_id, "Looking at **it**")
    await service.store.append(run_id, EventKind.COST_UPDATED, {"cost_usd": 1, "tokens": {}})
    events = {int(event["id"]): event for event in await once(service) if "id" in event}
    assert list(events) == [1, 2, 3, 4]
    assert "<strong>it</strong>" in events[3]["data"]
    assert 'data-into="#thread"' in events[3]["data"]
    assert all("event" not in event for event in events.values())


async def test_an_event_that_shows_nothing_still_moves_the_readers_place(service: Service) -> None:
    run_id = await running(service)
    await service.store.append(run_id, EventKind.TURN_STARTED, {"turn": "implement", "role": "author", "prompt": "x"})
    (silent,) = [event for event in await once(service, last=2) if "id" in event]
    assert silent == {"id": "3", "data": ""}


async def test_from_each_place_a_reader_goes_on_without_a_gap_or_a_repetition(service: Service) -> None:
    run_id = await running(service)
    await say(service, run_id, *map(str, range(60)))
    whole = {int(event["id"]): event["data"] for event in await once(service) if "id" in event}
    assert list(whole) == list(range(1, 63))
    for last in (0, 1, 2, 3, 24, 25, 26, 49, 50, 61, 62):
        rest = {int(event["id"]): event["data"] for event in await once(service, last=last) if "id" in event}
        assert rest == {seq: data for seq, data in whole.items() if seq > last}


async def test_a_page_that_begins_later_gets_the_fragments_that_fit_it(service: Service) -> None:
    run_id = await running(service)
    await say(service, run_id, *map(str, range(10)))
    (event, *_) = [event for event in await once(service, "&from=6", last=8) if "id" in event]
    assert event["id"] == "9"
    assert 'data-into="#said-6-in"' in event["data"]
    (event, *_) = [event for event in await once(service, "&from=6", last=3) if "id" in event]
    assert event["id"] == "4"  # a page that begins after its own place does not exist; nothing is left out


async def test_the_last_id_wins_over_the_number_in_the_address(service: Service) -> None:
    run_id = await running(service)
    await say(service, run_id, "a", "b", "c")
    assert ids(await once(service, "&after=1", last=4)) == [5]
    assert ids(await once(service, "&after=4")) == [5]


@pytest.mark.parametrize("each", [1, 7])
async def test_connections_that_break_lose_and_repeat_nothing(service: Service, each: int) -> None:
    run_id = await running(service)

    async def work() -> None:
        for number in range(20):
            await say(service, run_id, f"{number}")
            await asyncio.sleep(0)

    working, seen = asyncio.create_task(work()), [0]
    while seen[-1] < 22:
        async with stream(service, last=seen[-1]) as connection:
            wanted = min(each, 22 - seen[-1])
            async for event in connection.events():
                seen += ids([event])
                wanted -= "id" in event
                if wanted == 0:
                    break
    await working
    assert seen == list(range(23))


async def test_a_reader_who_comes_late_or_reads_slowly_does_not_hold_up_the_run(service: Service) -> None:
    run_id = await running(service)
    async with stream(service) as connection:
        await connection.until(lambda event: event.get("id") == "2")
        await say(service, run_id, *map(str, range(500)))  # nobody reads meanwhile
        assert ids(await connection.until(lambda event: event.get("id") == "502")) == list(range(3, 503))


async def test_a_place_that_is_not_known_here_means_a_new_page(service: Service) -> None:
    await running(service)
    async with stream(service, last=3) as connection:
        names = [event.get("event") async for event in connection.events()]
    assert names == ["hello", "reset"]


@pytest.mark.parametrize("last", ["-1", "1.5", "x", "9" * 16])
async def test_a_place_that_is_none_is_named(service: Service, last: str) -> None:
    await running(service)
    answer = await service.get(EVENTS, headers={"last-event-id": last})
    assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")


@pytest.mark.parametrize("key", ["PROJ-2", "nothing", "PROJ-1'"])
async def test_there_is_no_stream_of_what_is_no_conversation(service: Service, key: str) -> None:
    await running(service)
    assert (await service.get(f"/code-runs/{key}/events")).status_code == 404


# What is of the moment


async def test_text_comes_as_it_is_written_and_goes_when_it_is_said(service: Service) -> None:
    run_id = await running(service)
    async with stream(service) as connection:
        await connection.until(lambda event: event.get("id") == "2")
        await service.store.whisper(run_id, "I am *thin")
        (*_, written) = await connection.until(lambda event: event.get("event") == "writing")
        assert "id" not in written
        assert json.loads(written["data"])["id"] == "writing"
        assert "I am *thin" in json.loads(written["data"])["html"]
        await service.store.whisper(run_id, "")
        (*_, nothing) = await connection.until(lambda event: event.get("event") == "writing")
        assert json.loads(nothing["data"]) == {"id": "writing", "html": ""}


# How things stand


def standing(events: list[dict[str, str]]) -> str:
    """The fragments that belong to no event."""
    return "\n".join(event["data"] for event in events if not {"id", "event"} & set(event))


async def test_how_things_stand_comes_after_the_events_and_without_a_place(service: Service) -> None:
    await running(service)
    events = await once(service)
    assert "id" not in events[-1]
    assert {'id="status"', 'id="facts"', 'id="stages"', 'id="queue"', 'id="dock"', 'id="runs"'} <= set(
        re.findall(r'id="[a-z]+"', standing(events))
    )
    assert 'aria-current="page"' in standing(events)


async def test_only_what_looks_different_is_sent_again(service: Service) -> None:
    run_id = await running(service)
    async with stream(service) as connection:
        await connection.until(lambda event: 'id="status"' in event["data"])
        await service.store.move(run_id, RunStatus.FAILED, error="No network.")
        events = await connection.until(lambda event: 'id="status"' in event["data"] and "id" not in event)
    news = standing(events)
    assert "Failed" in news
    assert 'id="queue"' not in news
    assert 'id="files-wide"' not in news


async def test_the_diff_comes_when_it_changed_and_only_then(service: Service) -> None:
    run_id = await running(service)
    patch = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-old\n+new\n"
    change = RepositoryChanges(
        repository="acme/widgets",
        branch="ticket/proj-1",
        base="main",
        files=(File(path="a.py", added=1, removed=1),),
        patch=patch,
    )
    await service.store.keep_changes(run_id, change)
    last = (await service.runner.conversation("PROJ-1")).last_seq
    await say(service, run_id, "That was it.")
    assert 'id="changes"' in standing(await once(service, last=last - 1))
    news = standing(await once(service, last=last))
    assert 'id="changes"' not in news
    assert 'id="status"' in news


async def test_the_list_beside_a_conversation_follows_the_others(service: Service) -> None:
    await running(service)
    async with stream(service) as connection:
        await connection.until(lambda event: 'id="runs"' in event["data"])
        await taken(service, "OTHER-7")
        (*_, news) = await connection.until(lambda event: "OTHER-7" in event["data"])
    assert 'id="runs"' in news["data"]


async def test_pages_without_a_conversation_follow_the_list(service: Service) -> None:
    run_id = await running(service)
    async with stream(service, path="/events") as connection:
        hello, first = await connection.until(lambda event: 'id="runs"' in event["data"])
        assert hello["event"] == "hello"
        assert 'id="waiting"' in first["data"]
        await service.store.move(run_id, RunStatus.FAILED, error="No network.")
        (*_, news) = await connection.until(lambda event: "No network." in event["data"])
    assert not ids([first, news])


# Ends


async def test_with_once_a_stream_ends_when_all_is_told(service: Service) -> None:
    run_id = await running(service)
    await say(service, run_id, *map(str, range(450)))
    assert ids(await once(service)) == list(range(1, 453))
    async with stream(service, "?once=1", path="/events") as connection:
        assert len([event async for event in connection.events()]) == 2


async def test_a_reader_who_is_no_longer_welcome_is_told_nothing_more(service: Service) -> None:
    await running(service)
    state = service.app.state
    feed = Feed(state.audience.live(None), look_again_s=0)

    async def welcome() -> None:
        raise Unauthorized("The token has expired.")

    assert len([piece async for piece in feed.follow(welcome=welcome)]) == 1


async def test_a_stream_ends_when_the_database_goes_away(service: Service) -> None:
    await running(service)
    async with stream(service) as connection:
        events = connection.events()
        await anext(events)
        service.store.away = True  # type: ignore[attr-defined]
        assert [event async for event in events if "data" not in event] == []


async def test_proxies_are_asked_not_to_hold_a_stream_back() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        await running(service)
        known = {"authorization": f"Bearer {ACCESS_CODE}"}
        answer = await service.get(f"{EVENTS}?once=1", headers=known)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (answer.headers["x-accel-buffering"], answer.headers["cache-control"]) == ("no", "no-store")
