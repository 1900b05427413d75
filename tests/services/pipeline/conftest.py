"""The whole pipeline on stand-ins: a world that outlives its runner, as disks and far sides outlive a process."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.services.pipeline.several import LockedGitHub
from tests.services.pipeline.world import World

NewWorld = Callable[[], World]


@pytest.fixture
def new_world(tmp_path: Path) -> NewWorld:
    """Makes worlds that share nothing."""
    made: list[World] = []

    def make() -> World:
        made.append(World(tmp_path / f"world{len(made)}"))
        return made[-1]

    return make


@pytest.fixture
async def world(new_world: NewWorld) -> AsyncIterator[World]:
    """One of them, its runner stopped at the end."""
    made = new_world()
    yield made
    await made.stop()


@pytest.fixture
def api(world: World) -> LockedGitHub:
    """A second repository of that world."""
    return world.add_repository("acme/api", LockedGitHub)


@pytest.fixture
def web(world: World) -> LockedGitHub:
    """A third one."""
    return world.add_repository("acme/web", LockedGitHub)
