"""The stand-in of GitHub's git side, driven by real git with production URLs."""

import base64
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.fakes.git_server import TOKEN, GitServer
from tests.fakes.repositories import PLAIN_GIT

REPOSITORY = "acme/widgets"
URL = f"https://github.com/{REPOSITORY}.git"

Git = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "far") as server:
        server.create(REPOSITORY, {"README.md": "# Widgets\n", "src/app.py": "pass\n"})
        yield server


@pytest.fixture
def git(server: GitServer, tmp_path: Path) -> Git:
    config = server.write_git_config(tmp_path / "gitconfig")

    def run(*arguments: str, cwd: Path = tmp_path, token: str | None = TOKEN) -> "subprocess.CompletedProcess[str]":
        env = {**PLAIN_GIT, "GIT_CONFIG_GLOBAL": str(config), "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": "127.0.0.1"}
        env |= header(server.url, token) if token else {}
        return subprocess.run(["git", *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)

    return run


def header(url: str, token: str) -> Mapping[str, str]:
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


def test_a_clone_by_the_production_url_has_the_files(git: Git, tmp_path: Path) -> None:
    assert git("clone", URL, "clone").returncode == 0
    assert (tmp_path / "clone" / "src" / "app.py").read_text() == "pass\n"
    assert git("config", "remote.origin.url", cwd=tmp_path / "clone").stdout.strip() == URL


@pytest.mark.parametrize(("token", "credential"), [(None, "absent"), ("ghs_mistyped", "wrong")])
def test_nothing_is_given_without_the_token(server: GitServer, git: Git, token: str | None, credential: str) -> None:
    refused = git("ls-remote", URL, token=token)
    assert refused.returncode == 128
    assert server.requests[0].credential == credential
    answer = httpx.get(f"{server.url}/{REPOSITORY}.git/info/refs?service=git-upload-pack", trust_env=False)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="GitHub"')


def test_a_repository_that_does_not_exist_is_not_found(git: Git) -> None:
    assert "Repository not found" in git("ls-remote", "https://github.com/acme/gone.git").stderr


def test_a_push_arrives(server: GitServer, git: Git, tmp_path: Path) -> None:
    git("clone", URL, "clone")
    clone = tmp_path / "clone"
    (clone / "new.txt").write_text("new\n" * 400_000)  # larger than git's post buffer: sent chunked
    git("add", ".", cwd=clone)
    git("commit", "-m", "Add a file", cwd=clone)
    pushed = git("-c", "http.postBuffer=1024", "push", URL, "HEAD:refs/heads/ticket/proj-1", cwd=clone)
    assert pushed.returncode == 0, pushed.stderr
    assert set(server.heads(REPOSITORY)) == {"main", "ticket/proj-1"}
    assert server.log(REPOSITORY, "ticket/proj-1") == ["Add a file", "Begin"]
    assert server.file(REPOSITORY, "ticket/proj-1", "new.txt") == "new\n" * 400_000
    assert server.file(REPOSITORY, "main", "new.txt") is None
    [push] = [request for request in server.requests if request.is_push]
    assert (push.repository, push.service, push.credential) == (REPOSITORY, "git-receive-pack", "right")
    assert push.headers["transfer-encoding"] == "chunked"


def test_a_long_wish_comes_compressed(server: GitServer, git: Git) -> None:
    for number in range(20):
        server.commit_as_human(REPOSITORY, f"branch-{number}", {"file": str(number)}, "Theirs")
    assert git("clone", URL, "clone").returncode == 0
    assert "gzip" in {request.headers.get("content-encoding") for request in server.requests}


def test_a_wrong_lease_is_refused(server: GitServer, git: Git, tmp_path: Path) -> None:
    git("clone", URL, "clone")
    server.commit_as_human(REPOSITORY, "ticket/proj-1", {"theirs": "x"}, "Theirs")
    refspec = "HEAD:refs/heads/ticket/proj-1"
    refused = git("push", "--force-with-lease=refs/heads/ticket/proj-1:", URL, refspec, cwd=tmp_path / "clone")
    assert "stale info" in refused.stderr
    assert server.log(REPOSITORY, "ticket/proj-1") == ["Theirs", "Begin"]


def test_a_person_can_commit_on_top_of_a_branch(server: GitServer) -> None:
    first = server.commit_as_human(REPOSITORY, "main", {"a": "1"}, "One")
    second = server.commit_as_human(REPOSITORY, "main", {"b": "2"}, "Two")
    assert first != second == server.heads(REPOSITORY)["main"]
    assert server.log(REPOSITORY, "main") == ["Two", "One", "Begin"]
    assert [server.file(REPOSITORY, "main", name) for name in ("a", "b", "README.md")] == ["1", "2", "# Widgets\n"]


def test_a_hook_can_refuse_a_push(server: GitServer, git: Git, tmp_path: Path) -> None:
    server.set_hook(REPOSITORY, "pre-receive", "#!/bin/sh\necho 'Protected branch.' >&2\nexit 1\n")
    git("clone", URL, "clone")
    refused = git("push", URL, "HEAD:refs/heads/new", cwd=tmp_path / "clone")
    assert (refused.returncode, "Protected branch." in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (401, "could not read Username"),
        (403, "403"),
        (500, "500"),
        (503, "503"),
        ("cut_before_headers", "reset by peer"),
        ("cut_mid_stream", "fatal"),
    ],
)
def test_git_sees_a_fault(server: GitServer, git: Git, kind: int | str, said: str) -> None:
    server.fault(kind, times=2, when=lambda request: request.service == "git-upload-pack")
    failed = git("ls-remote", URL)
    assert (failed.returncode, said in failed.stderr) == (128, True), failed.stderr


def test_a_push_whose_answer_is_lost_has_arrived(server: GitServer, git: Git, tmp_path: Path) -> None:
    git("clone", URL, "clone")
    server.fault("cut_after_work", when=lambda request: request.is_push)
    assert git("push", URL, "HEAD:refs/heads/new", cwd=tmp_path / "clone").returncode != 0
    assert "new" in server.heads(REPOSITORY)


def test_each_repository_has_its_own_branches(server: GitServer, git: Git, tmp_path: Path) -> None:
    server.create("acme/gadgets", {"name": "gadgets\n"})
    git("clone", URL, "clone")
    for name in (REPOSITORY, "acme/gadgets"):
        url = f"https://github.com/{name}.git"
        assert git("push", url, f"HEAD:refs/heads/{name}", cwd=tmp_path / "clone").returncode == 0
    assert set(server.heads(REPOSITORY)) == {"main", REPOSITORY}
    assert set(server.heads("acme/gadgets")) == {"main", "acme/gadgets"}
    assert [request.repository for request in server.requests if request.is_push] == [REPOSITORY, "acme/gadgets"]


def test_a_bare_repository_needs_no_git_suffix(git: Git) -> None:
    assert git("ls-remote", URL.removesuffix(".git")).returncode == 0
