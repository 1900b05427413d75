"""Git repositories behind a token, served over HTTP by git's own http-backend.

It knows git's protocol and one token. It refuses whoever does not bring that token the way GitHub wants it: Basic,
as `x-access-token`. Pull requests are the business of `github_api`.
"""

import asyncio
import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.http import Answer, Credential, Request
from tests.fakes.repositories import PLAIN_GIT, Repositories
from tests.fakes.server import Server

TOKEN = "ghs_loopback"

_PLAIN = {"content-type": "text/plain; charset=utf-8"}
_REASONS = {
    401: "Invalid username or token. Password authentication is not supported for Git operations.",
    403: "Write access to repository not granted.",
    404: "Repository not found.",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass
class GitRequest(Request):
    """One request of git's HTTP protocol."""

    @property
    def repository(self) -> str:
        """`owner/name`."""
        return "/".join(self.path.split("/")[1:3]).removesuffix(".git")

    @property
    def service(self) -> str:
        """`git-upload-pack` (fetch, clone) or `git-receive-pack` (push); empty for anything else."""
        return self.query.get("service") or (self.path.rpartition("/")[2] if self.method == "POST" else "")

    @property
    def is_push(self) -> bool:
        """The request that carries a push; not the empty one by which git tries its credential first."""
        return self.method == "POST" and self.service == "git-receive-pack" and self.body != b"0000"


class GitServer(Repositories, Server[GitRequest]):
    """`https://github.com/OWNER/NAME.git` on loopback: see `write_git_config` for the way from that URL to this one.

    The repositories are bare ones in `root`. What a test does to them by hand does not pass the server.
    """

    def __init__(self, root: Path, *, token: str = TOKEN) -> None:
        Repositories.__init__(self, root)
        Server.__init__(self, GitRequest)
        self.token = token

    def credential(self, headers: Mapping[str, str]) -> Credential:
        sent = headers.get("authorization")
        if sent is None:
            return "absent"
        expected = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        return "right" if sent == f"Basic {expected}" else "wrong"

    def refusal(self, status: int) -> Answer:
        challenge = {"www-authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
        return Answer(status, {**_PLAIN, **challenge}, [_REASONS.get(status, "").encode()])

    async def answer(self, request: GitRequest) -> Answer:
        if request.credential != "right":
            return self.refusal(401)
        if not self.path(request.repository).is_dir():
            return self.refusal(404)
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        return _cgi_answer(await _http_backend(self._environment(request, len(body)), body))

    def _environment(self, request: GitRequest, length: int) -> dict[str, str]:
        return {
            **PLAIN_GIT,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "REMOTE_USER": "x-access-token",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": "&".join(f"{name}={value}" for name, value in request.query.items()),
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(length),
        }

    def write_git_config(self, path: Path) -> Path:
        """Write a file for GIT_CONFIG_GLOBAL by which https://github.com/ leads here. Returns its path."""
        path.write_text(f'[url "{self.url}/"]\n\tinsteadOf = https://github.com/\n')
        return path


async def _http_backend(environment: Mapping[str, str], body: bytes) -> bytes:
    backend = await asyncio.create_subprocess_exec(
        *("git", "http-backend"),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await backend.communicate(body)
        return output
    finally:
        if backend.returncode is None:
            backend.kill()
            await backend.wait()


def _cgi_answer(output: bytes) -> Answer:
    head, _, body = output.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode("latin-1").split("\r\n"))
    headers = {name.lower(): value for name, _, value in lines if name}
    status = headers.pop("status", "200 OK")
    return Answer(int(status.split()[0]), headers, [body])
