"""How the CLI is started: its tools, limits and environment. Each value answers a default that would hurt."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import claude_agent_sdk
from claude_agent_sdk import ClaudeAgentOptions
from claude_agent_sdk.types import SessionStore

from app.config import Settings
from app.models import Model
from app.prompts import system_prompts
from app.services.claude_code.base import SessionRef
from app.services.claude_code.gate import Gate
from app.services.claude_code.permissions import ASK, PROPOSE
from app.services.claude_code.transcripts import NOTHING, History

BUNDLED_CLI = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
TOKEN = "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR"  # noqa: S105 - a name
"""Where the CLI reads what it takes for its credential from, so that its own commands do not find it."""

_SETTINGS = {
    "cleanupPeriodDays": 3650,  # else a later run deletes the transcripts that conversations are resumed from
    "attribution": {"commit": "", "pr": ""},
    # Each process listens on a socket that others' commands can connect to, and would take what comes for a prompt.
    "crossSessionInbound": "refuse",
}
_CONFIG = "CLAUDE_CONFIG_DIR"
_LONGEST_COMMAND_S, _USUAL_COMMAND_S = 600.0, 120.0  # the CLI's own limits
_LARGEST_MESSAGE = 64 << 20  # one big file write in a message ends the run at the default of 1 MiB


class Role(Model):
    """A kind of session. Nothing in a role is of one run, so that every run's requests begin with the same bytes.

    What is not in `tools` does not exist for the session; what is in it passes the gate at each call. A role that does
    not `write` cannot change the worktrees, whatever passes.
    """

    name: str
    system_prompt: str
    tools: tuple[str, ...]
    refused: tuple[str, ...] = ()
    most_turns: int
    writes: bool = True


_LOOKING = ("Read", "Glob", "Grep")

AUTHOR = Role(
    name="author",
    system_prompt=system_prompts.AUTHOR,
    # The same in turns that may change nothing: another list would begin the model's cache anew.
    tools=(*_LOOKING, "Edit", "Write", "Bash", "Agent", "TaskCreate", "TaskUpdate", "TaskList", ASK, PROPOSE),
    # The service commits and publishes. This only spares the model a detour: what keeps it from publishing is that it
    # has no credential.
    refused=("Bash(git push:*)", "Bash(git commit:*)", "Bash(gh:*)"),
    most_turns=50,
)
REVIEWER = Role(name="reviewer", system_prompt=system_prompts.REVIEWER, tools=_LOOKING, most_turns=10, writes=False)


class CliSettings(Model):
    """What every CLI process has in common."""

    cli: Path
    state: Path
    """Directory with one configuration directory a session: sessions that share one see each other."""
    model: str
    region: str | None
    """Of Bedrock; None where Claude is not asked there."""
    idle_s: float
    retries: int
    command_s: float
    """The most that one command may take."""

    @classmethod
    def of(cls, settings: Settings) -> "CliSettings":
        """From the settings of the service."""
        return cls(
            cli=settings.claude_cli or BUNDLED_CLI,
            state=settings.workspace_dir / "claude",
            model=settings.claude_model,
            region=settings.aws_region if settings.claude_code_use_bedrock else None,
            idle_s=settings.claude_idle_timeout_s,
            retries=settings.claude_max_retries,
            # Shorter than what counts as a stall, so that the model hears of a command that hangs.
            command_s=min(_LONGEST_COMMAND_S, settings.stall_minutes * 60 * 0.9),
        )

    def config_directory(self, session_id: str) -> Path:
        """Where the CLI keeps the session."""
        return self.state / session_id / "config"


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a session's process begins. What the session waits for is taken up as soon as it is open."""

    session: SessionRef
    role: Role
    model: str
    history: History = NOTHING
    mirror: SessionStore | None = None
    """Is told what the CLI writes down, as it does."""

    @property
    def planning(self) -> bool:
        """Whether it begins in the CLI's plan mode."""
        waiting = self.history.waiting
        return waiting is not None and waiting.planning


