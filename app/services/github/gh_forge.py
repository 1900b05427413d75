"""GitHub through its own command line, gh. The token is in the environment of gh and nowhere else."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.errors import TemporarilyFailed, WorkFailed
from app.logger import get_logger
from app.models import PullRequest
from app.process import Completed, run
from app.services.github.base import Guard
from app.services.github.credential import Credential
from app.services.github.failures import gh_failed
from app.services.github.forge import Forge, Found, Proposal
from app.services.github.remote import Remote

_log = get_logger(__name__)

_GOOD_GH = (2, 82, 1)  # before it some of gh's commands ask GitHub for what it no longer has
_LIMIT_S = 60.0
_LONGEST_TITLE = 256
_LONGEST_BODY = 65_536
_CUT = "\n\n… (cut here: GitHub takes no longer text)"
_PUBLIC_HOST = "github.com"
_NO_DRAFTS = "draft pull requests are not supported"

_QUIET = {
    "GH_PROMPT_DISABLED": "1",
    "GH_NO_UPDATE_NOTIFIER": "1",
    "GH_NO_EXTENSION_UPDATE_NOTIFIER": "1",
    "GH_TELEMETRY": "false",
    "GH_PAGER": "cat",
    "GH_SPINNER_DISABLED": "1",
    "NO_COLOR": "1",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}


class GhForge(Forge):
    """Runs gh in an empty directory, always with the repository named."""

    def __init__(
        self, *, operator: Mapping[str, str], credential: Credential, directory: Path, config_dir: Path
    ) -> None:
        self._operator = operator
        self._credential = credential
        self._directory = directory
        self._config_dir = config_dir

    async def find(self, remote: Remote, branch: str) -> Found | None:
        """See Forge."""
        query = f"state=open&per_page=100&head={quote(f'{remote.owner}:{branch}', safe='')}"
        pulls = await self._api(remote, "look for the pull request", f"repos/{remote.slug}/pulls?{query}")
        for pull in pulls:
            head = pull["head"]
            home = (head.get("repo") or {}).get("full_name", "")
            if head["ref"] == branch and home.lower() == remote.slug.lower():
                return _found(pull, remote)
        return None

    async def create(self, remote: Remote, proposal: Proposal, *, guard: Guard) -> PullRequest:
        """See Forge."""
        done = await self._create(remote, proposal, draft=proposal.draft, guard=guard)
        draft = proposal.draft
        if not done.ok and draft and _NO_DRAFTS in done.error_text.lower():
            draft = False
            done = await self._create(remote, proposal, draft=False, guard=guard)
        url = re.search(r"https?://\S+/pull/(\d+)", done.text)
        if not done.ok or url is None:
            raise self._failed(f"open the pull request of {proposal.branch}", done)
        return PullRequest(url=url[0], number=int(url[1]), repository=remote.slug, draft=draft)

    async def update(self, remote: Remote, number: int, proposal: Proposal, *, retarget: bool, guard: Guard) -> None:
        """See Forge."""
        fields = {"title": _title(proposal), "body": _body(proposal)}
        if retarget:
            fields["base"] = proposal.base
        address = f"repos/{remote.slug}/pulls/{number}"
        await self._api(remote, f"update pull request {number}", address, method="PATCH", fields=fields, guard=guard)

    async def hold(self, remote: Remote, number: int, *, guard: Guard) -> bool:
        """See Forge."""
        done = await self._run(remote, "pr", "ready", str(number), "--undo", *self._repository(remote), guard=guard)
        if done.ok:
            return True
        error = self._failed(f"turn pull request {number} into a draft", done)
        if isinstance(error, TemporarilyFailed):
            raise error
        _log.warning("pull request stays ready", repository=remote.slug, number=number, error=error.message)
        return False

    async def check(self, remote: Remote) -> str:
        """See Forge."""
        version = await self._run(remote, "--version")
        repository = await self._api(remote, f"read {remote.slug} at {self._host(remote)}", f"repos/{remote.slug}")
        if not (repository.get("permissions") or {}).get("push"):
            raise WorkFailed(f"GH_TOKEN may read {remote.slug} but not push to it; give it write access.")
        return f"gh {_version(version.text)}, may push to {remote.slug}"

    async def _create(self, remote: Remote, proposal: Proposal, *, draft: bool, guard: Guard) -> Completed:
        flags = [*self._repository(remote), "--head", proposal.branch, "--base", proposal.base]
        flags += ["--title", _title(proposal), "--body-file", "-", *(["--draft"] if draft else [])]
        return await self._run(remote, "pr", "create", *flags, stdin=_body(proposal).encode(), guard=guard)

    def _repository(self, remote: Remote) -> tuple[str, str]:
        return "--repo", f"{self._host(remote)}/{remote.slug}"

    async def _api(
        self,
        remote: Remote,
        doing: str,
        address: str,
        *,
        method: str = "GET",
        fields: Mapping[str, str] | None = None,
        guard: Guard | None = None,
    ) -> Any:
        flags = ["--hostname", self._host(remote), "--method", method, *(["--input", "-"] if fields else [])]
        stdin = json.dumps(fields).encode() if fields else b""
        done = await self._run(remote, "api", address, *flags, stdin=stdin, guard=guard)
        if not done.ok:
            raise self._failed(doing, done)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise WorkFailed(
                f"Could not {doing}: the answer of {self._host(remote)} is no JSON; check REPO_URL."
            ) from error

    async def _run(self, remote: Remote, *args: str, stdin: bytes = b"", guard: Guard | None = None) -> Completed:
        env = self._environment(remote)
        if guard is not None:
            await guard()
        try:
            return await run(("gh", *args), cwd=self._directory, env=env, stdin=stdin, limit_s=_LIMIT_S)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise WorkFailed("gh could not be started: install GitHub's command line, gh 2.82.1 or later.") from error

    def _environment(self, remote: Remote) -> dict[str, str]:
        # gh asks git about its directory, which must not find a repository further up.
        made = {**self._operator, **_QUIET, "GIT_CEILING_DIRECTORIES": str(self._directory.parent)}
        if token := self._credential.now():
            made.setdefault("GH_CONFIG_DIR", str(self._config_dir))
            host = self._host(remote)
            is_public = host == _PUBLIC_HOST or host.endswith(".ghe.com")
            made["GH_TOKEN" if is_public else "GH_ENTERPRISE_TOKEN"] = token
        return made

    def _host(self, remote: Remote) -> str:
        host = self._operator.get("GH_HOST") or remote.host
        if not host:
            raise WorkFailed(f"{remote.url} is at no forge, so it has no pull requests; set REPO_URL to one at GitHub.")
        return host

    def _failed(self, doing: str, done: Completed) -> WorkFailed:
        return gh_failed(doing, done, self._credential.now(), rotates=self._credential.rotates)


def _found(pull: Mapping[str, Any], remote: Remote) -> Found:
    request = PullRequest(
        url=pull["html_url"],
        number=pull["number"],
        repository=remote.slug,
        draft=bool(pull.get("draft")),
        created=False,
    )
    return Found(request, title=pull["title"], body=pull.get("body") or "", base=pull["base"]["ref"])


def _version(text: str) -> str:
    words = text.split()
    version = words[2] if len(words) > 2 else "?"  # noqa: PLR2004 - "gh version 2.102.0 (2026-09-30)"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version))
    return version if numbers >= _GOOD_GH else f"{version} (old: install {'.'.join(map(str, _GOOD_GH))} or later)"


def _title(proposal: Proposal) -> str:
    return " ".join(proposal.title.split())[:_LONGEST_TITLE]


def _body(proposal: Proposal) -> str:
    body = proposal.body
    return body if len(body) <= _LONGEST_BODY else body[: _LONGEST_BODY - len(_CUT)] + _CUT
