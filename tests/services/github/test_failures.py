"""What git and gh print, and the decision that it leads to."""

import pytest

from app.errors import TemporarilyFailed, WorkFailed
from app.process import Completed
from app.services.github.failures import gh_failed, git_failed, scrubbed


def _done(stderr: str, *, code: int | None = 128, stdout: str = "") -> Completed:
    return Completed(("git",), code, stdout.encode(), stderr.encode(), 1.0)


@pytest.mark.parametrize(
    "stderr",
    [
        "fatal: unable to access 'https://x/': Could not resolve host: github.com",
        "fatal: unable to access 'https://x/': Failed to connect to github.com port 443 after 3 ms: Connection refused",
        "fatal: unable to access 'https://x/': The requested URL returned error: 502",
        "fatal: unable to access 'https://x/': The requested URL returned error: 429",
        "error: RPC failed; curl 18 transfer closed\nfatal: early EOF",
        "fatal: unable to access 'https://x/': Operation too slow. Less than 1000 bytes/sec",
        "fatal: unable to access 'https://x/': GnuTLS, handshake failed: gnutls_handshake() failed",
        "fatal: Unable to create '/w/repo/.git/packed-refs.lock': File exists.",
        "fatal: the remote end hung up unexpectedly",
    ],
)
def test_git_failures_that_may_pass(stderr: str) -> None:
    assert isinstance(git_failed("fetch", _done(stderr)), TemporarilyFailed)


@pytest.mark.parametrize(
    ("stderr", "advice"),
    [
        ("fatal: Authentication failed for 'https://github.com/o/r/'", "GH_TOKEN"),
        ("remote: Write access to repository not granted.\nfatal: The requested URL returned error: 403", "GH_TOKEN"),
        ("remote: Repository not found.\nfatal: repository 'https://github.com/o/r/' not found", "REPO_URL"),
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", "GH_TOKEN"),
        ("fatal: unable to access 'https://x/': server certificate verification failed", "SSL_CERT_FILE"),
        ("git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.", "GH_TOKEN"),
        ("error: object file is empty", "object file is empty"),
    ],
)
def test_git_failures_that_a_person_must_mend(stderr: str, advice: str) -> None:
    failure = git_failed("fetch from github.com/o/r", _done(stderr))

    assert not isinstance(failure, TemporarilyFailed)
    assert failure.message.startswith("Could not fetch from github.com/o/r: ")
    assert advice in failure.message


def test_a_command_that_took_too_long_may_work_later() -> None:
    assert isinstance(git_failed("fetch", _done("", code=None)), TemporarilyFailed)
    assert isinstance(gh_failed("open", _done("", code=None)), TemporarilyFailed)


@pytest.mark.parametrize(
    "stderr",
    [
        "gh: Bad Gateway (HTTP 502)",
        "HTTP 502: Bad Gateway (https://api.github.com/graphql)",
        'non-200 OK status code: 503 Service Unavailable body: ""',
        "gh: You have exceeded a secondary rate limit. (HTTP 403)",
        "gh: API rate limit exceeded (HTTP 429)",
        "error connecting to api.github.com\ncheck your internet connection",
        'Get "https://api.github.com/x": dial tcp: lookup api.github.com: no such host',
        'Post "https://api.github.com/graphql": unexpected EOF',
    ],
)
def test_gh_failures_that_may_pass(stderr: str) -> None:
    assert isinstance(gh_failed("open the pull request", _done(stderr, code=1)), TemporarilyFailed)


@pytest.mark.parametrize(
    ("stderr", "advice"),
    [
        ("gh: Bad credentials (HTTP 401)", "Check GH_TOKEN"),
        ("gh: Not Found (HTTP 404)", "Check GH_TOKEN"),
        ("gh: Resource not accessible by personal access token (HTTP 403)", "permission"),
        ("pull request create failed: GraphQL: No commits between main and x (createPullRequest)", "No commits"),
        ("To get started with GitHub CLI, please run:  gh auth login", "Check GH_TOKEN"),
    ],
)
def test_gh_failures_that_a_person_must_mend(stderr: str, advice: str) -> None:
    failure = gh_failed("open the pull request", _done(stderr, code=1))

    assert isinstance(failure, WorkFailed)
    assert not isinstance(failure, TemporarilyFailed)
    assert advice in failure.message


def test_no_credential_is_ever_in_a_message() -> None:
    text = "ghs_AAAAAAAAAAAAAAAAAAAAAAAA.b-c github_pat_11AA_bb https://u:p4ss@h/x Basic eHg6c2VjcmV0 my-own-token"

    clean = scrubbed(text, "my-own-token", None)

    for secret in ("ghs_A", "github_pat_", "p4ss", "eHg6", "my-own"):
        assert secret not in clean
