"""A world for the service: the far sides of its wires, a repository, and an environment that leads to them."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.builders import jira_body
from tests.fakes.forge import Pull
from tests.fakes.git_server import GitServer
from tests.fakes.github_api import GitHubApi
from tests.fakes.messages_api import API_KEY, MessagesApi
from tests.fakes.scripts import ModelRequest, Reply, conversation, edit_file, read_file, verdict, write_file
from tests.flows import programs
from tests.flows.service import ACCESS_CODE, WEBHOOK_SECRET, Json, Service

REPOSITORY = "acme/widgets"
TOKEN = "ghs_aTokenThatOnlyTheServiceKnows0123456789"

LINT = """\
import pathlib, sys
found = [path for path in pathlib.Path("src").glob("*.txt") if "TODO" in path.read_text()]
sys.exit(f"leftover TODO in {found}" if found else 0)
"""
TESTS = """\
import pathlib, sys
sys.exit(0 if "dark" in pathlib.Path("src/theme.txt").read_text() else "theme.txt: dark is missing")
"""
WORKFLOW = """\
---
lint: python3 tools/lint.py
test: python3 tools/test.py
---
Be brief.
"""
FILES = {
    "README.md": "# Widgets\n",
    "CLAUDE.md": "Themes live in src/theme.txt.\n",
    "WORKFLOW.md": WORKFLOW,
    "src/theme.txt": "light\ndark\n",
    "tools/lint.py": LINT,
    "tools/test.py": TESTS,
}

IMPLEMENT, REVIEW, FIX_REVIEW, FIX_LINT, FIX_TESTS = (
    "Implement ticket",
    "Review the change",
    "The review of your change",
    "lint.py` (lint) fails",
    "test.py` (tests) fails",
)
"""What the prompts of the turns begin with or hold."""

WITHOUT_GATES = {"PIPELINE_REVIEW": "false", "PIPELINE_LINT": "false", "PIPELINE_TESTS": "false"}
"""Settings of a service for tests that are about something else."""

Turns = Mapping[str, Sequence[Reply]]

CORRECTED: Turns = {
    IMPLEMENT: [
        Reply("Let me look.", tools=[read_file("src/theme.txt")]),
        Reply("Adding the toggle.", tools=[write_file("src/toggle.txt", "toggle\n")]),
        Reply("", tools=[edit_file("src/theme.txt", "dark\n", "night\n")]),
        Reply("I added the toggle in src/toggle.txt."),
    ],
    REVIEW: [verdict("src/toggle.txt:1: says nothing of its states")],
    FIX_REVIEW: [Reply("", tools=[write_file("src/states.txt", "on, off TODO\n")]), Reply("States are named now.")],
    FIX_LINT: [Reply("", tools=[write_file("src/states.txt", "on, off\n")]), Reply("Nothing is left over.")],
    FIX_TESTS: [Reply("", tools=[write_file("src/theme.txt", "light\ndark\n")]), Reply("dark is back.")],
}
"""A ticket that needs all three corrections."""

CLEAN: Turns = {
    IMPLEMENT: [
        Reply("Adding the toggle.", tools=[write_file("src/toggle.txt", "toggle\n")]),
        Reply("I added the toggle in src/toggle.txt."),
    ],
    REVIEW: [verdict()],
}
"""A ticket that goes through at once."""


class World:
    """Used in a `with`; its parts outlive the service, which may be killed and started again.

    `files` are the repository's. `more` are repositories that conversations may choose beside it, each with its files.
    `turns` are asked for at each request, so that a mapping that changes is a model that learns; `model` answers
    instead of them.
    """

    def __init__(
        self,
        turns: Turns = CLEAN,
        *,
        files: Mapping[str, str] = FILES,
        more: Mapping[str, Mapping[str, str]] | None = None,
        model: MessagesApi | None = None,
    ) -> None:
        # Short, because the path of a unix socket may have 108 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="ac-", dir="/tmp"))
        self.workspace = self.directory / "workspace"
        self.model = model or MessagesApi(conversation(turns))
        self.git = GitServer(self.directory / "git", token=TOKEN)
        bare = {name: self.git.create(name, files) for name, files in {REPOSITORY: files, **(more or {})}.items()}
        self._more = [name for name in bare if name != REPOSITORY]
        self.github = GitHubApi(bare, token=TOKEN, socket=self.directory / "gh.sock")
        self._servers = (self.model, self.git, self.github)
        self._open = ExitStack()

    def service(self, launch: programs.Launch = programs.start, at: Path | None = None, /, **settings: str) -> Service:
        """The service in this world, not yet started; `settings` are variables in upper case. `launch` as in Service;
        `at` is a directory of its own, where there are several.
        """
        return Service(env={**self._environment(), **settings}, directory=at or self.directory, launch=launch)

    @staticmethod
    def ticket(key: str = "PROJ-1", *, summary: str = "Add dark mode toggle", timestamp: int | None = None) -> Json:
        """A body that Jira sends for a new issue."""
        return jira_body(key=key, summary=summary, description="On every page.", timestamp=timestamp)

    def asked(self, prompt: str) -> list[ModelRequest]:
        """The model requests of the turn whose prompt holds this text, in order."""
        return [request for request in self.model.requests if prompt in self.prompt_of(request)]

    @property
    def pulls(self) -> list[Pull]:
        """All pull requests of REPOSITORY at the forge, whatever their state."""
        return self.github[REPOSITORY].pulls

    @staticmethod
    def prompt_of(request: ModelRequest) -> str:
        """The prompt that a request is about, also when its turn was cut off and goes on."""
        prompts = [text for _, text in request.prompts if not text.startswith("Go on with")]
        return prompts[-1] if prompts else ""

    def mend(self) -> None:
        """Let everything be well again."""
        for server in self._servers:
            server.mend()

    def open_gates(self) -> None:
        """Let everything go that is held."""
        for server in self._servers:
            server.open_gates()

    def __enter__(self) -> Self:
        for server in self._servers:
            self._open.enter_context(server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        return {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "KF_RULE_CACHE_DIR": os.environ["KF_RULE_CACHE_DIR"],
            "GIT_CONFIG_GLOBAL": str(self.git.write_git_config(self.directory / "gitconfig")),
            "GH_CONFIG_DIR": str(self.github.write_gh_config(self.directory / "gh")),
            "NODE_ENV": "production",
            "WORKSPACE_DIR": str(self.workspace),
            "REPO_URL": f"https://github.com/{REPOSITORY}.git",
            "REPOSITORIES": ",".join(f"https://github.com/{name}.git" for name in self._more),
            "GH_TOKEN": TOKEN,
            "ANTHROPIC_API_KEY": API_KEY,
            "ANTHROPIC_BASE_URL": self.model.url,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "WEBHOOK_RATE_LIMIT": "10000/second",
            "ADMIN_ACCESS_CODE": ACCESS_CODE,
            "PIPELINE_REVIEW": "true",
            "PIPELINE_LINT": "true",
            "PIPELINE_TESTS": "true",
            "MIN_FREE_GB": "0",  # a container's /tmp is small
            "RETRY_AFTER_S": "0.1,0.2",
            "CLAUDE_MAX_RETRIES": "2",
            "CLAUDE_SPARE": "false",  # most services here have one ticket, and it costs as much as that
            "DRAIN_SECONDS": "0",
        }
