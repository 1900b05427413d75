"""A workspace as a service left it, for commands that look after it."""

import subprocess
from pathlib import Path

from app.config import Settings
from app.database import Database
from app.domain.naming import branch_of
from app.models import PipelineOptions, Ticket, Trigger
from app.services.github import make_repositories
from app.services.store import Claim, Store, make_store

KEY = "PROJ-1"


class Left:
    """A repository, and a workspace in `root` with a database. `env` are the variables of a service there."""

    def __init__(self, root: Path) -> None:
        self.repository, self.workspace = root / "widgets", root / "workspace"
        self.repository.mkdir()
        (self.repository / "theme.txt").write_text("light\n")
        own = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        for command in (("init", "-q", "-b", "main"), ("add", "."), (*own, "commit", "-qm", "one")):
            subprocess.run(["git", "-C", self.repository, *command], check=True)
        self.env = {"OFFLINE": "true", "WORKSPACE_DIR": str(self.workspace), "REPO_URL": str(self.repository)}
        self.settings = Settings(
            _env_file=None,
            offline=True,
            workspace_dir=self.workspace,
            repo_url=str(self.repository),
        )

    async def a_conversation(self, key: str = KEY, *, ended: bool = True) -> str:
        """A run of the ticket, which no engine knows; its id."""
        store = await self._store()
        claim = Claim(ticket=Ticket(key=key, summary="Dark"), trigger=Trigger.WEBHOOK, options=PipelineOptions())
        run_id = (await store.claim(claim, lambda _transaction, _work: None)).run_id
        assert run_id is not None
        if ended:
            await store.stop_run(run_id, outcome="Stopped.", by="Ada")
        await store.stop()
        return run_id

    async def saved_work(self, text: str, key: str = KEY) -> Path:
        """A change of the ticket whose worktree was removed; where it was saved."""
        repositories = make_repositories(self.settings)
        await repositories.start()
        github = repositories.of(repositories.default)
        workspace = await github.prepare(branch_of(key))
        (workspace.directory / "theme.txt").write_text(text)
        place = await github.remove(workspace)
        assert place is not None
        return place

    def worktree(self, key: str = KEY) -> Path:
        """Where the ticket's worktree is, if there is one."""
        return self.workspace / "worktrees" / branch_of(key)

    async def _store(self) -> Store:
        store = make_store(Database.of(self.settings))
        await store.start()
        return store
