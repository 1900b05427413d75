"""A ticket's ceiling, and a day's: held over runs, doors, restarts, and requests at once."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from app.errors import WorkFailed
from app.results import Account
from app.services.gateway import Door
from app.services.gateway.client import GatewayClient
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import Reply, always
from tests.services.gateway.conftest import ACCOUNT, Books, Make, ask, asked, error_of, opened, settled, until

LONG = Reply("x" * 8_000)
"""2,000 tokens of output: 15 cents of the dearest model."""
A_LONG_ONE = 0.15
SHORT = asked("hello", model="claude-opus-4-1", max_tokens=20_000)


@pytest.fixture(autouse=True)
def says_much(api: MessagesApi) -> None:
    api.script = always(LONG)


async def spend(door: Door, most: int = 20) -> int:
    """Ask until refused; how many were answered."""
    for count in range(most):
        answer = await ask(door, SHORT)
        if answer.status_code != 200:
            assert error_of(answer) == (400, "billing_error")
            assert answer.headers["x-should-retry"] == "false"
            return count
    return most


async def test_a_ticket_ends_within_one_request_of_its_ceiling(make: Make, api: MessagesApi, books: Books) -> None:
    door = await opened(await make(ticket_usd=0.4))
    assert await spend(door) == 3
    assert sum(row.cost_usd for row in await settled(books, 3)) == pytest.approx(3 * A_LONG_ONE, rel=0.01)
    assert len(api.requests) == 3
    refusal = door.refusal()
    assert isinstance(refusal, WorkFailed)
    assert refusal.message == (
        "PROJ-1 has cost $0.45, and may cost $0.40. "
        "Raise MAX_COST_USD_PER_TICKET, then retry the run; what is done is kept."
    )


async def test_a_project_can_lower_the_ceiling_and_not_raise_it(make: Make) -> None:
    gateway = await make(ticket_usd=0.4)
    lower = await opened(gateway, Account(ticket="PROJ-1", run_id="r", ceiling_usd=0.1))
    assert await spend(lower) == 1
    assert "Raise its project's ceiling" in str(lower.refusal())
    higher = await opened(gateway, Account(ticket="PROJ-2", run_id="r", ceiling_usd=100))
    assert await spend(higher) == 3


async def test_other_doors_and_runs_of_the_ticket_have_no_allowance_of_their_own(make: Make) -> None:
    gateway = await make(ticket_usd=0.4)
    assert await spend(await opened(gateway), most=2) == 2
    assert await spend(await opened(gateway, Account(ticket="PROJ-1", run_id="run-2"))) == 1
    assert await spend(await opened(gateway, Account(ticket="PROJ-2", run_id="run-3"))) == 3


async def test_the_ceiling_holds_over_a_restart(make: Make, books: Books) -> None:
    first = await make(ticket_usd=0.4)
    assert await spend(await opened(first), most=2) == 2
    await first.stop()
    assert await spend(await opened(await make(ticket_usd=0.4))) == 1


async def test_what_was_on_its_way_when_the_service_died_counts_as_its_estimate(
    make: Make, api: MessagesApi, books: Books
) -> None:
    dying = await opened(await make(ticket_usd=0.4))
    body = asked("x" * 200_000, model="claude-sonnet-4-6")
    with api.gate(lambda request: len(request.body) > 200_000) as gate:
        asking = asyncio.create_task(ask(dying, body))
        await asyncio.to_thread(gate.wait)
        await until(lambda: books.rows)
        (row,) = books.rows.values()
        assert not row.settled
        # Another process, which knows only what was written down.
        door = await opened(await make(ticket_usd=0.4))
        assert row.cost_usd > 0.3
        assert await spend(door) == 1
    await asking


async def test_requests_at_once_pass_the_ceiling_by_one_at_most(make: Make, api: MessagesApi, books: Books) -> None:
    gateway = await make(ticket_usd=0.5)
    doors = [await opened(gateway) for _ in range(4)]
    await ask(doors[0], SHORT)  # so that it is known how long answers are
    answers = await asyncio.gather(*(ask(door, SHORT) for door in doors for _ in range(4)))
    served = sum(answer.status_code == 200 for answer in answers)
    spent = sum(row.cost_usd for row in await settled(books, served + 1))
    assert 0.5 <= spent < 0.5 + A_LONG_ONE * 1.01


async def test_a_days_ceiling_is_of_all_tickets_together(make: Make) -> None:
    gateway = await make(day_usd=0.4)
    accounts = [Account(ticket=f"PROJ-{number}", run_id="r") for number in range(3)]
    doors = [await opened(gateway, account) for account in accounts]
    assert [await spend(door, most=2) for door in doors] == [2, 1, 0]
    assert str(doors[2].refusal()).startswith("Today has cost $0.45, and may cost $0.40. Retry the run tomorrow")


async def test_a_request_that_the_api_refused_costs_nothing(door: Door, books: Books) -> None:
    await ask(door, asked("hello", max_tokens=0))
    (row,) = await settled(books, 1)
    assert (row.status, row.cost_usd) == (400, 0)


async def test_an_answer_that_was_cut_off_costs_what_was_seen_of_it(door: Door, api: MessagesApi, books: Books) -> None:
    api.fault("cut_mid_stream")
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(door, SHORT)
    (row,) = await settled(books, 1)
    assert A_LONG_ONE * 0.2 < row.cost_usd < A_LONG_ONE * 0.7


async def test_a_request_that_was_given_up_before_its_answer_costs_its_estimate(
    door: Door, api: MessagesApi, books: Books
) -> None:
    with api.gate() as gate:
        asking = asyncio.create_task(ask(door, SHORT))
        await asyncio.to_thread(gate.wait)
        door.end()
        await asyncio.gather(asking, return_exceptions=True)
    (row,) = await settled(books, 1)
    assert row.cost_usd > 0.01
    assert row.status is None


async def test_a_request_waits_for_no_writing(make: Make, api: MessagesApi, books: Books) -> None:
    door = await opened(await make())
    await books.spent("PROJ-1", datetime.now(UTC).date())
    await ask(door, SHORT)
    books.away = True
    assert (await ask(door, SHORT)).status_code == 200
    books.away = False


async def test_where_nobody_knows_what_was_spent_nothing_is_asked(
    gateway: GatewayClient, api: MessagesApi, books: Books
) -> None:
    books.away = True
    door = await opened(gateway)
    assert error_of(await ask(door)) == (529, "overloaded_error")
    assert "database did not answer" in str(door.refusal())
    assert api.requests == []


async def test_a_new_turn_sees_what_others_spent(make: Make, books: Books) -> None:
    here, elsewhere = await make(ticket_usd=0.4), await make(ticket_usd=0.4)
    door = await opened(here)
    assert await spend(door, most=1) == 1
    assert await spend(await opened(elsewhere), most=1) == 1
    await settled(books, 2)
    door.begin(ACCOUNT)
    assert await spend(door) == 1
