"""The command line before any command."""

import subprocess
import sys

from typer.testing import CliRunner

from app.cli import app


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"])

    assert shown.exit_code == 0
    for command in ("serve", "worker", "demo", "run", "check"):
        assert command in shown.output


def test_an_unknown_command_is_an_error_of_usage() -> None:
    assert CliRunner().invoke(app, ["destroy"]).exit_code == 2


def test_help_does_not_wait_for_what_only_commands_need() -> None:
    loaded = (
        "import sys, app.cli; print([name for name in ('dbos', 'fastapi', 'claude_agent_sdk') if name in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", loaded], text=True) == "[]\n"
