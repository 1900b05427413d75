"""The JSON API shows runs, lets people stop and retry them, and keeps strangers out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from app.models import (
    PipelineOptions,
    PullRequest,
    RunFilter,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
    Tokens,
    Trigger,
)
from app.results import Turn
from app.services.store.mock_client import MockStore
from tests.routes.service import ACCESS_CODE, Json, Service, serving

RUNS = "/api/v1/runs"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service whose API is open."""
    async with serving() as made:
        yield made


async def taken(service: Service, key: str = "PROJ-1", trigger: Trigger = Trigger.WEBHOOK) -> str:
    """The id of a new run of the ticket."""
    receipt = await service.runner.handle_ticket(
        Ticket(key=key, summary="Add dark mode"), trigger=trigger, options=PipelineOptions(lint=True)
    )
    assert receipt.run_id is not None
    return receipt.run_id


async def ended(service: Service, key: str = "PROJ-1", to: RunStatus = RunStatus.IDLE) -> str:
    run_id = await taken(service, key)
    await service.store.move(run_id, RunStatus.RUNNING)
    await service.store.move(run_id, to, error="No network." if to is RunStatus.FAILED else None)
    return run_id


async def listed(service: Service, **query: Any) -> Json:
    answer = await service.get(RUNS, params=query)
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


# One run


async def test_a_run_shows_all_that_people_ask_for(service: Service) -> None:
    run_id, store = await taken(service), service.store
    await store.move(run_id, RunStatus.RUNNING)
    await store.stage_started(run_id, StageName.LINT)
    await store.stage_ended(run_id, StageName.LINT, StageStatus.PASSED, rounds=1, summary="passes after 1 fix")
    tokens = Tokens(input=10, output=2, cache_read=5, cache_write=1)
    await store.record_turn(run_id, "implement", Turn(text="", session_id="s", session_cost_usd=0.25, tokens=tokens))
    pull_request = PullRequest(url="https://github.com/a/b/pull/1", number=1, repository="a/b", draft=True)
    await store.add_pull_request(run_id, pull_request)
    await store.move(run_id, RunStatus.PR_OPENED, outcome="Opened draft pull request 1")
    shown = (await service.get(f"{RUNS}/{run_id}")).json()
    times = [shown.pop(name) for name in ("created_at", "started_at", "ended_at")]
    assert [datetime.fromisoformat(time).tzinfo is not None for time in times] == [True] * 3
    (stage,) = shown.pop("stages")
    assert {name: stage[name] for name in ("name", "status", "rounds", "summary")} == {
        "name": "lint",
        "status": "passed",
        "rounds": 1,
        "summary": "passes after 1 fix",
    }
    assert shown == {
        "id": run_id,
        "ticket": "PROJ-1",
        "status": "pr_opened",
        "mode": "implement",
        "trigger": "webhook",
        "text": "",
        "by": None,
        "model": None,
        "auto_pr": False,
        "repositories": [],
        "pull_requests": [{"url": pull_request.url, "number": 1, "repository": "a/b", "draft": True, "created": True}],
        "cost_usd": 0.25,
        "tokens": {"input": 10, "output": 2, "cache_read": 5, "cache_write": 1},
        "error": None,
        "outcome": "Opened draft pull request 1",
    }


async def test_a_new_run_has_every_field_too(service: Service) -> None:
    shown = (await service.get(f"{RUNS}/{await taken(service)}")).json()
    nothing = {name: shown[name] for name in ("started_at", "ended_at", "stages", "pull_requests", "error")}
    assert nothing == {"started_at": None, "ended_at": None, "stages": [], "pull_requests": [], "error": None}
    assert (shown["status"], shown["cost_usd"], shown["tokens"]["input"]) == ("queued", 0, 0)


