"""Health: whether the process lives, whether it takes work, and whether it can begin any."""

import pytest

from app.services.runner.mock_client import MockRunner
from app.services.store.mock_client import MockStore
from tests.routes.service import ACCESS_CODE, SECRET, Service, serving

PATHS = ("/health", "/ready", "/live")
FULL = {"disk": "1.4 GB are free."}


def runner_of(service: Service) -> MockRunner:
    assert isinstance(service.runner, MockRunner)
    return service.runner


async def test_a_service_that_can_take_work_is_healthy_ready_and_alive() -> None:
    async with serving() as service:
        answers = [await service.get(path) for path in PATHS]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [answer.json() for answer in answers] == [{"status": "ok"}, {"status": "ready"}, {"status": "live"}]


async def test_a_service_without_its_database_says_so_until_it_is_back_and_lives() -> None:
    store = MockStore()
    async with serving(store) as service:
        store.away = True
        health, ready, live = [await service.get(path) for path in PATHS]
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        assert "database did not answer" in health.json()["reason"]
        assert (ready.status_code, ready.json()["status"]) == (503, "unready")
        assert "database did not answer" in ready.json()["reasons"]["database"]
        assert live.status_code == 200
        store.away = False
        assert [(await service.get(path)).status_code for path in PATHS] == [200, 200, 200]


async def test_a_service_that_drains_says_so_and_takes_what_comes() -> None:
    async with serving() as service:
        await service.runner.drain()
        health, ready, live = [await service.get(path) for path in PATHS]
        assert (health.status_code, health.json()) == (503, {"status": "draining"})
        assert (ready.status_code, list(ready.json()["reasons"])) == (503, ["draining"])
        assert live.status_code == 200


async def test_a_service_whose_disk_is_full_takes_work_and_is_not_ready_for_it() -> None:
    async with serving() as service:
        runner_of(service).amiss = FULL
        health, ready, live = [await service.get(path) for path in PATHS]
        assert (health.status_code, live.status_code) == (200, 200)
        assert (ready.status_code, ready.json()) == (503, {"status": "unready", "reasons": FULL})


async def test_everybody_reads_on_the_pages_why_nothing_begins() -> None:
    async with serving() as service:
        runner_of(service).amiss = FULL
        assert FULL["disk"] in (await service.look("/code-runs")).text


@pytest.mark.parametrize("path", PATHS)
async def test_health_is_asked_without_a_code(path: str) -> None:
    async with serving(webhook_secret=SECRET, admin_access_code=ACCESS_CODE) as service:
        assert (await service.get(path)).status_code == 200
