"""The product in a process that tells each of its effects, or dies at one of them.

An effect is what outlives the process: a transaction of the database, a program that is started, a change of a file in
the workspace. They are seen where Python and SQLAlchemy offer to look (audit hooks, events, the child watcher), so that
nobody has to name what the product does; and nothing of it is replaced. The room knows no stage and no test.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVarTuple, Unpack

import sqlalchemy as sa

Phase = Literal["before", "during", "after"]
Victim = Literal["service", "cli"]
Args = TypeVarTuple("Args")

_WRITE = re.compile(
    r"\s*(INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|ALTER TABLE)\s+(?:IF NOT EXISTS\s+)?([\w.\"]+)", re.IGNORECASE
)
_STEPS = "operation_outputs"
_TELLING = {"operation_outputs": "function_name", "events": "kind"}
"""The column that says what a row of a table is about."""

_FILE_EVENTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.utime"}
_WRITES = os.O_WRONLY | os.O_RDWR
_GUARDS = {"setpriv", "timeout"}
_OPAQUE = re.compile(r"[0-9a-f]{8,}(-[0-9a-f]{4,})*|\d+")
"""Parts of a path that are another each time."""

_CLI_ENDS_S = 5.0


@dataclass(frozen=True, order=True)
class Point:
    """A moment of a run: this phase of the first such effect after that step was recorded.

    `delay_s` is how long after its start a program is met `during` its work.
    """

    after: str
    effect: str
    phase: Phase
    delay_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Plan:
    """What to do: write each effect to the file `record`, or let the `victim` die at these points.

    Each death is written to the file `diary` just before.
    """

    record: Path | None = None
    diary: Path | None = None
    victim: Victim = "service"
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Effect:
    """One effect as it was recorded, at a time of the monotonic clock. `cli`: Claude Code was at work then.

    `lasted_s` is of a program that ended.
    """

    at: float
    after: str
    name: str
    phase: Phase
    cli: bool = False
    lasted_s: float = 0.0


class Watch:
    """Hears of each effect and knows which step was recorded last."""

    def __init__(self, plan: Plan) -> None:
        self._points = list(plan.points)
        self._die = _end_service if plan.victim == "service" else _end_clis
        self._record, self._diary = _Lines(plan.record), _Lines(plan.diary)
        self._after = ""
        self._recorded: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._seen: set[tuple[str, str, Phase]] = set()

    def meet(self, name: str, phase: Phase, *, lasted_s: float = 0.0, after: str | None = None) -> None:
        """An effect is in this phase now. Does not return where that is the process's end."""
        with self._lock:
            after = self._after if after is None else after
            if self._record.wanted and (after, name, phase) not in self._seen:
                self._seen.add((after, name, phase))
                at_work = any(map(_is_at_work, _clis(os.getpid())))
                effect = Effect(time.monotonic(), after, name, phase, cli=at_work, lasted_s=lasted_s)
                self._record.add(asdict(effect))
            self._die_if(lambda point: (point.after, point.effect, point.phase) == (after, name, phase))

    def delay(self, name: str) -> float | None:
        """Seconds after which a program that is started now is met during its work."""
        with self._lock:
            points = (each for each in self._points if (each.after, each.effect) == (self._after, name))
            return next((each.delay_s for each in points if each.phase == "during"), None)

    @property
    def after(self) -> str:
        """The step that was recorded last."""
        return self._after

    def recording(self) -> None:
        """The next step is about to be recorded: what was to come before it does not come any more."""
        with self._lock:
            self._die_if(lambda point: point.after == self._after and not point.effect.startswith("record "))

    def recorded(self, step: str) -> None:
        """A step is recorded, or another one of that name: a ticket may have several runs."""
        with self._lock:
            self._recorded[step] += 1
            number = self._recorded[step]
            self._after = step if number == 1 else f"{step} #{number}"

    def _die_if(self, met: Callable[[Point], bool]) -> None:
        for point in [point for point in self._points if met(point)]:
            self._points.remove(point)
            self._diary.add({"at": datetime.now(UTC).isoformat(), "point": asdict(point)})
            self._die()


class _Lines:
    """A file that grows by lines of JSON. It is opened once: to open it for each would be an effect itself."""

    def __init__(self, path: Path | None) -> None:
        self.wanted = path is not None
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if path else -1

    def add(self, line: Mapping[str, Any]) -> None:
        if self.wanted:
            os.write(self._file, (json.dumps(line) + "\n").encode())


def _end_service() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # never met: the signal is on its way


def _end_clis() -> None:
    end_clis(of=os.getpid())


