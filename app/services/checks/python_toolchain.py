"""Python's toolchains: uv, poetry, tox, or Python alone. Pure: it runs nothing.

Lock files come first (uv, poetry), then tox, then manifests. uv also serves projects without a lock file, in an
environment that it fills without making one.
"""

import re
from collections.abc import Iterable
from typing import Any

from app.services.checks.commands import Argv, Toolchain
from app.services.checks.tree import Tree, is_python_test, table

_FOR_DEVELOPERS = ("dev", "test", "tests", "testing", "lint")
"""Extras, groups and requirement files that hold what lint and tests need, by the names that people give them."""

_REQUIREMENT_FILE = re.compile(
    rf"requirements([-_.]({'|'.join(_FOR_DEVELOPERS)}))?\.txt|({'|'.join(_FOR_DEVELOPERS)})[-_.]requirements\.txt"
)
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_TOX_INI = re.compile(r"^\[(tox|testenv)\b", re.MULTILINE)  # other tools keep their settings in tox.ini too
_TOX_LINT = re.compile(r"^\[testenv:[^\]\n]*(?<![\w-])lint(?![\w-])", re.MULTILINE)
_PLAIN_UV: Argv = ("uv", "run", "--no-project")


def python_toolchain(tree: Tree) -> Toolchain:
    """The toolchain of a tree's Python, without a name where there is none."""
    pyproject = tree.toml("pyproject.toml")
    if tree.has("uv.lock"):
        return _locked_uv(tree, pyproject)
    if tree.has("poetry.lock"):
        return _poetry(tree, pyproject)
    if _TOX_INI.search(tree.text("tox.ini")) or tree.has("tox.toml") or table(pyproject, "tool", "tox"):
        return _tox(tree, pyproject)
    if table(pyproject, "tool", "poetry"):
        return _poetry(tree, pyproject)
    if "project" in pyproject or tree.has("setup.py", "setup.cfg") or _requirement_files(tree):
        return _unlocked_uv(tree, pyproject)
    return _python_alone(tree, pyproject)


def _locked_uv(tree: Tree, pyproject: dict[str, Any]) -> Toolchain:
    default_groups = table(pyproject, "tool", "uv").get("default-groups", ["dev"])
    flags = [flag for extra in _extras(pyproject) for flag in ("--extra", extra)]
    flags += [flag for group in _groups(pyproject) if group not in default_groups for flag in ("--group", group)]
    run = ("uv", "run", "--locked", *flags)
    return Toolchain(
        name="uv",
        setup=(("uv", "sync", "--locked", *flags),),
        lint=_lint(tree, pyproject, run),
        test=_test(tree, pyproject, run, borrow=("--with", "pytest")),
    )


def _unlocked_uv(tree: Tree, pyproject: dict[str, Any]) -> Toolchain:
    # `uv sync` would leave a uv.lock behind, which the maintainers chose not to have.
    run = ("uv", "run", "--no-sync") if "project" in pyproject else _PLAIN_UV
    return Toolchain(
        name="uv",
        setup=(("uv", "venv", "--allow-existing"), ("uv", "pip", "install", *_sources(tree, pyproject))),
        lint=_lint(tree, pyproject, run),
        test=_test(tree, pyproject, run, borrow=("--with", "pytest")),
    )


def _sources(tree: Tree, pyproject: dict[str, Any]) -> Iterable[str]:
    extras = _extras(pyproject)
    if _is_package(tree, pyproject):
        yield from ("--editable", f".[{','.join(extras)}]" if extras else ".")
    elif "project" in pyproject:
        yield from ("--requirement", "pyproject.toml")
        yield from (flag for extra in extras for flag in ("--extra", extra))
    yield from (flag for name in _requirement_files(tree) for flag in ("--requirement", name))
    yield from (flag for group in _groups(pyproject) for flag in ("--group", group))


def _poetry(tree: Tree, pyproject: dict[str, Any]) -> Toolchain:
    extras = (f"--extras={extra}" for extra in _extras(pyproject))
    run = ("poetry", "run")
    return Toolchain(
        name="poetry",
        setup=(("poetry", "install", "--no-interaction", *extras),),
        lint=_lint(tree, pyproject, run),
        test=_test(tree, pyproject, run),
    )


def _tox(tree: Tree, pyproject: dict[str, Any]) -> Toolchain:
    named = table(tree.toml("tox.toml"), "env") | table(pyproject, "tool", "tox", "env")
    ini = tree.text("tox.ini") + str(table(pyproject, "tool", "tox").get("legacy_tox_ini", ""))
    has_lint = "lint" in named or _TOX_LINT.search(ini)
    return Toolchain(
        name="tox",
        lint=(("tox", "run", "-e", "lint"),) if has_lint else _lint(tree, pyproject, None),
        # A machine rarely has every Python of the list; tox fails by itself when it has none.
        test=(("tox", "run", "--skip-missing-interpreters", "true"),),
    )


def _python_alone(tree: Tree, pyproject: dict[str, Any]) -> Toolchain:
    lint = _lint(tree, pyproject, None)
    test = _test(tree, pyproject, _PLAIN_UV, borrow=("--with", "pytest"))
    if test and test[0][-1] != "pytest":
        test = tuple(("python3", *argv[argv.index("-m") :]) for argv in test)
    return Toolchain(name="python" if lint or test else "", lint=lint, test=test)


def _lint(tree: Tree, pyproject: dict[str, Any], run: Argv | None) -> tuple[Argv, ...]:
    if run is not None and "ruff" in _needs(tree, pyproject):
        return ((*run, "ruff", "check", "."),)
    if table(pyproject, "tool", "ruff") or tree.has("ruff.toml", ".ruff.toml"):
        return (("uvx", "ruff", "check", "."),)
    return ()


def _test(tree: Tree, pyproject: dict[str, Any], run: Argv, borrow: Argv = ()) -> tuple[Argv, ...]:
    """pytest where the project has it or its tests need it, else unittest; nothing where there are no tests."""
    tests = sorted(filter(is_python_test, tree.files))
    if not tests:
        return ()
    needed = "pytest" in _needs(tree, pyproject)
    configured = tree.has("pytest.ini", "conftest.py") or table(pyproject, "tool", "pytest")
    if needed or configured or not all("unittest" in tree.text(path) for path in tests if path in tree.texts):
        # `python -m` makes the root importable, which a tree that is no package counts on.
        pytest = ("pytest",) if _is_package(tree, pyproject) else ("python", "-m", "pytest")
        return ((*run, *(() if needed else borrow), *pytest),)
    return tuple((*run, "python", "-m", "unittest", *where) for where in _unittest_places(tree, tests))
