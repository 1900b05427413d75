"""The real SDK and CLI, against the stand-in of the Messages API."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.models import EventKind
from app.services.claude_code.base import Prompt, SessionRef
from app.services.claude_code.client import ClaudeCodeClient
from app.services.claude_code.doors import Surroundings
from app.services.claude_code.options import CliSettings
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import ModelRequest, blocks_of
from tests.surroundings import settings_for, surroundings


class Told:
    """What a turn told, as it told it."""

    def __init__(self) -> None:
        self.events: list[tuple[EventKind, Mapping[str, Any]]] = []

    async def __call__(self, kind: EventKind, payload: Mapping[str, Any]) -> None:
        self.events.append((kind, payload))

    def of(self, kind: EventKind) -> list[Mapping[str, Any]]:
        """The payloads of one kind."""
        return [payload for told, payload in self.events if told is kind]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def model() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


@pytest.fixture
async def around(model: MessagesApi, tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surroundings(settings_for(model, tmp_path)) as found:
        yield found


@pytest.fixture
def cli(around: Surroundings) -> CliSettings:
    return around.cli


@pytest.fixture
async def claude(around: Surroundings) -> AsyncIterator[ClaudeCodeClient]:
    client = ClaudeCodeClient(surroundings=around, limit=2)
    await client.start()
    yield client
    await client.stop()


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    directory = tmp_path / "worktree"
    directory.mkdir()
    return directory


def prompt(text: str) -> Prompt:
    """A prompt that nobody asked before."""
    return Prompt(id=str(uuid.uuid4()), text=text)


def session(directory: Path) -> SessionRef:
    """A session that does not exist yet."""
    return SessionRef(id=str(uuid.uuid4()), directory=directory)


def without_marks(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages without the marks that say up to where the cache goes."""
    plain: list[dict[str, Any]] = json.loads(
        json.dumps(messages).replace(', "cache_control": {"type": "ephemeral"}', "")
    )
    return plain


def children_in(directory: Path) -> list[int]:
    """Processes that work in a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == directory:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def tool_results(request: ModelRequest) -> list[Mapping[str, Any]]:
    """What the request's last message tells of tools."""
    said = [message for message in request.messages if message["role"] == "user"]
    return [block for block in blocks_of(said[-1]) if block.get("type") == "tool_result"]
