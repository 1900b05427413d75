"""The yardstick: a new Claude Code process for each turn, as a script around `claude -p` would start it."""

import os
import subprocess
import time
import uuid
from pathlib import Path

from app.services.claude_code.options import AUTHOR, BUNDLED_CLI, Role
from tests.fakes.messages_api import API_KEY, MessagesApi

MODEL = "claude-sonnet-4-6"


class ColdClaude:
    """`claude -p` with the tools of the service's own sessions."""

    def __init__(self, *, model: MessagesApi, state: Path, directory: Path) -> None:
        self._directory = directory
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(state),
            "CLAUDE_CONFIG_DIR": str(state / "config"),
            "ANTHROPIC_API_KEY": API_KEY,
            "ANTHROPIC_BASE_URL": model.url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "IS_SANDBOX": "1",
        }

    def turn(self, prompt: str, *, session_id: str, resume: bool = False, role: Role = AUTHOR) -> float:
        """One turn in a process of its own. Returns when it was started, on the monotonic clock."""
        command = [
            *(BUNDLED_CLI, "-p", "--model", MODEL, "--permission-mode", "bypassPermissions"),
            *("--tools", ",".join(role.tools), "--system-prompt", role.system_prompt),
            *("--resume" if resume else "--session-id", session_id),
        ]
        started = time.monotonic()
        given, env = prompt.encode(), self._environment
        subprocess.run(command, cwd=self._directory, env=env, input=given, check=True, capture_output=True)
        return started


def new_session() -> str:
    """An id that no session has."""
    return str(uuid.uuid4())
