"""Rooms: what the programs of one conversation may read, write and reach, and the way in.

Claude Code, everything that it starts, and the repository's own commands run in a room. The kernel keeps them in; the
service only says what is theirs. It refuses to start in production where the kernel does not keep the word.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from app.config import Settings, get_settings
from app.errors import ConfigurationError
from app.logger import get_logger
from app.sandbox import trial, views
from app.sandbox.environment import for_programs
from app.sandbox.leftovers import Leftovers
from app.sandbox.network import EgressProxy

_log = get_logger(__name__)

How = Literal["landlock", "bwrap", "off"]


@dataclass(frozen=True, kw_only=True)
class Room:
    """What one conversation's programs get. Its own `home` and `tmp` are made in `directory` on entering."""

    directory: Path
    writes: tuple[Path, ...]
    """Trees; they must exist on entering."""
    reads: tuple[Path, ...] = ()
    """Trees and files."""
    ports: tuple[int, ...] = ()
    """TCP ports beside those that are open to every room."""
    _entered: set[tuple[int, int]] = field(default_factory=set, compare=False, repr=False)


class Sandbox:
    """Makes rooms, and what is needed to enter them."""

    launcher = Path(__file__).with_name("launcher.sh")
    """A program: `launcher ARGS…` enters the room of its environment, and runs that room's program with ARGS."""

    def __init__(
        self,
        *,
        root: Path,
        how: How,
        required: bool,
        proxy: EgressProxy | None = None,
        any_port: bool = False,
        ports: Iterable[str] = (),
        local_sockets: bool = False,
        reads: Iterable[Path] = (),
        writes: Iterable[Path] = (),
        cache: Path | None = None,
        memory_mb: int,
        max_processes: int,
        environment: Mapping[str, str],
    ) -> None:
        self._root = root
        self._how: How = how
        self._required = required
        self._proxy = proxy
        self._any_port = any_port
        self._ports = tuple(_ranges(ports))
        self._local_sockets = local_sockets
        self._reads = tuple(map(str, reads))
        self._writes = (*map(str, writes), *([str(cache)] if cache is not None else []))
        self._cache = cache
        self._limits = {"memory_mb": memory_mb, "max_processes": max_processes}
        self._own = environment
        self._shown: tuple[str, ...] | None = None
        self._proxy_port: int | None = None
        self._fresh_proc = True

    @classmethod
    def of(cls, settings: Settings, *, environment: Mapping[str, str] | None = None) -> "Sandbox":
        """As the settings want it. Programs see part of `environment`, which is this process's unless given."""
        own = os.environ if environment is None else environment
        return cls(
            root=settings.workspace_dir / "claude",
            how=settings.agent_sandbox,
            required=settings.production,
            proxy=EgressProxy.of(settings, own) if settings.agent_network == "registries" else None,
            any_port=settings.agent_network == "open",
            ports=settings.agent_ports,
            local_sockets=settings.agent_local_sockets,
            reads=settings.agent_reads,
            writes=settings.agent_writes,
            cache=settings.agent_cache_dir,
            memory_mb=settings.agent_memory_mb,
            max_processes=settings.agent_max_processes,
            environment=own,
        )

    @property
    def how(self) -> How:
        """What keeps programs in; where nothing else works in development, `off`."""
        return self._how

    @property
    def leftovers(self) -> Leftovers:
        """The programs of these rooms that nobody watches over any more."""
        return Leftovers(root=self._root)

    async def start(self) -> None:
        """Try the sandbox for real, and open the way to package registries.

        Raises ConfigurationError in production where the sandbox does not keep programs in; development goes on
        without one, and the log says so.
        """
        if self._how != "off" and (wrong := await self._wrong()) is not None:
            if self._required:
                raise ConfigurationError(
                    f"AGENT_SANDBOX={self._how} does not work here: {wrong}. It needs Linux 6.7 with Landlock, or "
                    "bubblewrap and user namespaces for `bwrap`; AGENT_SANDBOX=off goes on without."
                )
            _log.warning("agent_sandbox_does_not_work", sandbox=self._how, why=wrong)
            self._how = "off"
        elif self._how == "off":
            _log.warning("agent_sandbox_off")
        elif self._local_sockets and (engine := trial.engine_in_reach(trial.local_sockets())) is not None:
            if self._required:
                raise ConfigurationError(
                    f"With AGENT_LOCAL_SOCKETS programs can connect to {engine}, which is the whole machine. "
                    "Take the setting away, or keep the engine out of this user's reach."
                )
            _log.warning("agent_sandbox_leaks_engine", socket=engine)
        elif not trial.holds_signals():
            _log.warning("agent_sandbox_leaks_signals", why="this kernel's Landlock is older than Linux 6.12")
        if self._proxy is not None:
            self._proxy_port = await self._proxy.start()

    async def stop(self) -> None:
        """Close the way to package registries."""
        if self._proxy is not None:
            await self._proxy.stop()

    async def _wrong(self) -> str | None:
        """What is wrong with the sandbox; None if it holds."""
        if self._how == "bwrap" and shutil.which("bwrap", path=self._own.get("PATH")) is None:
            return "there is no program bwrap"
        wrong = await self._tried()
        if wrong is not None and self._how == "bwrap":  # most containers do not allow a new /proc
            self._fresh_proc = False
            wrong = await self._tried()
        return wrong

    async def _tried(self) -> str | None:
        room = self.room(".trial", writes=())
        home, outside = room.directory.absolute() / "home", room.directory.absolute() / "outside"
        home.mkdir(parents=True, exist_ok=True)
        network = "open" if self._any_port else "ports"
        return await trial.complaint(
            (_INTERPRETER, "-I", "-S", "-c", trial.PROBE, str(outside), str(os.getpid()), network),
            outside=outside,
            entrance=self.entrance(room, env=self.environment(room)),
            launcher=self.launcher,
            cwd=home,
        )

    def room(self, name: str, *, writes: Sequence[Path], reads: Sequence[Path] = (), ports: Sequence[int] = ()) -> Room:
        """The room of that name, which is a session's id. Rooms of one name share their home."""
        return Room(directory=self._root / name, writes=tuple(writes), reads=tuple(reads), ports=tuple(ports))

    def environment(self, room: Room, *operator: str) -> dict[str, str]:
        """All variables of a program in the room; `operator` names more of this process's own that it may see."""
        return for_programs(
            self._own,
            directory=room.directory.absolute(),
            operator=operator,
            cache=self._cache,
            proxy=self._proxy_port,
            operators_proxies=self._any_port,
        )

    def entrance(
        self,
        room: Room,
        *,
        env: Mapping[str, str],
        program: Sequence[str | Path] = (),
        passes: Sequence[str] = (),
        handed: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """The variables that make `launcher`, started by this process, enter the room.

        `env` is the environment inside, beside the variables of the launcher's own that `passes` names. A value of
        `handed` is not in there: its variable is the number of a descriptor that gives it once. The launcher's
        arguments follow those of `program`.
        """
        room._entered.update(_identity(tree) for tree in room.writes if tree.exists())  # noqa: SLF001 - its own note
        told = {
            "service": os.getpid(),
            "how": self._how,
            "directory": str(room.directory.absolute()),
            "trees": [str(tree.absolute()) for tree in room.writes],
            "writes": [*self._writes, views.SHARED_MEMORY],
            "devices": views.DEVICES,
            "reads": [*self._everybodys_reads(), *self._reads, *(str(tree.absolute()) for tree in room.reads)],
            "ports": None if self._any_port else [*self._ports, *_single(room.ports), *_single(self._ports_of_proxy())],
            "bwrap": shutil.which("bwrap", path=self._own.get("PATH")) or "bwrap",
            "fresh_proc": self._fresh_proc,
            **self._limits,
            "local_sockets": self._local_sockets,
            "program": [str(part) for part in program],
            "passes": list(passes),
            "environment": dict(env),
            "handed": dict(handed or {}),
        }
        path = {"PATH": env["PATH"]} if "PATH" in env else {}
        return {**path, "AUTO_CODE_PYTHON": _INTERPRETER, "AUTO_CODE_ROOM": json.dumps(told)}

    def covers(self, room: Room, directory: Path) -> bool:
        """Whether programs that entered the room can write `directory`, whatever its trees were called then."""
        if self._how == "bwrap":  # a name that came later does not exist in there
            return any(directory.absolute().is_relative_to(tree.absolute()) for tree in room.writes)
        if self._how == "off":
            return True
        above = [directory, *directory.absolute().parents]
        return any(_identity(place) in room._entered for place in above if place.exists())  # noqa: SLF001

    def _everybodys_reads(self) -> tuple[str, ...]:
        if self._shown is None:
            self._shown = views.shown(self._own, workspace=self._root.parent)
        return self._shown

    def _ports_of_proxy(self) -> tuple[int, ...]:
        return () if self._proxy_port is None else (self._proxy_port,)


_INTERPRETER = os.path.realpath(sys.executable)
"""Not the virtual environment's, which would look for its packages first."""


def _ranges(ports: Iterable[str]) -> Iterable[tuple[int, int]]:
    """First and last of each: a variable is too small for all the ports that a range may have."""
    for part in ports:
        first, _, last = part.partition("-")
        yield int(first), int(last or first)


def _single(ports: Iterable[int]) -> Iterable[tuple[int, int]]:
    return ((port, port) for port in ports)


def _identity(place: Path) -> tuple[int, int]:
    facts = place.stat(follow_symlinks=False)
    return facts.st_dev, facts.st_ino


@lru_cache
def get_sandbox() -> Sandbox:
    """The sandbox of this process."""
    return Sandbox.of(get_settings())