def options_of(
    opening: Opening,
    gate: Gate,
    *,
    launcher: Path,
    env: Mapping[str, str],
    config: Path,
    on_stderr: Callable[[str], None],
) -> ClaudeAgentOptions:
    """Options of a process that begins the session, or resumes it. `env` is what makes the launcher start the CLI.

    The CLI keeps the session in `config`.
    """
    session, role = opening.session, opening.role
    return ClaudeAgentOptions(
        cwd=session.directory,
        add_dirs=list(session.others),
        cli_path=launcher,
        model=opening.model,
        session_id=None if opening.history.begun else session.id,
        resume=session.id if opening.history.begun else None,
        system_prompt=role.system_prompt,
        permission_mode="plan" if opening.planning else "default",
        tools=list(role.tools),
        disallowed_tools=list(role.refused),
        hooks=gate.hooks(),
        can_use_tool=gate.can_use_tool,
        max_turns=role.most_turns,
        # The target repository's settings may hold hooks, servers, and another address for the model's traffic.
        setting_sources=[],
        strict_mcp_config=True,
        settings=json.dumps(_SETTINGS),
        max_buffer_size=_LARGEST_MESSAGE,
        include_partial_messages=True,
        session_store=opening.mirror,
        session_store_flush="eager",
        stderr=on_stderr,
        # Of a configuration directory that it does not know, the SDK would mirror nothing.
        env={**env, _CONFIG: str(config)},
    )


def settings_of(session: SessionRef, model: str) -> dict[str, Any]:
    """The settings of a process that is to go on with that model, and may leave its directory for the others."""
    others = [str(other) for other in session.others]
    return {**_SETTINGS, "model": model, "permissions": {"additionalDirectories": others}}


def environment_of(cli: CliSettings, session_id: str) -> dict[str, str]:
    """What the CLI is told by its environment."""
    return {
        _CONFIG: str(cli.config_directory(session_id)),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # else a turn ends before what it started in the background
        "CLAUDE_CODE_MAX_RETRIES": str(cli.retries),
        # The host watches for silence; the CLI's own limits come first, so that it can try again by itself.
        "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": str(max(10_000, int(cli.idle_s * 500))),
        "API_TIMEOUT_MS": str(int(cli.idle_s * 900)),
        # The first counts only where the second, which is for commands without a limit of their own, is no longer.
        "BASH_MAX_TIMEOUT_MS": str(int(cli.command_s * 1000)),
        "BASH_DEFAULT_TIMEOUT_MS": str(int(min(_USUAL_COMMAND_S, cli.command_s) * 1000)),
        "DISABLE_AUTOUPDATER": "1",
        # It asks git for the state of the worktree as it starts, and so runs what a worktree tells git to filter with.
        "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
    }


@dataclass(frozen=True, kw_only=True)
class Way:
    """What the CLI is told of its way to the model: by its environment, and by descriptors whose variables it names."""

    environment: Mapping[str, str]
    handed: Mapping[str, str] = field(default_factory=dict)


def way_of(cli: CliSettings, *, url: str, token: str) -> Way:
    """The way to the door at `url`, which the token opens."""
    if cli.region is None:
        return Way(environment={"ANTHROPIC_BASE_URL": url}, handed={TOKEN: token})
    # For Bedrock the CLI takes a token from no descriptor, so its commands see this one: it is good at this door only,
    # and only during a turn.
    told = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": cli.region, "ANTHROPIC_BEDROCK_BASE_URL": url}
    return Way(environment={**told, "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1", "ANTHROPIC_AUTH_TOKEN": token})


PASSED = (
    "PWD",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_AGENT_SDK_VERSION",
    "CLAUDE_CODE_SDK_READS_SESSION_STATE",
    "TRACEPARENT",
)
"""Variables that the SDK gives the CLI as it starts it."""
