"""When the account is served no more: everybody waits or is parked, one goes first, and nobody is lost."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.model_limits import OPEN
from app.errors import Parked
from app.results import Account
from app.services.gateway import Door
from app.services.gateway.client import GatewayClient
from tests.fakes.messages_api import MessagesApi
from tests.services.gateway.conftest import Books, Make, ask, error_of, opened, settled, until


async def doors_of(gateway: GatewayClient, count: int) -> list[Door]:
    return [await opened(gateway, Account(ticket=f"PROJ-{number}", run_id="r")) for number in range(count)]


async def test_of_eight_runs_at_a_reached_limit_one_goes_first_and_all_are_served(
    gateway: GatewayClient, api: MessagesApi
) -> None:
    doors = await doors_of(gateway, 8)
    api.fault(429, headers={"retry-after": "2"}, times=8)
    began = time.monotonic()
    answers = await asyncio.gather(*(ask(door) for door in doors))
    assert [answer.status_code for answer in answers] == [200] * 8
    again = sorted(request.at for request in api.requests)[8:]
    assert len(again) == 8
    assert again[0] >= began + 2
    assert gateway.standing == OPEN
    assert not any(door.refusal() for door in doors)


async def test_while_the_first_one_has_no_answer_nobody_follows(gateway: GatewayClient, api: MessagesApi) -> None:
    first, *others = await doors_of(gateway, 8)
    api.fault(429, headers={"retry-after": "1"})
    asking = asyncio.create_task(ask(first))
    await until(lambda: gateway.standing != OPEN)
    with api.gate() as gate:
        following = [asyncio.create_task(ask(door)) for door in others]
        await asyncio.to_thread(gate.wait)
        done, _ = await asyncio.wait({asking, *following}, timeout=0.2)
        assert (len(api.requests), len(done), gateway.standing.state) == (2, 0, "parked")
    answers = await asyncio.gather(asking, *following)
    assert [answer.status_code for answer in answers] == [200] * 8


async def test_a_limit_that_ends_later_parks_the_run_at_once(door: Door, api: MessagesApi) -> None:
    reset = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    told = {"anthropic-ratelimit-unified-status": "rejected"}
    api.fault(429, headers=told | {"anthropic-ratelimit-unified-reset": f"{reset.timestamp():.0f}"}, times=None)
    refused = [await ask(door) for _ in range(3)]
    assert {error_of(answer) for answer in refused} == {(429, "rate_limit_error")}
    assert {answer.headers["x-should-retry"] for answer in refused} == {"false"}
    assert len(api.requests) == 1
    refusal = door.refusal()
    assert isinstance(refusal, Parked)
    assert refusal.until == reset
    assert refusal.message == "The account's limit at Claude's API is reached."


async def test_all_doors_and_new_work_are_parked_together(gateway: GatewayClient, api: MessagesApi) -> None:
    await gateway.admitted()
    first, second = await doors_of(gateway, 2)
    api.fault(429, headers={"retry-after": "600"})
    await ask(first)
    assert error_of(await ask(second)) == (429, "rate_limit_error")
    assert (len(api.requests), gateway.standing.state) == (1, "parked")
    with pytest.raises(Parked) as parked:
        await gateway.admitted()
    assert parked.value.until == gateway.standing.until


async def test_a_new_turn_has_not_been_refused_yet(door: Door, api: MessagesApi) -> None:
    api.fault(429, headers={"retry-after": "600"})
    await ask(door)
    door.end()
    assert isinstance(door.refusal(), Parked)
    door.begin(Account(ticket="PROJ-1", run_id="run-2"))
    assert door.refusal() is None


@pytest.mark.parametrize("fault", [529, 500, 503, "cut_before_headers", "cut_after_work"])
async def test_a_passing_fault_is_only_a_slow_answer(
    fault: int | str, door: Door, api: MessagesApi, books: Books
) -> None:
    api.fault(fault)
    assert (await ask(door)).status_code == 200
    assert (len(api.requests), door.refusal()) == (2, None)
    (row,) = await settled(books, 1)
    assert (row.status, row.added_ms < 500) == (200, True)


async def test_an_api_that_cannot_be_reached_holds_everybody_back_and_costs_nothing(make: Make, books: Books) -> None:
    with MessagesApi() as gone:
        pass
    gateway = await make(base_url=gone.url)
    door = await opened(gateway)
    asking = asyncio.create_task(ask(door))
    await until(lambda: gateway.standing != OPEN)
    assert gateway.standing.reason == "Claude's API cannot be reached."
    door.end()
    await asyncio.gather(asking, return_exceptions=True)
    (row,) = await settled(books, 1)
    assert (row.cost_usd, row.status) == (0, None)


async def test_a_stream_that_breaks_off_overloaded_holds_the_others_back(
    door: Door, gateway: GatewayClient, api: MessagesApi
) -> None:
    api.fault("overloaded_mid_stream")
    assert '"overloaded_error"' in (await ask(door)).text
    assert gateway.standing.reason == "Claude's API is overloaded."
    assert (await ask(door)).status_code == 200
    assert gateway.standing == OPEN
