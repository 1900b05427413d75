"""A repository's files as toolchains see them. It reads a bounded part of the tree, and decides nothing."""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from app.errors import InvalidInput

MANIFESTS = frozenset(
    {
        "package.json", "yarn.lock", "pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini", "tox.toml",
        "Cargo.toml", "go.mod", "Makefile", "makefile", "GNUmakefile",
    }
)  # fmt: skip
"""Files of the root whose text tells something; `*requirements*.txt` too."""

_NOT_THE_REPOSITORYS_OWN = frozenset({"node_modules", "venv", "target", "vendor", "dist", "build", "__pycache__"})
_PYTHON_TEST = re.compile(r"tests\.py|test_.*\.py|.*_test\.py")
_MOST_FILES = 20_000
_MOST_TESTS = 200
_MOST_BYTES = 1 << 20
_DEEPEST = 6


@dataclass(frozen=True)
class Tree:
    """Paths of files, relative to the root and with `/`; texts of manifests and of Python's test files."""

    files: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Whether one of the files is there."""
        return any(name in self.files for name in names)

    def text(self, name: str) -> str:
        """The file's text; empty when it is not there."""
        return self.texts.get(name, "")

    def json(self, name: str) -> dict[str, Any]:
        """The object in the file; empty when it is not there. Raises InvalidInput naming the file."""
        return self._table(name, json.loads)

    def toml(self, name: str) -> dict[str, Any]:
        """The table in the file; empty when it is not there. Raises InvalidInput naming the file."""
        return self._table(name, tomllib.loads)

    def _table(self, name: str, loads: Any) -> dict[str, Any]:
        if name not in self.texts:
            return {}
        try:
            value = loads(self.texts[name])
        except (ValueError, RecursionError) as error:
            raise InvalidInput(name, f"cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise InvalidInput(name, "must hold an object")
        return value


def table(value: object, *path: str) -> dict[str, Any]:
    """The object at a path inside an object; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def is_python_test(path: str) -> bool:
    """Whether Python's test runners take the file for tests."""
    return _PYTHON_TEST.fullmatch(PurePosixPath(path).name) is not None


def read_tree(directory: Path) -> Tree:
    """The files of a directory and the texts that matter. What cannot be read counts as absent."""
    files = sorted(islice(_walk(directory), _MOST_FILES))
    tests = islice((path for path in files if is_python_test(path)), _MOST_TESTS)
    told = [path for path in files if path in MANIFESTS or _is_requirements(path)]
    texts = {path: text for path in (*told, *tests) if (text := _read(directory / path)) is not None}
    return Tree(frozenset(files), texts)


def _is_requirements(path: str) -> bool:
    return "/" not in path and "requirements" in path and path.endswith(".txt")


def _walk(root: Path) -> Iterator[str]:
    """Paths from the top down, so that the root's files are never crowded out."""
    for parent, directories, names in os.walk(root):
        place = Path(parent).relative_to(root)
        own = (name for name in directories if name not in _NOT_THE_REPOSITORYS_OWN and not name.startswith("."))
        directories[:] = sorted(own) if len(place.parts) < _DEEPEST else []
        yield from ((place / name).as_posix() for name in names)


def _read(path: Path) -> str | None:
    try:
        if not path.is_file():  # a pipe or a device would never end
            return None
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        return None
