"""`GET /metrics`: for whoever has the code, whatever state the database is in."""

from app.services.store.mock_client import MockStore
from tests.builders import jira_body
from tests.routes.service import ACCESS_CODE, SECRET, Service, Stream, serving
from tests.test_metrics import samples

BEARER = {"authorization": f"Bearer {ACCESS_CODE}"}


async def scraped(service: Service, **headers: str) -> dict[str, float]:
    """Each sample of the page."""
    answer = await service.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return samples(answer.text)


async def grown(service: Service, before: dict[str, float]) -> dict[str, float]:
    """By how much samples have grown since."""
    changed = {name: value - before.get(name, 0.0) for name, value in (await scraped(service)).items()}
    return {name: value for name, value in changed.items() if value}


async def test_it_is_read_with_the_code_alone() -> None:
    async with serving(admin_access_code=ACCESS_CODE, webhook_secret=SECRET) as service:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x-webhook-token": SECRET}):
            answer = await service.get("/metrics", headers=headers)
            assert (answer.status_code, "autocode" in answer.text) == (401, False)
        assert "autocode_database_up" in await scraped(service, **BEARER)


async def test_queued_runs_are_counted_by_project_and_no_ticket_is_named() -> None:
    async with serving() as service:
        for key in ("PROJ-1", "PROJ-2", "API-7"):
            await service.deliver(jira_body(key=key))
        page = await scraped(service)
        assert page["autocode_runs status=queued"] == 3
        assert (page["autocode_queued_runs bucket=PROJ"], page["autocode_queued_runs bucket=API"]) == (2, 1)
        assert not [name for name in page if "PROJ-" in name or "API-" in name]


async def test_the_page_comes_while_the_database_is_away() -> None:
    store = MockStore()
    async with serving(store) as service:
        assert (await scraped(service))["autocode_database_up"] == 1
        store.away = True
        page = await scraped(service)
        assert page["autocode_database_up"] == 0
        assert "autocode_webhooks_total outcome=accepted" in page


async def test_webhooks_are_counted_by_what_became_of_them() -> None:
    store, body = MockStore(), jira_body(key="PROJ-1")
    async with serving(store, webhook_secret=SECRET, webhook_rate_limit="3/minute") as service:
        before = await scraped(service)
        await service.deliver(body, x_webhook_token=SECRET)
        await service.deliver(body, x_webhook_token=SECRET)
        await service.deliver({**body, "webhookEvent": "jira:issue_deleted"}, x_webhook_token=SECRET)
        await service.deliver(body, x_webhook_token="wrong")
        store.away = True
        await service.deliver(jira_body(key="PROJ-2"), x_webhook_token=SECRET)
        store.away = False
        await service.deliver(body, x_webhook_token=SECRET)
        counted = await grown(service, before)
    outcomes = ("accepted", "duplicate", "ignored", "refused", "unavailable", "rate_limited")
    assert {name: counted.get(f"autocode_webhooks_total outcome={name}") for name in outcomes} == dict.fromkeys(
        outcomes, 1.0
    )
    assert counted["autocode_webhook_ack_seconds_count"] == 6
    assert "autocode_webhooks_total outcome=failed" not in counted


async def test_readers_of_live_streams_are_counted_while_they_read() -> None:
    async with serving() as service:
        await service.deliver(jira_body(key="PROJ-1"))
        run_id = (await service.store.conversation("PROJ-1")).run.id
        before = await scraped(service)
        for path in ("/events", f"/api/v1/runs/{run_id}/events"):
            async with Stream(service.app, path, {}) as stream:
                await anext(aiter(stream.events()))
                assert (await grown(service, before))["autocode_stream_readers"] == 1
            assert "autocode_stream_readers" not in await grown(service, before)
