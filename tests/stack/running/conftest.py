"""The stack, and the ways that lead to it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flows.service import Service
from tests.stack.containers import Stack
from tests.stack.edge import EDGE_PORT, SERVICE_TOKEN
from tests.stack.far_side import CONTROL_PORT


class Outside(Service):
    """The service as the world reaches it: through the edge, with the tracker's service token."""

    def __init__(self, address: str, log: Path) -> None:
        self.http = httpx.Client(base_url=address, headers=SERVICE_TOKEN, timeout=60, trust_env=False)
        self.log = log


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of it, healthy."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def edge(stack: Stack) -> str:
    """Where the world comes in."""
    return f"http://{stack.address('cloudflared', 'egress-tunnel')}:{EDGE_PORT}"


@pytest.fixture
def past_the_edge(stack: Stack) -> str:
    """Where only the tunnel comes from."""
    return f"http://{stack.address('auto-code', 'tunnel')}:3001"


@pytest.fixture
def service(edge: str, tmp_path: Path) -> Iterator[Outside]:
    """Whom the tracker talks to."""
    (tmp_path / "log").touch()
    outside = Outside(edge, tmp_path / "log")
    with outside.http:
        yield outside


@pytest.fixture
def far_side(stack: Stack) -> Iterator[httpx.Client]:
    """Where the far side says what it saw."""
    address = f"http://{stack.address('far-side', 'egress-app')}:{CONTROL_PORT}"
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        yield client
