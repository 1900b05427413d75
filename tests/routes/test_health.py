"""Health: whether new work can be taken."""

from app.services.store.mock_client import MockStore
from tests.routes.service import ACCESS_CODE, SECRET, serving


async def test_a_service_that_can_take_work_is_healthy() -> None:
    async with serving() as service:
        answer = await service.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_service_without_its_database_says_so_until_it_is_back() -> None:
    store = MockStore()
    async with serving(store) as service:
        store.away = True
        answer = await service.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert "database did not answer" in answer.json()["reason"]
        store.away = False
        assert (await service.get("/health")).status_code == 200


async def test_health_is_asked_without_a_code() -> None:
    async with serving(webhook_secret=SECRET, admin_access_code=ACCESS_CODE) as service:
        assert (await service.get("/health")).status_code == 200
