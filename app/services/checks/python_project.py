"""What a tree says about its Python: its dependencies, its tests, its settings. It names no commands."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from app.services.checks.tree import Tree, is_python_test, table

_FOR_DEVELOPERS = ("dev", "test", "tests", "testing", "lint")
"""Extras, groups and requirement files that hold what lint and tests need, by the names that people give them."""

_NAMES = "|".join(_FOR_DEVELOPERS)
_REQUIREMENT_FILE = re.compile(rf"requirements([-_.]({_NAMES}))?\.txt|({_NAMES})[-_.]requirements\.txt")
_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_TOX_INI = re.compile(r"^\[(tox|testenv)\b", re.MULTILINE)  # other tools keep their settings in tox.ini too
_TOX_LINT = re.compile(r"^\[testenv:[^\]\n]*(?<![\w-])lint(?![\w-])", re.MULTILINE)


@dataclass(frozen=True)
class PythonProject:
    """Facts about the Python of a tree."""

    tree: Tree
    pyproject: dict[str, Any]

    @classmethod
    def of(cls, tree: Tree) -> "PythonProject":
        """The project of a tree. Raises InvalidInput when its pyproject.toml cannot be read."""
        return cls(tree, tree.toml("pyproject.toml"))

    @property
    def is_declared(self) -> bool:
        """The tree has a pyproject.toml with a `project` table."""
        return "project" in self.pyproject

    @property
    def is_package(self) -> bool:
        """The tree can be installed."""
        if "build-system" in self.pyproject or self.tree.has("setup.py"):
            return True
        return "[metadata]" in self.tree.text("setup.cfg")  # other tools keep their settings in setup.cfg too

    @property
    def extras(self) -> list[str]:
        """Extras for developers."""
        return [name for name in _FOR_DEVELOPERS if name in table(self.pyproject, "project", "optional-dependencies")]

    @property
    def groups(self) -> list[str]:
        """Dependency groups for developers."""
        return [name for name in _FOR_DEVELOPERS if name in table(self.pyproject, "dependency-groups")]

    @property
    def groups_asked_for(self) -> list[str]:
        """Groups that uv installs only when they are named."""
        defaults = table(self.pyproject, "tool", "uv").get("default-groups", ["dev"])
        return [name for name in self.groups if not isinstance(defaults, list) or name not in defaults]

    @property
    def requirement_files(self) -> list[str]:
        """Requirement files of the root that lint and tests need."""
        return sorted(name for name in self.tree.texts if _REQUIREMENT_FILE.fullmatch(name))

    @cached_property
    def needs(self) -> frozenset[str]:
        """Names of what gets installed: dependencies, extras and groups for developers, requirement files."""
        project, tool = table(self.pyproject, "project"), table(self.pyproject, "tool")
        lists = [project.get("dependencies"), table(tool, "uv").get("dev-dependencies")]
        lists += [table(project, "optional-dependencies")[name] for name in self.extras]
        lists += [table(self.pyproject, "dependency-groups")[name] for name in self.groups]
        lines = [item for some in lists if isinstance(some, list) for item in some if isinstance(item, str)]
        if not self.tree.has("uv.lock", "poetry.lock"):
            lines += [self.tree.text(name) for name in self.requirement_files]
        names = {found for line in lines for found in _REQUIREMENT.findall(line)}
        return frozenset(name.lower() for name in (*names, *self._needs_of_poetry()))

    def _needs_of_poetry(self) -> list[str]:
        poetry = table(self.pyproject, "tool", "poetry")
        groups = [table(group, "dependencies") for group in table(poetry, "group").values()]
        return [
            name
            for group in (table(poetry, "dependencies"), table(poetry, "dev-dependencies"), *groups)
            for name in group
        ]

    @property
    def uses_poetry(self) -> bool:
        """The tree has settings of poetry."""
        return bool(table(self.pyproject, "tool", "poetry"))

    @property
    def uses_tox(self) -> bool:
        """The tree has environments of tox."""
        return bool(_TOX_INI.search(self._tox_ini) or self.tree.has("tox.toml") or self._tox)

    @property
    def tox_lints(self) -> bool:
        """One of the environments of tox is named lint."""
        named = table(self.tree.toml("tox.toml"), "env") | table(self._tox, "env")
        return "lint" in named or _TOX_LINT.search(self._tox_ini) is not None

    @property
    def _tox(self) -> dict[str, Any]:
        return table(self.pyproject, "tool", "tox")

    @property
    def _tox_ini(self) -> str:
        return f"{self.tree.text('tox.ini')}\n{self._tox.get('legacy_tox_ini', '')}"

    @property
    def configures_ruff(self) -> bool:
        """Ruff has settings here, wherever it comes from."""
        return bool(table(self.pyproject, "tool", "ruff") or self.tree.has("ruff.toml", ".ruff.toml"))

    @cached_property
    def tests(self) -> list[str]:
        """Paths of test files."""
        return sorted(filter(is_python_test, self.tree.files))

    @property
    def wants_pytest(self) -> bool:
        """There are tests, and unittest would not find them all: it passes without a word where it finds none."""
        if not self.tests:
            return False
        configured = self.tree.has("pytest.ini", "conftest.py") or table(self.pyproject, "tool", "pytest")
        return "pytest" in self.needs or bool(configured) or not all(map(self._is_for_unittest, self.tests))

    def _is_for_unittest(self, path: str) -> bool:
        named = PurePosixPath(path).name.startswith("test")
        return named and "TestCase" in self.tree.texts.get(path, "TestCase")

    @property
    def unittest_starts(self) -> list[str]:
        """Directories where unittest must begin to find every test, since it walks into packages only. Root: empty."""
        return sorted({self._unittest_start(path) for path in self.tests})

    def _unittest_start(self, path: str) -> str:
        place = PurePosixPath(path).parent
        while place.name and self.tree.has(f"{place}/__init__.py"):
            place = place.parent
        return str(place) if place.name else ""
