"""What is looked after beside the work itself: the database's rows, and the things on one machine's disk."""

from dataclasses import dataclass
from pathlib import Path

from app.config import Settings
from app.sandbox import Leftovers, Sandbox
from app.services.claude_code.base import ClaudeCode
from app.services.engine.base import Engine
from app.services.github.base import Repositories
from app.services.runner.disk import Disk
from app.services.store.base import Store


@dataclass(frozen=True, kw_only=True)
class Estate:
    """One WORKSPACE_DIR, and the hands that know what is in it."""

    store: Store
    engine: Engine
    repositories: Repositories
    claude_code: ClaudeCode
    leftovers: Leftovers
    disk: Disk
    workspace: Path

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        store: Store,
        engine: Engine,
        repositories: Repositories,
        claude_code: ClaudeCode,
        sandbox: Sandbox,
    ) -> "Estate":
        """That of the settings."""
        workspace = settings.workspace_dir.absolute()
        return cls(
            store=store,
            engine=engine,
            repositories=repositories,
            claude_code=claude_code,
            leftovers=sandbox.leftovers,
            disk=Disk(directory=workspace, min_free_gb=settings.min_free_gb),
            workspace=workspace,
        )
