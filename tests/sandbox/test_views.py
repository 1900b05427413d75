"""What a room shows of a machine, and which variables."""

import sys
from pathlib import Path

import pytest

from app.sandbox import views
from tests.sandbox.conftest import Make, room_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    return place


def shows(shown: tuple[str, ...], path: Path) -> bool:
    return any(path.is_relative_to(tree) for tree in shown)


def on_path(*directories: Path, home: Path) -> dict[str, str]:
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
    return {"PATH": ":".join(map(str, directories)), "HOME": str(home)}


def test_a_toolchain_on_the_search_path_is_shown_with_what_is_beside_its_programs(tmp_path: Path, home: Path) -> None:
    shown = views.shown(on_path(tmp_path / "go/bin", tmp_path / "tools", home=home), workspace=tmp_path / "workspace")
    assert shows(shown, tmp_path / "go/src")
    assert shows(shown, tmp_path / "tools/tool")
    assert shows(shown, Path("/usr/bin"))
    assert shows(shown, Path(sys.base_prefix))


def test_the_operators_home_is_never_shown_whole(tmp_path: Path, home: Path) -> None:
    environment = on_path(home / "bin", home / ".local/bin", home, home=home)
    shown = views.shown(environment, workspace=tmp_path / "workspace")
    assert shows(shown, home / "bin/tool")
    assert shows(shown, home / ".local/bin/tool")
    assert not shows(shown, home / ".ssh/id_ed25519")
    assert not shows(shown, home / ".local/share/keyrings")


def test_of_a_toolchain_in_the_operators_home_credentials_are_not_shown(tmp_path: Path, home: Path) -> None:
    environment = on_path(home / ".cargo/bin", home=home)
    for name in ("credentials.toml", "config.toml"):
        (home / ".cargo" / name).touch()
    (home / ".rustup").mkdir()
    (home / ".rustup/settings.toml").touch()
    shown = views.shown(environment, workspace=tmp_path / "workspace")
    assert shows(shown, home / ".cargo/bin/cargo")
    assert shows(shown, home / ".cargo/config.toml")
    assert not shows(shown, home / ".cargo/credentials.toml")
    assert shows(shown, home / ".rustup/settings.toml")


def test_what_holds_the_workspace_is_not_shown(tmp_path: Path, home: Path) -> None:
    workspace = tmp_path / "data" / "workspace"
    shown = views.shown(on_path(tmp_path / "data/bin", tmp_path / "bin", home=home), workspace=workspace)
    assert not shows(shown, workspace)
    assert shows(shown, tmp_path / "data/bin/tool")


def test_secrets_of_the_machine_are_not_shown(tmp_path: Path, home: Path) -> None:
    shown = views.shown({"HOME": str(home)}, workspace=tmp_path)
    for secret in ("/etc/shadow", "/etc/ssl/private", "/etc/ssh", "/run/secrets", "/root", "/var", "/tmp", "/dev/pts"):
        assert not shows(shown, Path(secret)), secret


def test_the_services_own_programs_are_not_on_the_search_path(make: Make, worktree: Path) -> None:
    own = str(Path(sys.prefix) / "bin")
    sandbox = make(environment={"PATH": f"{own}:/usr/bin"})
    assert sandbox.environment(room_of(sandbox, worktree))["PATH"] == "/usr/bin"


def test_variables_are_an_allow_list(make: Make, worktree: Path, home: Path) -> None:
    own = {
        "PATH": "/usr/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": "/etc/ssl/cert.pem",
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "GH_TOKEN": "ghs_secret",
        "HTTPS_PROXY": "http://proxy:3128",
        "UV_CACHE_DIR": "/var/cache/uv",
        "EXTRA": "1",
    }
    sandbox = make(environment=own)
    room = room_of(sandbox, worktree)
    expected = {
        **{name: own[name] for name in ("PATH", "LANG", "SSL_CERT_FILE", "PIP_INDEX_URL", "EXTRA")},
        "HOME": str(room.directory / "home"),
        "TMPDIR": str(room.directory / "tmp"),
        "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
    assert sandbox.environment(room, "EXTRA") == expected


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "HTTPS_PROXY", "GOPROXY"])
def test_a_value_with_a_password_is_not_passed_on(make: Make, worktree: Path, name: str) -> None:
    secret, plain = ({name: f"https://{user}mirror.example/"} for user in ("me:secret@", ""))
    for own, passed in ((secret, False), (plain, True)):
        sandbox = make(environment=own, agent_network="open")
        assert (name in sandbox.environment(room_of(sandbox, worktree))) is passed


def test_toolchains_of_the_operators_home_are_named_since_a_room_has_another(
    make: Make, worktree: Path, home: Path
) -> None:
    (home / ".rustup").mkdir()
    sandbox = make(environment={"HOME": str(home)})
    assert sandbox.environment(room_of(sandbox, worktree))["RUSTUP_HOME"] == str(home / ".rustup")
