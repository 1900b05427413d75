"""The stack in containers, as tests hold it: started, looked into, stopped and started again."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.fakes.messages_api import API_KEY
from tests.flows.service import ACCESS_CODE, WEBHOOK_SECRET
from tests.flows.world import REPOSITORY, TOKEN

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "compose" / "auto-code.yml", ROOT / "tests" / "stack" / "compose.yml")

APP_USER, TUNNEL_USER = 10001, 65532
_LIMIT_S = 280

SECRETS: Mapping[str, str] = {
    "gh_token": TOKEN,
    "anthropic_api_key": API_KEY,
    "claude_code_oauth_token": "",
    "webhook_secret": WEBHOOK_SECRET,
    "admin_access_code": ACCESS_CODE,
    "jira_token": "",
    "aws_bearer_token_bedrock": "",
    "langfuse_secret_key": "",
    "tunnel_token": "a-token-of-the-tunnel",
}

SETTINGS: Mapping[str, str] = {
    "REPO_URL": f"https://github.com/{REPOSITORY}.git",
    "PIPELINE_REVIEW": "true",
    "PIPELINE_LINT": "true",
    "PIPELINE_TESTS": "true",
    "RETRY_AFTER_S": "0.1,0.2",
    "APP_CPUS": str(os.cpu_count()),
}


class Stack:
    """Used in a `with`, which brings it up and takes it away with all that it kept. `directory` gets its secrets."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.environment = {
            **os.environ,
            **SETTINGS,
            "SECRETS_DIR": str(directory / "secrets"),
            "COMPOSE_FILE": ":".join(map(str, FILES)),
            "COMPOSE_ENV_FILES": str(directory / "settings.env"),
        }
        """By which `docker compose` finds this stack."""

    def compose(self, *arguments: str, check: bool = True, stdin: IO[bytes] | None = None) -> str:
        """What `docker compose` prints. Raises AssertionError with its words."""
        return self._docker("compose", "--progress", "quiet", *arguments, check=check, stdin=stdin)

    def execute(self, service: str, *command: str, check: bool = True) -> str:
        """What a program prints in a service's container."""
        return self.compose("exec", "--no-TTY", service, *command, check=check)

    def inspect(self, service: str) -> dict[str, Any]:
        """The engine's own account of a container."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        found: list[dict[str, Any]] = json.loads(self._docker("inspect", container))
        return found[0]

    def address(self, service: str, network: str) -> str:
        """A container's address there; no other container needs to be asked for the way."""
        networks = self.inspect(service)["NetworkSettings"]["Networks"]
        return str(networks[f"auto-code_{network}"]["IPAddress"])

    def remove_volume(self, name: str) -> None:
        """Forget what it holds."""
        self._docker("volume", "rm", f"auto-code_{name}")

    def up(self) -> None:
        """Start what does not run, and return when all is healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "120", "--no-build")

    def __enter__(self) -> Self:
        self._write()
        self.compose("down", "--volumes", "--remove-orphans")
        try:
            self.up()
        except AssertionError as error:
            error.add_note(self.compose("logs", "--no-color", "--tail", "50", check=False))
            self._down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._down()

    def _down(self) -> None:
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1")

    def _write(self) -> None:
        secrets = self._directory / "secrets"
        secrets.mkdir(mode=0o700)
        for name, value in SECRETS.items():
            (secrets / name).write_text(value)
            (secrets / name).chmod(0o400)
            user = TUNNEL_USER if name == "tunnel_token" else APP_USER
            os.chown(secrets / name, user, user)
        (self._directory / "settings.env").touch()

    def _docker(self, *arguments: str, check: bool = True, stdin: IO[bytes] | None = None) -> str:
        done = subprocess.run(
            ["docker", *arguments],
            env=self.environment,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout + ("" if check else done.stderr)
