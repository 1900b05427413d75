"""Several processes of the service on one Postgres, each with a workspace of its own, as on machines of their own."""

import os
import shutil
import signal
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from tests.flows import programs
from tests.flows.service import Json, Service
from tests.flows.world import WITHOUT_GATES, World
from tests.postgres import Postgres


class Fleet:
    """Services `one`, `two` … in a `with`; `settings` are of all of them. They are started by name."""

    def __init__(self, world: World, postgres: Postgres, *names: str, **settings: str) -> None:
        self.world = world
        self.url = postgres.url(postgres.database())
        common = {
            "DATABASE_URL": self.url.replace("postgresql+psycopg://", "postgresql://"),
            **WITHOUT_GATES,
            **settings,
        }
        self.services = {name: self._member(name, common) for name in names}
        self._engine = sa.create_engine(self.url, poolclass=sa.NullPool)

    def __getitem__(self, name: str) -> Service:
        return self.services[name]

    def start(self, *names: str) -> None:
        """Start these, or all."""
        for name in names or self.services:
            self.services[name].start()

    def lose(self, name: str) -> None:
        """A machine is gone: its process at once, and all that it had on its disk."""
        service = self.services[name]
        service.kill()
        shutil.rmtree(service.env["WORKSPACE_DIR"])

    def freeze(self, name: str) -> None:
        """Stop the process in the middle of whatever it does; it can be thawed."""
        os.kill(self.services[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        os.kill(self.services[name].pid, signal.SIGCONT)

    def run_of(self, ticket: str) -> str:
        """The newest run of a ticket, as the database knows it."""
        (found,) = self.ask("SELECT id FROM runs WHERE ticket = :ticket ORDER BY number DESC LIMIT 1", ticket=ticket)
        return str(found["id"])

    def ask(self, query: str, **values: Any) -> list[Json]:
        """Rows of the database."""
        with self._engine.begin() as connection:
            return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as ended:
            for service in self.services.values():
                ended.callback(service.__exit__, kind, error, trace)

    def _member(self, name: str, settings: dict[str, str]) -> Service:
        workspace = self.world.directory / name / "workspace"
        workspace.mkdir(parents=True)
        own: dict[str, Any] = {"WORKSPACE_DIR": str(workspace), **settings}
        return self.world.service(programs.start, workspace.parent, **own)
