"""`auto-code check`: what works, what does not, and how to mend it."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from app.cli.findings import Absent, Finding, Mark, Trial, findings_of
from app.errors import WorkFailed
from tests.cli.shell import Shell
from tests.flows.world import World


def test_everything_that_a_run_needs_is_tried(shell: Shell) -> None:
    with World() as world:
        env = world.service().env
        done = shell.call("check", **env)

    assert done.returncode == 0, done.stdout + done.stderr
    marks = _marks(done)
    assert {name for name, mark in marks.items() if mark == "✓"} == {
        "settings", "production", "webhook", "workspace", "database", "git", "gh", "setpriv", "toolchains",
        "repository", "sandbox", "claude",
    }  # fmt: skip
    assert marks["langfuse"] == "–"
    assert "claude-sonnet-4-6 answered in" in done.stdout
    assert "may push to acme/widgets" in done.stdout


def test_what_refuses_is_named_with_what_to_mend_and_no_secret_is_shown(shell: Shell) -> None:
    secrets = {"GH_TOKEN": "ghp_" + "w" * 36, "ANTHROPIC_API_KEY": "sk-ant-wrong", "LANGFUSE_SECRET_KEY": "sk-lf-wrong"}
    with World() as world:
        langfuse = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_BASE_URL": "http://127.0.0.1:9"}
        done = shell.call("check", **{**world.service().env, **secrets, **langfuse})

    assert done.returncode == 1
    marks = _marks(done)
    assert {name for name, mark in marks.items() if mark == "✗"} == {"repository", "claude", "langfuse"}
    for mend in ("GH_TOKEN", "ANTHROPIC_API_KEY", "LANGFUSE_BASE_URL"):
        assert mend in done.stdout
    assert not [value for value in secrets.values() if value in done.stdout + done.stderr]
    assert "Traceback" not in done.stderr


def test_a_machine_with_nothing_set_is_told_what_to_set(shell: Shell) -> None:
    done = shell.call("check", WORKSPACE_DIR=str(shell.home / "ws"))

    assert done.returncode == 1
    marks = _marks(done)
    assert (marks["repository"], marks["claude"], marks["workspace"]) == ("✗", "✗", "✓")
    assert (marks["production"], marks["webhook"], marks["langfuse"]) == ("–", "–", "–")
    assert "REPO_URL, ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, GH_TOKEN, WEBHOOK_SECRET" in done.stdout


def test_a_program_gets_json(shell: Shell, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    commit = ("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--allow-empty", "-qm", "one")
    for command in (("init", "-q", "-b", "main", str(repository)), ("-C", str(repository), *commit)):
        subprocess.run(["git", *command], check=True)

    variables = {"OFFLINE": "true", "WORKSPACE_DIR": str(shell.home / "ws"), "REPO_URL": str(repository)}
    done = shell.call("check", "--json", "--no-model", **variables)

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["ok"] is True
    statuses = {each["name"]: each["status"] for each in told["checks"]}
    assert (statuses["repository"], statuses["claude"]) == ("ok", "absent")


def test_settings_that_cannot_be_read_are_one_finding_beside_the_tools(shell: Shell) -> None:
    (shell.directory / ".env").write_bytes(b"\xff\xfe")
    done = shell.call("check")

    assert (done.returncode, done.stderr) == (1, "")
    marks = _marks(done)
    assert (marks["settings"], marks["git"]) == ("✗", "✓")
    assert ".env cannot be read" in done.stdout
    assert "claude" not in marks


def test_production_without_settings_does_not_start_and_names_all_that_is_missing(shell: Shell) -> None:
    done = shell.call("serve", NODE_ENV="production")

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    for name in ("REPO_URL", "ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN", "GH_TOKEN", "WEBHOOK_SECRET"):
        assert name in done.stderr


@pytest.mark.parametrize(
    ("raised", "mark"),
    [(Absent("not set"), Mark.ABSENT), (WorkFailed("mend it"), Mark.FAILED), (OSError(28, "full"), Mark.FAILED)],
)
async def test_a_trial_that_raises_is_a_finding(raised: Exception, mark: Mark) -> None:
    async def attempt() -> str:
        raise raised

    assert (await Trial("it", attempt).finding()).mark is mark


async def test_a_trial_has_a_limit() -> None:
    finding = await Trial("slow", asyncio.Event().wait, limit_s=0.01).finding()  # type: ignore[arg-type]

    assert finding == Finding("slow", Mark.FAILED, "gave no answer within 0 s; try again later.")


async def test_a_trial_that_breaks_does_not_hide_the_others() -> None:
    async def broken() -> str:
        raise ZeroDivisionError("by zero")

    async def fine() -> str:
        return "fine"

    findings = [finding async for finding in findings_of([Trial("broken", broken), Trial("fine", fine)])]

    assert [finding.mark for finding in findings] == [Mark.FAILED, Mark.OK]
    assert "ZeroDivisionError: by zero" in findings[0].found


def _marks(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
