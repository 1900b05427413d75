"""`auto-code run`: one ticket in the foreground."""

import fcntl
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.cli.run import ticket_of
from app.config import load_settings
from app.errors import ConfigurationError, InvalidInput
from app.services.runner import make_runner
from tests.cli.shell import Shell, read_until
from tests.flows.world import IMPLEMENT, World


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose origin is a bare one beside it, `origin.git`."""
    mine, origin = tmp_path / "mine", tmp_path / "origin.git"
    commit = ("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--allow-empty", "-qm", "one")
    for command in (
        ("init", "-q", "--bare", "-b", "main", str(origin)),
        ("clone", "-q", str(origin), str(mine)),
        ("-C", str(mine), "checkout", "-q", "-b", "main"),
        ("-C", str(mine), *commit),
        ("-C", str(mine), "push", "-q", "origin", "main"),
    ):
        subprocess.run(["git", *command], check=True, capture_output=True)
    return mine


def test_a_ticket_becomes_a_pull_request(shell: Shell) -> None:
    with World() as world:
        command = ("run", "PROJ-7", "--title", "Add dark mode toggle", "--description-file", "-", "--no-review")
        done = shell.call(*command, stdin="Said on standard input.", **world.service().env)

        assert done.returncode == 0, done.stdout + done.stderr
        (pull,) = world.pulls
        assert pull.title == "PROJ-7: Add dark mode toggle"
        assert "Said on standard input." in world.prompt_of(world.asked(IMPLEMENT)[0])
        assert f"✓ Opened pull request {pull.url}" in done.stdout
        assert "Write src/toggle.txt" in done.stdout
        assert "▸ review" not in done.stdout
        assert "▸ lint" in done.stdout


def test_a_run_in_a_persons_own_repository_that_changes_nothing_is_no_failure(shell: Shell, repository: Path) -> None:
    done = _offline(shell, repo=repository, REPO_URL="https://127.0.0.1:9/another/one.git")

    assert (done.returncode, done.stderr) == (0, "")
    assert "ticket/proj-1 from main" in done.stdout
    assert "No changes, so no pull request." in done.stdout


def test_a_failed_run_says_why_once_and_how_to_go_on(shell: Shell) -> None:
    done = _offline(shell, repo=shell.directory / "nowhere.git")

    assert done.returncode == 1
    assert done.stdout.count("does not appear to be a git repository") == 1
    assert "✗ PROJ-1 failed" in done.stdout
    assert "auto-code run PROJ-1 --title 'a title' --repo" in done.stdout


def test_ctrl_c_stops_the_run_and_says_how_to_go_on(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/never/answers.git"
        variables = {"OFFLINE": "true", "WORKSPACE_DIR": str(shell.home / "ws")}
        with shell.started("run", "PROJ-1", "--title", "a title", "--repo", url, **variables) as process:
            read_until(process, "▸ workspace")
            process.send_signal(signal.SIGINT)
            said = "".join(read_until(process, "auto-code run PROJ-1 --title 'a title'"))

            assert process.wait(10) == 130
    assert "Stopped by you. The work so far is kept." in said
    assert "run the same command again" in said


def test_a_workspace_that_another_process_works_in_is_left_alone(shell: Shell, repository: Path) -> None:
    workspace = shell.home / "ws"
    workspace.mkdir()
    with (workspace / "auto-code.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = _offline(shell, repo=repository)

    assert done.returncode == 2
    assert re.search(rf"Another auto-code process works on {workspace}.*WORKSPACE_DIR", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_directory_that_is_no_repository_is_named(shell: Shell) -> None:
    done = shell.call("run", "PROJ-1", "--title", "a title", OFFLINE="true", WORKSPACE_DIR=str(shell.home / "ws"))

    assert done.returncode == 2
    assert f"REPO_DIR {shell.directory}" in done.stderr


def test_a_workspace_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match=r"file/ws cannot be made: Not a directory\. Set WORKSPACE_DIR"):
        make_runner(load_settings(workspace_dir=tmp_path / "file/ws", offline=True, _env_file=None))


def test_a_run_needs_a_credential(shell: Shell) -> None:
    done = shell.call("run", "PROJ-1", "--title", "a title")

    assert done.returncode == 2
    assert "ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN" in done.stderr


def test_a_bad_key_ends_the_command_with_the_key_named() -> None:
    done = CliRunner().invoke(app, ["run", "../etc", "--title", "a title"])

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "KEY: '../etc' is no ticket key; it must be like PROJ-1\n"


@pytest.mark.parametrize("key", ["", "proj-1", "PROJ-", "PROJ-1\n", "$(id)-1", "A" * 10_000])
def test_only_a_ticket_key_is_a_key(key: str) -> None:
    with pytest.raises(InvalidInput, match="must be like PROJ-1") as caught:
        ticket_of(key, title="a title", description=None, description_file=None)

    assert caught.value.field == "KEY"
    assert len(caught.value.message) < 200


def test_a_title_must_say_something() -> None:
    with pytest.raises(InvalidInput, match="--title"):
        ticket_of("PROJ-1", title=" \n", description=None, description_file=None)


def test_a_description_comes_from_one_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not both"):
        ticket_of("PROJ-1", title="a title", description="here", description_file=tmp_path)


def test_a_description_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing\.md cannot be read: No such file"):
        ticket_of("PROJ-1", title="a title", description=None, description_file=tmp_path / "nothing.md")


def test_a_description_keeps_only_what_can_be_stored(tmp_path: Path) -> None:
    file = tmp_path / "description.md"
    file.write_bytes(b"one\0 two \xff three\n")

    ticket = ticket_of("PROJ-1", title="caf\udcc3", description=None, description_file=file)

    assert (ticket.summary, ticket.description) == ("caf?", "one two \N{REPLACEMENT CHARACTER} three")


def _offline(shell: Shell, *, repo: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {"OFFLINE": "true", "WORKSPACE_DIR": str(shell.home / "ws")}
    return shell.call("run", "PROJ-1", "--title", "a title", "--repo", str(repo), **own, **variables)