async def test_a_run_that_failed_says_why(service: Service) -> None:
    run_id = await ended(service, to=RunStatus.FAILED)
    shown = (await service.get(f"{RUNS}/{run_id}")).json()
    assert (shown["status"], shown["error"]) == ("failed", "No network.")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/events"), ("POST", "/stop"), ("POST", "/retry")])
async def test_what_is_asked_of_an_unknown_run_is_not_found(service: Service, method: str, path: str) -> None:
    answer = await service.request(method, f"{RUNS}/no-such-run{path}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no run no-such-run."})


@pytest.mark.parametrize("run_id", ["%00", "a%20b", "x" * 65, "%C3%BC"])
async def test_what_cannot_be_a_runs_id_is_refused(service: Service, run_id: str) -> None:
    answer = await service.get(f"{RUNS}/{run_id}")
    assert (answer.status_code, answer.json()["field"]) == (422, "run_id")


# Lists


async def test_an_empty_list_has_no_next_page(service: Service) -> None:
    assert await listed(service) == {"runs": [], "next": None}


async def test_a_list_shows_whole_runs_newest_first(service: Service) -> None:
    made = [await taken(service, f"PROJ-{number}") for number in range(3)]
    page = await listed(service)
    assert [run["id"] for run in page["runs"]] == made[::-1]
    assert page["runs"][0] == (await service.get(f"{RUNS}/{made[-1]}")).json()
    assert page["next"] is None


@pytest.mark.parametrize("limit", [1, 7, 50, 120, 200])
async def test_pages_lose_and_repeat_nothing_while_runs_come_in(service: Service, limit: int) -> None:
    made = [await taken(service, f"PROJ-{number}") for number in range(120)]
    seen, query = list[str](), {"limit": limit}
    while True:
        page = await listed(service, **query)
        seen += [run["id"] for run in page["runs"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
        await taken(service, f"LATE-{len(seen)}")
    assert seen == made[::-1]


async def test_without_a_limit_a_page_has_fifty_runs(service: Service) -> None:
    for number in range(51):
        await taken(service, f"PROJ-{number}")
    page = await listed(service)
    assert len(page["runs"]) == 50
    assert page["next"] is not None


async def test_a_list_can_be_narrowed(service: Service) -> None:
    old, new = await ended(service, "PROJ-1"), await taken(service, "PROJ-1")
    other = await taken(service, "PROJ-2", Trigger.COMMAND)

    async def ids(**query: Any) -> list[str]:
        return [run["id"] for run in (await listed(service, **query))["runs"]]

    assert await ids(ticket="PROJ-1") == [new, old]
    assert await ids(status="idle") == [old]
    assert await ids(trigger="command") == [other]
    assert await ids(ticket="PROJ-1", status="queued", trigger="webhook") == [new]
    assert await ids(ticket="NONE-1") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "done"),
        ("trigger", "magic"),
        ("ticket", "a\0b"),
        ("ticket", "x" * 65),
        ("cursor", "first"),
        ("cursor", "0"),
        ("cursor", "-1"),
        ("cursor", str(10**30)),
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "many"),
    ],
)
async def test_a_query_that_cannot_be_understood_is_named(service: Service, field: str, value: str) -> None:
    answer = await service.get(RUNS, params={field: value})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


# Stop and retry


async def test_a_stopped_run_ends_and_says_by_whom() -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        service.headers["Authorization"] = f"Bearer {ACCESS_CODE}"
        run_id = await taken(service)
        answer = await service.post(f"{RUNS}/{run_id}/stop")
        assert answer.status_code == 200
        assert (answer.json()["id"], answer.json()["status"]) == (run_id, "idle")
        assert answer.json()["outcome"] == "Stopped by the API. The work so far is kept."
        assert (await service.store.events(run_id))[-1].payload["by"] == "the API"


