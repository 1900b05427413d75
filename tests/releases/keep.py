"""Keeps what a killed service of this version leaves behind: its database, its workspace and the forge's repository.

    uv run python -m tests.releases.keep NAME

writes `tests/releases/kept/NAME-sqlite.tar.xz` and `NAME-postgres.tar.xz`, each with a run in every state that a later
version may meet: queued, in the middle of a turn, pushed but without a pull request, waiting for people, with a message
behind it, and ended in each way. It is run once, before a version goes out.
"""

import io
import lzma
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from tests.fakes.git_server import GitRequest
from tests.fakes.scripts import ModelRequest, Reply, ask_people, write_file
from tests.flows.service import Json, Service
from tests.flows.world import WITHOUT_GATES, World
from tests.postgres import Postgres

KEPT = Path(__file__).with_name("kept")
DIRECTORY_FILE = "directory"
"""In an archive: where the world was. Every path in it is as long as one of today's worlds."""

DUMP = "database.sql"

TITLES = {
    "PROJ-1": "Add dark mode toggle",
    "PROJ-2": "Refused by the model",
    "PROJ-3": "Nothing to change",
    "PROJ-4": "Which colour",
    "PROJ-5": "Cut off in the middle",
    "PROJ-6": "Pushed and not opened",
    "PROJ-7": "Still in the queue",
}
CUT_OFF, PUSHED, QUEUED, WAITING = "PROJ-5", "PROJ-6", "PROJ-7", "PROJ-4"

QUESTION = "Which colour shall it be?"


def _toggles(key: str) -> list[Reply]:
    name = f"src/{key.lower()}.txt"
    return [Reply("I write it.", tools=[write_file(name, "toggle\n")]), Reply(f"I added {name}.")]


TURNS: Mapping[str, list[Reply]] = {
    "Add dark mode toggle": _toggles("PROJ-1"),
    "Refused by the model": [Reply("", stop_reason="refusal")],
    "Nothing to change": [Reply("It is so already.")],
    "Choose a colour": [Reply("", tools=[ask_people(QUESTION, "Red", "Blue")]), Reply("It is done in that colour.")],
    "Cut off in the middle": _toggles("PROJ-5"),
    "And then this too": [Reply("Done, too.")],
    "Pushed and not opened": _toggles("PROJ-6"),
    "Still in the queue": _toggles("PROJ-7"),
}


def is_cut_off(request: ModelRequest) -> bool:
    """The second request of the turn that is cut off: its first answer was worked on already."""
    if "Cut off in the middle" not in World.prompt_of(request):
        return False
    return any(message["role"] == "assistant" for message in request.messages)


def pushes_sixth(request: GitRequest) -> bool:
    """The push of the run that does not hear that it arrived."""
    return request.is_push


def live_until_killed(world: World, service: Service) -> None:
    """Bring a run into each state, and kill the service."""
    with service:
        for key in ("PROJ-1", "PROJ-2", "PROJ-3"):
            service.wait(service.accept(world.ticket(key, summary=TITLES[key])))
        _say(service, WAITING, "Choose a colour", title=TITLES[WAITING], world=world)
        pushed, cut_off = world.git.gate(pushes_sixth, after_work=True), world.model.gate(is_cut_off)
        service.accept(world.ticket(PUSHED, summary=TITLES[PUSHED]))
        pushed.wait()
        service.accept(world.ticket(CUT_OFF, summary=TITLES[CUT_OFF]))
        cut_off.wait()
        service.accept(world.ticket(QUEUED, summary=TITLES[QUEUED]))
        _post(service, CUT_OFF, {"text": "And then this too", "mode": "edits"})
        service.kill()


def _say(service: Service, key: str, text: str, *, title: str, world: World) -> None:
    """A conversation that a person begins: the ticket comes first, for it must be known."""
    run_id = service.accept(world.ticket(key, summary="Nothing to change"))
    service.wait(run_id)
    _post(service, key, {"text": text, "mode": "edits"})
    run = service.http.get("/api/v1/runs", params={"ticket": key}).json()["runs"][0]
    service.wait(run["id"], until=lambda run: run["status"] == "needs_input")


def _post(service: Service, key: str, form: Json) -> None:
    answer = service.http.post(f"/code-runs/{key}/messages", data=form, headers={"HX-Request": "true"})
    assert answer.status_code < 400, answer.text


def _pack(world: World, extra: Mapping[str, bytes], archive: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("workspace", "git"):
            tar.add(world.directory / name, name, filter=_is_state)
        for name, content in {**extra, DIRECTORY_FILE: str(world.directory).encode()}.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    KEPT.mkdir(exist_ok=True)
    archive.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def _is_state(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Caches and sockets are made again."""
    if not (member.isfile() or member.isdir() or member.issym()):
        return None
    parts = member.name.split("/")
    if "home" in parts or "tmp" in parts or "cache" in parts or member.name.endswith(".lock"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def keep_sqlite(name: str) -> None:
    """On SQLite: the database is a file of the workspace."""
    with World(TURNS) as world:
        live_until_killed(world, world.service(MAX_CONCURRENT_RUNS="2", **WITHOUT_GATES))
        engine = sa.create_engine(f"sqlite:///{world.workspace}/auto-code.db")
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        _pack(world, {}, KEPT / f"{name}-sqlite.tar.xz")


def keep_postgres(name: str) -> None:
    """On Postgres: the database is a dump."""
    with Postgres() as postgres, World(TURNS) as world:
        database = postgres.database()
        url = postgres.url(database).replace("postgresql+psycopg://", "postgresql://")
        live_until_killed(world, world.service(MAX_CONCURRENT_RUNS="2", DATABASE_URL=url, **WITHOUT_GATES))
        flags = ("--no-owner", "--no-privileges", "--inserts", "--restrict-key=kept")
        argv = [postgres.program("pg_dump"), *flags, f"--dbname={url}"]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        dumped = subprocess.run(argv, check=True, capture_output=True, env=environment)
        _pack(world, {DUMP: dumped.stdout}, KEPT / f"{name}-postgres.tar.xz")


if __name__ == "__main__":
    keep_sqlite(sys.argv[1])
    keep_postgres(sys.argv[1])
