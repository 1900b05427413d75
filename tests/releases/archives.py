"""Kept worlds, brought back to life in another place: a path of the old world becomes one of the new world's."""

import io
import lzma
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.flows.world import World
from tests.postgres import Postgres
from tests.releases.keep import DIRECTORY_FILE, DUMP, KEPT


def kept(database: str) -> list[Path]:
    """The archives of all versions on that kind of database, the oldest first."""
    return sorted(KEPT.glob(f"*-{database}.tar.xz"))


def revive(archive: Path, world: World) -> bytes:
    """Put what is kept in the place of the world's own, which has not begun; the return is the database's dump."""
    for name in ("workspace", "git"):
        shutil.rmtree(world.directory / name, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(archive.read_bytes()))) as tar:
        tar.extractall(world.directory, filter="data")
    was = (world.directory / DIRECTORY_FILE).read_text()
    moves = {was.encode(): str(world.directory).encode(), _folder(was).encode(): _folder(str(world.directory)).encode()}
    assert all(len(old) == len(new) for old, new in moves.items()), "The paths must be of one length."
    for name in ("workspace", "git"):
        _move(world.directory / name, moves)
    dump = world.directory / DUMP
    return _replaced(dump.read_bytes(), moves) if dump.exists() else b""


def load(postgres: Postgres, dump: bytes) -> str:
    """A new database with what was dumped, as an operator names it."""
    url = postgres.url(postgres.database()).replace("postgresql+psycopg://", "postgresql://")
    argv = [postgres.program("psql"), "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={url}"]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    subprocess.run(argv, input=dump, check=True, capture_output=True, env=environment)
    return url


def _move(root: Path, moves: dict[bytes, bytes]) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if (moved := _replaced(content, moves)) != content:
                path.chmod(path.stat().st_mode | 0o200)
                path.write_bytes(moved)
        if (name := _replaced(path.name.encode(), moves).decode()) != path.name:
            path.rename(path.with_name(name))


def _replaced(content: bytes, moves: dict[bytes, bytes]) -> bytes:
    for old, new in moves.items():
        content = content.replace(old, new)
    return content


def _folder(directory: str) -> str:
    """The name under which Claude Code keeps what belongs to a directory."""
    return re.sub(r"[^a-zA-Z0-9]", "-", directory)
