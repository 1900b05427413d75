"""The house's rules that a newcomer could break without noticing. What imports may do is in pyproject.toml."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

VENDORS = {
    "dbos": {"services/engine"},
    "claude_agent_sdk": {"services/claude_code"},
    "langfuse": {"services/langfuse"},
    "httpx": {"http.py", "services/langfuse"},
    "slowapi": {"api"},
    "psycopg": {"services/store"},
    "sqlalchemy": {"database.py", "services/store", "services/engine"},
    "alembic": {"services/store"},
    "sse_starlette": {"routes"},
    "yaml": {"domain"},
    "jinja2": {"web/rendering.py"},
    "nh3": {"web/markdown.py"},
    "pygments": {"web/highlighting.py"},
    "markdown_it": {"web/markdown.py", "services/tracker", "domain/posting.py"},
    "kingfisher_sdk": {"services/github/secrets.py"},
    "pathspec": {"domain/protected.py"},
    "jwt": {"api"},
    "itsdangerous": {"api"},
    "rich": {"cli"},
    "typer": {"cli"},
    "structlog": {"logger.py"},
    "prometheus_client": {"metrics.py"},
}
"""Each vendor's library is known to one room."""

SERVICES = sorted(path.parent for path in APP.glob("services/*/base.py"))
MOST_LINES = 400


def python_files(*roots: Path) -> Iterator[Path]:
    for root in roots:
        yield from root.rglob("*.py")


def test_imports_keep_their_contracts() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendors_library_is_known_to_one_room(vendor: str) -> None:
    users = {file.relative_to(APP).as_posix() for file in python_files(APP) if vendor in imported_by(file)}
    strangers = {
        user for user in users if not any(user == room or user.startswith(f"{room}/") for room in VENDORS[vendor])
    }
    assert users, f"Nothing imports {vendor} any more: take it out of the project."
    assert not strangers


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_has_its_five_files(service: Path) -> None:
    names = {file.name for file in service.glob("*.py")}
    assert {"__init__.py", "base.py", "factory.py", "mock_client.py"} <= names
    assert any(name == "client.py" or name.endswith("_client.py") for name in names - {"mock_client.py"})


def test_no_file_is_longer_than_a_reader_holds() -> None:
    lines = {
        file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines())
        for file in python_files(APP, ROOT / "tests")
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_only_the_process_room_starts_programs() -> None:
    starters = {
        file.relative_to(APP).as_posix()
        for file in python_files(APP)
        if "subprocess_exec" in file.read_text()
        or {"subprocess", "pty"} & imported_by(file)
        or "os.system" in file.read_text()
    }
    assert starters == {"process.py"}


def test_only_the_way_into_a_room_becomes_a_program() -> None:
    """It runs between `process` and the program, in a process of its own where nothing else of the service is."""
    becoming = {
        file.relative_to(APP).as_posix()
        for file in python_files(APP)
        if any(call in file.read_text() for call in ("os.fork", "os.exec", "os.posix_spawn", "os.spawn"))
    }
    assert {name.rpartition("/")[0] for name in becoming} == {"sandbox/entry"}
    strangers = {
        name
        for file in python_files(APP / "sandbox" / "entry")
        for name in imported_by(file)
        if name in {"app", *VENDORS}
    }
    assert strangers == set()


def test_only_a_factory_picks_a_client() -> None:
    pickers = {
        file.relative_to(APP).as_posix()
        for service in SERVICES
        for file in python_files(APP)
        if f"app.services.{service.name}.client" in modules_imported_by(file) and file.name != "factory.py"
    }
    assert pickers == set()


def imported_by(file: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    return {module.partition(".")[0] for module in modules_imported_by(file)}


@cache
def modules_imported_by(file: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
    return found
