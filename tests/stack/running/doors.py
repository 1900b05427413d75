"""Who comes in, and as whom."""

import httpx
import pytest

from app.api.access import HEADER
from tests.stack.running.conftest import Outside


def test_health_is_told_to_other_containers_and_says_nothing_else(past_the_edge: str) -> None:
    answer = httpx.get(f"{past_the_edge}/health", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_edge_wants_a_service_token(edge: str) -> None:
    assert httpx.get(f"{edge}/api/v1/runs", trust_env=False).status_code == 403


def test_the_service_knows_who_came_through_the_edge(service: Outside) -> None:
    assert service.http.get("/api/v1/runs").status_code == 200


@pytest.mark.parametrize("brought", [{}, {HEADER: "eyJhbGciOiJub25lIn0.e30."}], ids=["nothing", "a forged assertion"])
def test_who_gets_past_the_edge_is_refused(past_the_edge: str, brought: dict[str, str]) -> None:
    answer = httpx.get(f"{past_the_edge}/api/v1/runs", headers=brought, trust_env=False)
    assert answer.status_code == 401
