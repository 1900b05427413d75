"""GitHub's API on loopback, for the real gh: REST and the GraphQL that gh speaks.

It keeps pull requests and their comments, and refuses what GitHub refuses: a second pull request for a branch, one
for a branch that does not exist or holds nothing new, a wrong token. Files and branches are `git_server`'s.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.fakes import github_graphql, github_rest
from tests.fakes.forge import Forge
from tests.fakes.http import Answer, Credential, Request
from tests.fakes.server import Server

TOKEN = "ghs_loopback"
LOGIN = "auto-code-bot"

_SECONDARY_LIMIT = {
    "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
}


@dataclass
class GitHubRequest(Request):
    """One request to the API."""

    @cached_property
    def json(self) -> dict[str, Any]:
        """The parsed body; empty when there is none."""
        parsed = json.loads(self.body or b"{}")
        return parsed if isinstance(parsed, dict) else {}

    @property
    def operation(self) -> str:
        """What GraphQL is asked to do, by gh's name for it; empty for REST."""
        return github_graphql.operation_of(self) if self.path == "/graphql" else ""

    @property
    def opens_pull(self) -> bool:
        """Whether it asks for a new pull request, by GraphQL or by REST."""
        return self.operation == "PullRequestCreate" or (self.method == "POST" and self.path.endswith("/pulls"))


class GitHubApi(Server[GitHubRequest]):
    """api.github.com, at a unix socket for gh (see `write_gh_config`) or, without one, on TCP.

    `repositories` names them, with each one's bare git repository; None where a test needs no git. Beside the faults
    of every server it knows `secondary_limit`.
    """

    REPLACEMENTS: Mapping[str, Answer] = {
        "secondary_limit": github_rest.json_answer(_SECONDARY_LIMIT, 403, retry_after="60"),
    }

    def __init__(
        self,
        repositories: Mapping[str, Path | None],
        *,
        token: str = TOKEN,
        login: str = LOGIN,
        socket: Path | None = None,
    ) -> None:
        super().__init__(GitHubRequest, socket=socket)
        self.forges = {name: Forge(name, git, login) for name, git in repositories.items()}
        self._socket_path = socket
        self.token = token
        self._login = login

    def __getitem__(self, repository: str) -> Forge:
        return self.forges[repository]

    def credential(self, headers: Mapping[str, str]) -> Credential:
        sent = headers.get("authorization")
        if sent is None:
            return "absent"
        return "right" if sent in {f"token {self.token}", f"Bearer {self.token}"} else "wrong"

    def refusal(self, status: int) -> Answer:
        return github_rest.refusal(status)

    async def answer(self, request: GitHubRequest) -> Answer:
        if request.credential != "right":
            return github_rest.refusal(401)
        # No await from here on: nothing may come between the check of a rule and the change that it allows.
        if request.path == "/graphql":
            return github_graphql.answer(self.forges, self._login, request)
        return github_rest.answer(self.forges, self._login, request)

    def write_gh_config(self, directory: Path) -> Path:
        """Write a directory for GH_CONFIG_DIR by which gh's requests come here. Returns it."""
        assert self._socket_path is not None, "gh finds its way here by a unix socket only."
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.yml").write_text(f'version: "1"\nhttp_unix_socket: {self._socket_path}\n')
        return directory
