"""What a world of stand-ins has to be looked after."""

from pathlib import Path

from app.sandbox import Leftovers
from app.services.engine.base import Engine
from app.services.engine.mock_client import MockEngine
from app.services.github.mock_client import MockRepositories
from app.services.runner.disk import Disk
from app.services.runner.estate import Estate
from tests.services.pipeline.world import World

PLENTY = 1 << 40


def estate_of(world: World, *, engine: Engine | None = None, free: int = PLENTY) -> Estate:
    """The world's, as another process sees it."""

    world.root.mkdir(parents=True, exist_ok=True)

    def left(_: Path) -> int:
        return free

    return Estate(
        store=world.store,
        engine=engine or MockEngine(journal=world.journal),
        repositories=MockRepositories(world.github, *world.others),
        claude_code=world.claude,
        leftovers=Leftovers(root=world.root / "claude"),
        disk=Disk(directory=world.root, min_free_gb=2, free=left),
        workspace=world.root,
    )
