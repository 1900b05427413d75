import json
import shlex
from collections.abc import Mapping

import pytest

from app.errors import InvalidInput
from app.services.checks.commands import Argv, Toolchain
from app.services.checks.toolchains import detect
from app.services.checks.tree import Tree


def tree(files: Mapping[str, str]) -> Tree:
    return Tree(frozenset(files), files)


def shown(argvs: tuple[Argv, ...]) -> list[str]:
    return [shlex.join(argv) for argv in argvs]


def detected(files: Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    found = detect(tree(files))
    return shown(found.setup), shown(found.lint), shown(found.test)


def package(**more: object) -> str:
    return json.dumps({"scripts": {"lint": "eslint .", "test": "vitest"}, **more})


PROJECT = '[project]\nname = "demo"\n[build-system]\nrequires = []\n'
DEV_GROUP = '[dependency-groups]\ndev = ["pytest>=8", "Ruff"]\n'
UNITTEST = "import unittest\nclass T(unittest.TestCase): ..."
PYTEST = "def test_it(): ..."


@pytest.mark.parametrize(
    ("files", "install", "lint", "test"),
    [
        ({"pnpm-lock.yaml": ""}, "pnpm install --frozen-lockfile", "pnpm lint", "pnpm test"),
        ({"package-lock.json": ""}, "npm ci", "npm run lint", "npm test"),
        ({"npm-shrinkwrap.json": ""}, "npm ci", "npm run lint", "npm test"),
        ({}, "npm install --no-package-lock", "npm run lint", "npm test"),
        ({"yarn.lock": "# yarn lockfile v1"}, "yarn install --frozen-lockfile", "yarn lint", "yarn test"),
        ({"yarn.lock": "\n__metadata:\n  version: 8"}, "yarn install --immutable", "yarn lint", "yarn test"),
        ({"bun.lock": ""}, "bun install --frozen-lockfile", "bun run lint", "bun run test"),
        ({"bun.lockb": ""}, "bun install --frozen-lockfile", "bun run lint", "bun run test"),
    ],
)
def test_a_javascript_repository_uses_the_manager_of_its_lock_file(
    files: dict[str, str], install: str, lint: str, test: str
) -> None:
    assert detected({"package.json": package(), **files}) == ([install], [lint], [test])


@pytest.mark.parametrize(
    ("declared", "install"),
    [
        ("pnpm@9.1.0+sha512.abc", "pnpm install --no-lockfile"),
        ("yarn@4.1.0", "yarn install"),
        ("bun@1.2", "bun install --no-save"),
        ("npm@10", "npm ci"),
        ("deno@2", "npm ci"),
    ],
)
def test_the_manager_that_package_json_declares_wins_over_lock_files(declared: str, install: str) -> None:
    assert detected({"package.json": package(packageManager=declared), "package-lock.json": ""})[0] == [install]


@pytest.mark.parametrize(
    "scripts",
    [{}, {"build": "tsc"}, {"test": 'echo "Error: no test specified" && exit 1'}, None, ["lint"], "lint"],
)
def test_scripts_that_package_json_does_not_have_are_not_run(scripts: object) -> None:
    assert detected({"package.json": json.dumps({"scripts": scripts})})[1:] == ([], [])


def test_uv_installs_what_is_locked_and_runs_what_is_installed() -> None:
    files = {"uv.lock": "", "pyproject.toml": PROJECT + DEV_GROUP, "tests/test_a.py": PYTEST}
    assert detected(files) == (["uv sync --locked"], ["uv run --locked ruff check ."], ["uv run --locked pytest"])


def test_uv_installs_the_extras_and_groups_that_hold_linters_and_tests() -> None:
    extras = '[project.optional-dependencies]\ndev = ["ruff"]\ngpu = ["torch"]\n'
    groups = '[dependency-groups]\ntest = ["pytest"]\ndocs = []\n'
    files = {"uv.lock": "", "pyproject.toml": PROJECT + extras + groups, "tests/test_a.py": PYTEST}
    assert detected(files) == (
        ["uv sync --locked --extra dev --group test"],
        ["uv run --locked --extra dev --group test ruff check ."],
        ["uv run --locked --extra dev --group test pytest"],
    )


def test_uv_names_the_dev_group_where_it_is_no_default() -> None:
    more = DEV_GROUP + "[tool.uv]\ndefault-groups = []\n"
    assert detected({"uv.lock": "", "pyproject.toml": PROJECT + more})[0] == ["uv sync --locked --group dev"]


def test_uv_without_its_lock_file_makes_none() -> None:
    files = {"pyproject.toml": PROJECT + DEV_GROUP, "tests/test_a.py": PYTEST}
    assert detected(files) == (
        ["uv venv --allow-existing", "uv pip install --editable . --group dev"],
        ["uv run --no-sync ruff check ."],
        ["uv run --no-sync pytest"],
    )


def test_uv_installs_only_dependencies_of_what_is_no_package() -> None:
    files = {
        "pyproject.toml": '[project]\nname = "demo"\n[project.optional-dependencies]\ntest = ["pytest"]\n',
        "test_a.py": PYTEST,
    }
    setup, _, test = detected(files)
    assert setup[1] == "uv pip install --requirement pyproject.toml --extra test"
    assert test == ["uv run --no-sync python -m pytest"]


def test_uv_serves_requirement_files_and_setup_scripts() -> None:
    files = {
        "setup.py": "",
        "requirements.txt": "requests\n",
        "requirements-dev.txt": "-r requirements.txt\npytest==8\nruff",
        "requirements-docs.txt": "sphinx",
        "tests/test_a.py": PYTEST,
    }
    setup, lint, test = detected(files)
    assert setup[1] == ("uv pip install --editable . --requirement requirements-dev.txt --requirement requirements.txt")
    assert lint == ["uv run --no-project ruff check ."]
    assert test == ["uv run --no-project pytest"]


def test_a_pytest_that_nobody_installs_is_borrowed() -> None:
    files = {"uv.lock": "", "pyproject.toml": PROJECT, "tests/test_a.py": PYTEST}
    assert detected(files)[2] == ["uv run --locked --with pytest pytest"]


def test_what_only_requirement_files_ask_for_is_not_in_a_locked_environment() -> None:
    files = {"uv.lock": "", "pyproject.toml": PROJECT, "requirements.txt": "pytest\nruff", "test_a.py": PYTEST}
    assert detected(files)[1:] == ([], ["uv run --locked --with pytest pytest"])


def test_a_ruff_that_is_only_configured_is_borrowed() -> None:
    assert detected({"uv.lock": "", "pyproject.toml": PROJECT + "[tool.ruff]\nline-length = 80\n"})[1] == [
        "uvx ruff check ."
    ]
    assert detected({"ruff.toml": ""})[1] == ["uvx ruff check ."]


def test_tests_of_unittest_run_with_unittest_unless_the_project_has_pytest() -> None:
    files = {"uv.lock": "", "pyproject.toml": PROJECT, "test_a.py": UNITTEST}
    assert detected(files)[2] == ["uv run --locked python -m unittest"]
    files["pyproject.toml"] += DEV_GROUP
    assert detected(files)[2] == ["uv run --locked pytest"]


@pytest.mark.parametrize(
    "more", [{"conftest.py": ""}, {"pytest.ini": ""}, {"tests/test_b.py": PYTEST}, {"a_test.py": UNITTEST}]
)
def test_tests_that_unittest_would_pass_over_run_with_pytest(more: dict[str, str]) -> None:
    files = {"uv.lock": "", "pyproject.toml": PROJECT, "test_a.py": UNITTEST, **more}
    assert detected(files)[2] == ["uv run --locked --with pytest pytest"]


def test_poetry_runs_in_its_own_environment() -> None:
    poetry = (
        '[tool.poetry.dependencies]\npython = "^3.11"\n[tool.poetry.group.dev.dependencies]\npytest = "*"\nruff = "*"\n'
    )
    files = {"pyproject.toml": poetry + "[build-system]\n", "tests/test_a.py": PYTEST}
    expected = (["poetry install --no-interaction"], ["poetry run ruff check ."], ["poetry run pytest"])
    assert detected(files) == detected({**files, "poetry.lock": "", "tox.ini": "[tox]"}) == expected


def test_tox_comes_before_manifests_and_after_lock_files() -> None:
    tox = {"tox.ini": "[tox]\n[testenv:lint]\n", "pyproject.toml": PROJECT, "tests/test_a.py": PYTEST}
    assert detected(tox) == ([], ["tox run -e lint"], ["tox run --skip-missing-interpreters true"])
    assert detect(tree({**tox, "uv.lock": ""})).name == "uv"


@pytest.mark.parametrize(
    "files",
    [
        {"tox.toml": "[env.lint]\n"},
        {"pyproject.toml": "[tool.tox.env.lint]\nskip_install = true\n"},
        {"pyproject.toml": '[tool.tox]\nlegacy_tox_ini = """\n[testenv:{lint,type}]\n"""\n'},
        {"tox.ini": "[testenv:py311,lint]\n"},
    ],
)
def test_the_lint_environment_of_tox_is_found_in_each_of_its_files(files: dict[str, str]) -> None:
    assert detected(files)[1] == ["tox run -e lint"]


@pytest.mark.parametrize("ini", ["[tox]\n[testenv:pylint]", "[tox]\n[testenv:lint-docs]", "[tox]\n[testenv]\nlint = 1"])
def test_other_environments_of_tox_are_no_lint(ini: str) -> None:
    assert detected({"tox.ini": ini})[1] == []


def test_settings_of_other_tools_in_tox_ini_are_no_tox() -> None:
    assert detect(tree({"tox.ini": "[flake8]\nmax-line-length = 100\n"})) == Toolchain()


def test_python_without_any_manifest_needs_nothing_installed() -> None:
    assert detected({"calc.py": "", "test_calc.py": UNITTEST}) == ([], [], ["python3 -m unittest"])
    assert detected({"calc.py": "", "tests/test_calc.py": PYTEST})[2] == [
        "uv run --no-project --with pytest python -m pytest"
    ]


def test_unittest_begins_wherever_it_would_not_walk_to() -> None:
    files = {
        "test_root.py": UNITTEST,
        "tests/test_plain.py": UNITTEST,
        "package/__init__.py": "",
        "package/tests/__init__.py": "",
        "package/tests/test_in_package.py": UNITTEST,
        "src/package/__init__.py": "",
        "src/package/test_below.py": UNITTEST,
    }
    assert detected(files)[2] == [
        "python3 -m unittest",
        "python3 -m unittest discover -s src",
        "python3 -m unittest discover -s tests",
    ]


def test_django_runs_its_tests_by_itself() -> None:
    files = {"manage.py": "", "requirements.txt": "django", "polls/tests.py": "from django.test import TestCase"}
    assert detected(files)[2] == ["uv run --no-project python manage.py test"]
    assert detected({"manage.py": ""}) == ([], [], [])


def test_rust_and_go_have_one_way() -> None:
    assert detected({"Cargo.toml": ""}) == (
        [],
        ["cargo clippy --all-targets -- -D warnings"],
        ["cargo test"],
    )
    assert detected({"go.mod": ""}) == ([], ["go vet ./..."], ["go test ./..."])


@pytest.mark.parametrize("name", ["Makefile", "makefile", "GNUmakefile"])
def test_make_has_the_targets_that_are_in_its_file(name: str) -> None:
    makefile = "lint := ruff\n.PHONY: lint test\ntest unit: deps\n\tpytest\ndeps::\n\tpip install x\n# setup: no\n"
    assert detected({name: makefile}) == (["make deps"], [], ["make test"])
    assert detected({name: f"{makefile}\nsetup: deps\n"})[0] == ["make setup"]


def test_make_install_is_setup_unless_it_installs_into_the_machine() -> None:
    assert detected({"Makefile": "install:\n\tnpm i\ntest:\n\tx"})[0] == ["make install"]
    assert detected({"Makefile": "install: all\n\tcp x $(DESTDIR)/usr/bin\ntest:\n\tx"})[0] == []


def test_make_fills_in_what_the_toolchains_leave_open() -> None:
    files = {"Makefile": "lint:\n\tx\ntest:\n\tx\nsetup:\n\tx", "go.mod": "", "package.json": "{}"}
    assert detected(files) == (["make setup"], ["go vet ./..."], ["go test ./..."])
    alone = {"Makefile": files["Makefile"], "package.json": "{}"}
    assert detected(alone) == (["npm install --no-package-lock"], ["make lint"], ["make test"])


def test_each_language_at_the_root_is_checked() -> None:
    files = {"package.json": package(), "package-lock.json": "", "Cargo.toml": "", "test_a.py": UNITTEST}
    assert detected(files)[2] == ["npm test", "python3 -m unittest", "cargo test"]
    assert detect(tree(files)).name == "npm, python, cargo"


@pytest.mark.parametrize(
    "files", [{}, {"README.md": ""}, {"web/package.json": package()}, {"a.py": ""}, {"setup.cfg": "[flake8]"}]
)
def test_a_tree_without_a_toolchain_at_its_root_has_none(files: dict[str, str]) -> None:
    assert detect(tree(files)) == Toolchain()


@pytest.mark.parametrize(
    ("name", "text"),
    [("package.json", "{"), ("package.json", "[]"), ("package.json", "[" * 100_000), ("pyproject.toml", "[project")],
)
def test_a_manifest_that_cannot_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        detect(tree({name: text, "uv.lock": ""}))
    assert caught.value.field == name


@pytest.mark.parametrize(
    "pyproject",
    [
        "project = 5",
        "tool = 5",
        "[project]\ndependencies = 5\noptional-dependencies = {dev = 5}",
        '[dependency-groups]\ndev = [5, {include-group = "x"}]',
        "[tool.poetry]\ngroup = {dev = 5}\ndependencies = []",
        "[tool.uv]\ndefault-groups = 5\ndev-dependencies = 5",
        "[tool.tox]\nlegacy_tox_ini = 5\nenv = 5",
    ],
)
@pytest.mark.parametrize("lock", ["uv.lock", "poetry.lock", "nothing.lock"])
def test_a_manifest_of_unexpected_types_is_no_fault(pyproject: str, lock: str) -> None:
    assert detect(tree({"pyproject.toml": pyproject, lock: "", "test_a.py": PYTEST})).test
