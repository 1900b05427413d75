"""How the CLI is started: its tools, limits and environment. Each value answers a default that would hurt."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import claude_agent_sdk
from claude_agent_sdk import ClaudeAgentOptions

from app import process
from app.config import Settings
from app.models import Model

BUNDLED_CLI = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
_LAUNCHER = Path(__file__).with_name("launcher.sh")

_AUTHOR_TOOLS = [
    "Read", "Edit", "Write", "Glob", "Grep", "Bash", "Agent", "TaskCreate", "TaskUpdate", "TaskList",
]  # fmt: skip
_REVIEWER_TOOLS = ["Read", "Glob", "Grep"]
_AUTHOR_TURNS = 50
_REVIEWER_TURNS = 10

# The service commits and publishes. This only spares the model a detour; what really keeps it from publishing is that
# it has no credential.
_NOT_THE_AGENTS_WORK = ["Bash(git push:*)", "Bash(git commit:*)", "Bash(gh:*)"]

_SETTINGS = json.dumps(
    {
        "cleanupPeriodDays": 3650,  # else a later run deletes the transcripts that conversations are resumed from
        "attribution": {"commit": "", "pr": ""},
    }
)
_LARGEST_MESSAGE = 64 << 20  # one big file write in a message ends the run at the default of 1 MiB


class CliSettings(Model):
    """What every CLI process has in common."""

    cli: Path
    state: Path
    """Directory with one configuration directory a session: sessions that share one see each other."""
    model: str
    idle_s: float
    retries: int
    credential: tuple[str, str] | None
    base_url: str | None

    @classmethod
    def of(cls, settings: Settings) -> "CliSettings":
        """From the settings of the service."""
        credential = settings.claude_credential
        return cls(
            cli=settings.claude_cli or BUNDLED_CLI,
            state=settings.workspace_dir / "claude",
            model=settings.claude_model,
            idle_s=settings.claude_idle_timeout_s,
            retries=settings.claude_max_retries,
            credential=credential and (credential[0], credential[1].get_secret_value()),
            base_url=settings.anthropic_base_url,
        )

    def config_directory(self, session_id: str) -> Path:
        """Where the CLI keeps the session."""
        return self.state / session_id


def author_options(
    cli: CliSettings,
    session_id: str,
    directory: Path,
    *,
    resume: bool,
    system_prompt: str,
    on_stderr: Callable[[str], None],
) -> ClaudeAgentOptions:
    """Options of the session that may change files. Nothing in them is of one run but the ids, so that every run's
    requests begin with the same bytes.
    """
    options = _options(cli, session_id, directory, resume=resume, system_prompt=system_prompt, on_stderr=on_stderr)
    options.permission_mode = "acceptEdits"
    options.tools = _AUTHOR_TOOLS
    options.allowed_tools = ["Bash"]  # else nearly every command is refused
    options.disallowed_tools = _NOT_THE_AGENTS_WORK
    options.max_turns = _AUTHOR_TURNS
    return options


def reviewer_options(
    cli: CliSettings,
    session_id: str,
    directory: Path,
    *,
    resume: bool,
    system_prompt: str,
    on_stderr: Callable[[str], None],
) -> ClaudeAgentOptions:
    """Options of a session that reads. What is not in its tools does not exist there, whatever the permission mode."""
    options = _options(cli, session_id, directory, resume=resume, system_prompt=system_prompt, on_stderr=on_stderr)
    options.permission_mode = "bypassPermissions"
    options.tools = _REVIEWER_TOOLS
    options.max_turns = _REVIEWER_TURNS
    return options


def _options(
    cli: CliSettings,
    session_id: str,
    directory: Path,
    *,
    resume: bool,
    system_prompt: str,
    on_stderr: Callable[[str], None],
) -> ClaudeAgentOptions:
    return ClaudeAgentOptions(
        cwd=directory,
        cli_path=_LAUNCHER,
        model=cli.model,
        session_id=None if resume else session_id,
        resume=session_id if resume else None,
        system_prompt=system_prompt,
        # The target repository's settings may hold hooks, servers, and another address for the model's traffic.
        setting_sources=[],
        strict_mcp_config=True,
        settings=_SETTINGS,
        max_buffer_size=_LARGEST_MESSAGE,
        include_partial_messages=True,
        stderr=on_stderr,
        env=_environment(cli, session_id),
    )


def _environment(cli: CliSettings, session_id: str) -> dict[str, str]:
    home = cli.config_directory(session_id)
    own = {
        "CLAUDE_CONFIG_DIR": str(home),
        "TMPDIR": str(home / "tmp"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # else a turn ends before what it started in the background
        "CLAUDE_CODE_MAX_RETRIES": str(cli.retries),
        # The host watches for silence; the CLI's own limits come first, so that it can try again by itself.
        "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": str(max(10_000, int(cli.idle_s * 500))),
        "API_TIMEOUT_MS": str(int(cli.idle_s * 900)),
        "DISABLE_AUTOUPDATER": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    if os.geteuid() == 0:
        own["IS_SANDBOX"] = "1"  # without it the CLI refuses bypassPermissions to root
    if cli.base_url is not None:
        own["ANTHROPIC_BASE_URL"] = cli.base_url
    if cli.credential is not None:
        name, value = cli.credential
        own[name] = value
    kept = [*process.operator_environment(), *own, "PWD", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_AGENT_SDK_VERSION"]
    kept += ["CLAUDE_CODE_SDK_READS_SESSION_STATE", "TRACEPARENT"]
    return {**own, "AUTO_CODE_KEEP": " ".join(kept), "AUTO_CODE_CLI": str(cli.cli)}