@pytest.mark.parametrize("to", [RunStatus.FAILED, RunStatus.PR_OPENED, RunStatus.IDLE])
async def test_a_run_that_has_ended_cannot_be_stopped(service: Service, to: RunStatus) -> None:
    run_id = await ended(service, to=to)
    answer = await service.post(f"{RUNS}/{run_id}/stop")
    said = f"Run {run_id} has ended ({to}); there is nothing to stop."
    assert (answer.status_code, answer.json()) == (409, {"detail": said})


@pytest.mark.parametrize("to", [RunStatus.FAILED, RunStatus.IDLE])
async def test_a_retry_is_a_new_run_of_the_ticket_with_the_same_options(service: Service, to: RunStatus) -> None:
    old = await ended(service, to=to)
    answer = await service.post(f"{RUNS}/{old}/retry")
    receipt = answer.json()
    assert (answer.status_code, receipt["status"], receipt["ticket"]) == (202, "accepted", "PROJ-1")
    assert receipt["run_id"] != old
    before, after = await service.store.job(old), await service.store.job(receipt["run_id"])
    assert (after.ticket, after.options, after.status) == (before.ticket, before.options, RunStatus.QUEUED)
    assert (await service.store.run(old)).status is to


async def test_a_second_retry_is_a_duplicate_of_the_first(service: Service) -> None:
    old = await ended(service, to=RunStatus.FAILED)
    first, second = await asyncio.gather(*(service.post(f"{RUNS}/{old}/retry") for _ in range(2)))
    assert {first.json()["status"], second.json()["status"]} == {"accepted", "duplicate"}
    assert first.json()["run_id"] == second.json()["run_id"]


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PR_OPENED])
async def test_only_a_run_that_ended_without_a_pull_request_can_be_retried(service: Service, status: RunStatus) -> None:
    run_id = await taken(service)
    for to in (RunStatus.RUNNING, status):
        if status is not RunStatus.QUEUED:
            await service.store.move(run_id, to)
    answer = await service.post(f"{RUNS}/{run_id}/retry")
    assert answer.status_code == 409
    assert f"Run {run_id} is {status}; only one that ended without a pull request" in answer.json()["detail"]
    assert len((await service.store.runs(RunFilter())).runs) == 1


# Who may ask

EVERYWHERE = [
    ("GET", RUNS),
    ("GET", f"{RUNS}/some-run"),
    ("GET", f"{RUNS}/some-run/events"),
    ("POST", f"{RUNS}/some-run/stop"),
    ("POST", f"{RUNS}/some-run/retry"),
]


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer wrong", f"Bearer {ACCESS_CODE}x", f"Basic {ACCESS_CODE}", ACCESS_CODE, "Bearer ü"],
)
async def test_without_the_code_nobody_comes_in(method: str, path: str, given: str | None) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        headers = [] if given is None else [(b"authorization", given.encode())]
        answer = await service.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Send ADMIN_ACCESS_CODE as a bearer token."}
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_with_the_code_everything_is_open(method: str, path: str) -> None:
    async with serving(admin_access_code=ACCESS_CODE) as service:
        answer = await service.request(method, path, headers={"Authorization": f"Bearer {ACCESS_CODE}"})
        assert answer.status_code in {200, 404}


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_production_without_a_code_is_closed(method: str, path: str) -> None:
    ready: Any = {
        "node_env": "production",
        "repo_url": "https://github.com/acme/widgets",
        "gh_token": "token",
        "anthropic_api_key": "key",
        "webhook_secret": "sixteen letters!",
        "offline": False,
    }
    async with serving(**ready) as service:
        answer = await service.request(method, path, headers={"Authorization": "Bearer "})
        assert answer.status_code == 401
        assert "The API is closed: set ADMIN_ACCESS_CODE" in answer.json()["detail"]


# Bad days


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_while_the_database_is_away_the_caller_is_asked_to_come_back(method: str, path: str) -> None:
    store = MockStore()
    async with serving(store) as service:
        store.away = True
        answer = await service.request(method, path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "The database did not answer" in answer.json()["detail"]
