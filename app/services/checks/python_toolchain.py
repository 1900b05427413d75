"""Python's toolchains: uv, poetry, tox, or Python alone. Pure: it runs nothing.

Lock files come first (uv, poetry), then tox, then manifests. uv also serves projects without a lock file, in an
environment that it fills without making one.
"""

from collections.abc import Iterable

from app.services.checks.commands import Argv, Toolchain
from app.services.checks.python_project import PythonProject
from app.services.checks.tree import Tree

_BORROW = ("--with", "pytest")
"""How uv runs a pytest that the project does not ask for."""


def python_toolchain(tree: Tree) -> Toolchain:
    """The toolchain of a tree's Python, without a name where there is none. Raises InvalidInput naming a manifest."""
    project = PythonProject.of(tree)
    if tree.has("uv.lock"):
        return _locked_uv(project)
    if tree.has("poetry.lock"):
        return _poetry(project)
    if project.uses_tox:
        return _tox(project)
    if project.uses_poetry:
        return _poetry(project)
    if project.is_declared or project.is_package or project.requirement_files:
        return _unlocked_uv(project)
    return _python_alone(project)


def _locked_uv(project: PythonProject) -> Toolchain:
    flags = [flag for extra in project.extras for flag in ("--extra", extra)]
    flags += [flag for group in project.groups_asked_for for flag in ("--group", group)]
    run = ("uv", "run", "--locked", *flags)
    return Toolchain(
        name="uv",
        setup=(("uv", "sync", "--locked", *flags),),
        lint=_lint(project, run),
        test=_test(project, run, borrow=_BORROW),
    )


def _unlocked_uv(project: PythonProject) -> Toolchain:
    # `uv sync` would leave a uv.lock behind, which the maintainers chose not to have.
    run = ("uv", "run", "--no-sync" if project.is_declared else "--no-project")
    return Toolchain(
        name="uv",
        setup=(("uv", "venv", "--allow-existing"), ("uv", "pip", "install", *_sources(project))),
        lint=_lint(project, run),
        test=_test(project, run, borrow=_BORROW),
    )


def _sources(project: PythonProject) -> Iterable[str]:
    if project.is_package:
        yield from ("--editable", f".[{','.join(project.extras)}]" if project.extras else ".")
    elif project.is_declared:
        yield from ("--requirement", "pyproject.toml")
        yield from (flag for extra in project.extras for flag in ("--extra", extra))
    yield from (flag for name in project.requirement_files for flag in ("--requirement", name))
    yield from (flag for group in project.groups for flag in ("--group", group))


def _poetry(project: PythonProject) -> Toolchain:
    extras = (f"--extras={extra}" for extra in project.extras)
    run = ("poetry", "run")
    return Toolchain(
        name="poetry",
        setup=(("poetry", "install", "--no-interaction", *extras),),
        lint=_lint(project, run),
        test=_test(project, run),
    )


def _tox(project: PythonProject) -> Toolchain:
    return Toolchain(
        name="tox",
        lint=(("tox", "run", "-e", "lint"),) if project.tox_lints else _lint(project),
        # A machine rarely has every Python of the list; tox fails by itself when it has none of them.
        test=(("tox", "run", "--skip-missing-interpreters", "true"),),
    )


def _python_alone(project: PythonProject) -> Toolchain:
    lint = _lint(project)
    if project.wants_pytest:
        test = _test(project, ("uv", "run", "--no-project"), borrow=_BORROW)
    else:
        test = _unittest(project, ("python3",))
    return Toolchain(name="python" if lint or test else "", lint=lint, test=test)


def _lint(project: PythonProject, run: Argv | None = None) -> tuple[Argv, ...]:
    if run is not None and "ruff" in project.needs:
        return ((*run, "ruff", "check", "."),)
    return (("uvx", "ruff", "check", "."),) if project.configures_ruff else ()


def _test(project: PythonProject, run: Argv, *, borrow: Argv = ()) -> tuple[Argv, ...]:
    if not project.wants_pytest:
        return _unittest(project, (*run, "python"))
    # `python -m` makes the root importable, which code that is no package counts on.
    pytest = ("pytest",) if project.is_package else ("python", "-m", "pytest")
    return ((*run, *(() if "pytest" in project.needs else borrow), *pytest),)


def _unittest(project: PythonProject, python: Argv) -> tuple[Argv, ...]:
    if project.tests and project.tree.has("manage.py"):
        return ((*python, "manage.py", "test"),)
    starts = [("discover", "-s", start) if start else () for start in project.unittest_starts]
    return tuple((*python, "-m", "unittest", *start) for start in starts)