def end_clis(*, of: int) -> None:
    """Kill Claude Code's processes that a service has, return when they are gone."""
    for pid in (pids := _clis(of)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    give_up = time.monotonic() + _CLI_ENDS_S
    while any(_runs(pid) for pid in pids) and time.monotonic() < give_up:
        time.sleep(0.002)


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _clis(service: int) -> list[int]:
    """Claude Code's processes that a service has."""
    parents: dict[int, int] = {}
    found: list[int] = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(entry.path, "stat").read_text()
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
                if Path(entry.path, "exe").readlink().name == "claude":
                    found.append(int(entry.name))
    return [pid for pid in found if _descends(pid, service, parents)]


def _is_at_work(pid: int) -> bool:
    """Whether it works in a worktree; a spare does not yet."""
    try:
        return "worktrees" in Path(f"/proc/{pid}/cwd").readlink().parts
    except OSError:
        return False


def _descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while pid := parents.get(pid, 0):
        if pid == ancestor:
            return True
    return False


# Programs and files


class Programs(asyncio.ThreadedChildWatcher):
    """asyncio's own watcher of children, which also tells when one was started and when it ended."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch
        self.starting = threading.local()

    def add_child_handler(self, pid: int, callback: Callable[[int, int, Unpack[Args]], object], *args: *Args) -> None:
        name, after, began = getattr(self.starting, "program", "program"), self._watch.after, time.monotonic()
        if (delay_s := self._watch.delay(name)) is not None:
            timer = threading.Timer(delay_s, self._watch.meet, (name, "during"), {"after": after})
            timer.daemon = True
            timer.start()

        def ended(pid: int, status: int, *args: *Args) -> None:
            self._watch.meet(name, "after", lasted_s=time.monotonic() - began, after=after)
            callback(pid, status, *args)

        super().add_child_handler(pid, ended, *args)


def _program(argv: Sequence[str]) -> str:
    """What a program is called, without those that watch over it."""
    words = [os.fsdecode(word) for word in argv]
    names = [Path(word).name for word in words]
    while names and names[0] in _GUARDS:
        at = next((i for i in range(1, len(words)) if words[i] == "--" or names[i] in {"git", "gh"}), 0)
        at += words[at] == "--"
        words, names = words[at:] if at else [], names[at:] if at else []
        if names and names[0].startswith("-"):
            words, names = words[1:], names[1:]
    verbs = [word for word in words[1:4] if re.fullmatch(r"[a-z][a-z-]*", word)][:2]
    return " ".join(["program", *names[:1], *(verbs if names and names[0] in {"git", "gh"} else [])])


def _listen(watch: Watch, programs: Programs, workspace: Path) -> None:
    """Look at the programs that are started and the files that are changed, from now on."""

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            programs.starting.program = _program(args[1])
            watch.meet(programs.starting.program, "before")
        elif event in _FILE_EVENTS or (event == "open" and _is_write(args)):
            path = args[0]
            if isinstance(path, str | bytes | os.PathLike) and (name := _place(os.fsdecode(path), workspace)):
                watch.meet(f"file {event.removeprefix('os.')} {name}", "before")

    sys.addaudithook(hear)


def _is_write(args: tuple[Any, ...]) -> bool:
    return isinstance(args[2], int) and bool(args[2] & _WRITES)


def _place(path: str, workspace: Path) -> str:
    """A path in the workspace, as it is called in every run; empty for one outside."""
    if not path.startswith(f"{workspace}/"):
        return ""
    return _OPAQUE.sub("*", "/".join(Path(path).relative_to(workspace).parts[:3]))


# The database


class Transactions:
    """Looks at every transaction that writes, of every database of the process."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def listen(self) -> None:
        """From now on."""
        sa.event.listen(sa.Engine, "before_cursor_execute", self._said)
        sa.event.listen(sa.Engine, "commit", self._commits)
        sa.event.listen(sa.Engine, "rollback", lambda connection: connection.info.pop(_WRITES_SO_FAR, None))
        # SQLAlchemy tells of a commit before it is done; the next that it tells is that nobody uses the connection.
        sa.event.listen(sa.Pool, "checkin", lambda _connection, record: self._committed(record.info))

    def _said(self, connection: sa.Connection, _cursor: Any, statement: str, _p: Any, context: Any, _m: bool) -> None:
        if written := _written(statement, getattr(context, "compiled_parameters", None) or ()):
            self._committed(connection.info)
            connection.info.setdefault(_WRITES_SO_FAR, []).append(written)

    def _commits(self, connection: sa.Connection) -> None:
        if writes := connection.info.pop(_WRITES_SO_FAR, None):
            name = _transaction(writes)
            connection.info[_COMMITTING] = name, self._watch.after
            if name.startswith("record "):
                self._watch.recording()
            self._watch.meet(name, "before")

    def _committed(self, info: dict[Any, Any]) -> None:
        name, after = info.pop(_COMMITTING, ("", ""))
        if name:
            self._watch.meet(name, "after", after=after)
        if name.startswith("record "):
            self._watch.recorded(name.removeprefix("record "))


_WRITES_SO_FAR, _COMMITTING = "tests.matrix.writes", "tests.matrix.committing"
"""What a connection remembers of its transaction."""


def _written(statement: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The table that a statement changes, and what it says of it; empty for one that changes nothing."""
    if (found := _WRITE.match(statement)) is None:
        return ""
    verb, table = found[1].split()[0].lower(), found[2].replace('"', "").rpartition(".")[2]
    about = rows[0].get(_TELLING.get(table, ""), "") if rows else ""
    return f"{verb} {table} {about}".strip()


def _transaction(writes: Sequence[str]) -> str:
    """What a transaction is called: by the step that it records, or by all that it writes."""
    step = next((each for each in writes if each.startswith(f"insert {_STEPS} ")), "")
    if step:
        return f"record {step.removeprefix(f'insert {_STEPS} ')}"
    return f"transaction {', '.join(dict.fromkeys(writes))}"


def watch(plan: Plan, workspace: Path) -> None:
    """Do what the plan says, from now on to the end of the process."""
    seen = Watch(plan)
    programs = Programs(seen)
    asyncio.get_event_loop_policy().set_child_watcher(programs)
    Transactions(seen).listen()
    _listen(seen, programs, workspace)
