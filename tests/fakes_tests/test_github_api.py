"""The stand-in of GitHub's API, driven by the real gh."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.github_api import LOGIN, TOKEN, GitHubApi
from tests.fakes.repositories import Repositories, git

REPOSITORY = "acme/widgets"
OTHER = "acme/gadgets"
BRANCH = "ticket/proj-1"
PULLS = f"repos/{REPOSITORY}/pulls"

Gh = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def far(tmp_path: Path) -> Repositories:
    far = Repositories(tmp_path / "far")
    far.create(REPOSITORY)
    far.create(OTHER)
    far.commit_as_human(REPOSITORY, BRANCH, {"new.txt": "new\n"}, "Add a file")
    return far


@pytest.fixture
def api(far: Repositories, tmp_path: Path) -> Iterator[GitHubApi]:
    with GitHubApi({name: far.path(name) for name in (REPOSITORY, OTHER)}, socket=tmp_path / "gh.sock") as api:
        yield api


@pytest.fixture
def gh(api: GitHubApi, tmp_path: Path) -> Gh:
    config = api.write_gh_config(tmp_path / "gh")

    def run(*arguments: str, token: str = TOKEN, body: Any = None) -> "subprocess.CompletedProcess[str]":
        env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "GH_CONFIG_DIR": str(config),
            "GH_TOKEN": token,
            "GH_PROMPT_DISABLED": "1",
            "GH_NO_UPDATE_NOTIFIER": "1",
            "GH_TELEMETRY": "false",
        }
        stdin = json.dumps(body) if body is not None else ""
        return subprocess.run(
            ["gh", *arguments], cwd=tmp_path, env=env, input=stdin, capture_output=True, text=True, check=False
        )

    return run


def create(gh: Gh, *more: str, head: str = BRANCH, repository: str = REPOSITORY) -> "subprocess.CompletedProcess[str]":
    return gh(
        *("pr", "create", "--repo", repository, "--head", head, "--base", "main"),
        *("--title", "PROJ-1: Add a file", "--body", "Why.", *more),
    )


def test_gh_opens_a_pull_request(api: GitHubApi, gh: Gh) -> None:
    created = create(gh)
    assert created.stdout.strip() == "https://github.com/acme/widgets/pull/1", created.stderr
    [pull] = api[REPOSITORY].pulls
    assert (pull.title, pull.body, pull.head, pull.base) == ("PROJ-1: Add a file", "Why.", BRANCH, "main")
    assert (pull.draft, pull.state, pull.author) == (False, "open", LOGIN)
    assert [request.operation for request in api.requests if request.opens_pull] == ["PullRequestCreate"]
    assert {request.credential for request in api.requests} == {"right"}


def test_gh_opens_a_draft_where_drafts_are_allowed(api: GitHubApi, gh: Gh) -> None:
    api[REPOSITORY].drafts = False
    assert "Draft pull requests are not supported" in create(gh, "--draft").stderr
    api[REPOSITORY].drafts = True
    assert create(gh, "--draft").returncode == 0
    assert api[REPOSITORY].pulls[0].draft


def test_a_second_pull_request_for_a_branch_is_refused(api: GitHubApi, gh: Gh) -> None:
    create(gh)
    assert "already exists" in create(gh).stderr
    refused = gh("api", PULLS, "--input", "-", body={"title": "T", "head": BRANCH, "base": "main"})
    assert f"A pull request already exists for acme:{BRANCH}." in refused.stdout
    assert "HTTP 422" in refused.stderr
    assert len(api[REPOSITORY].pulls) == 1


def test_of_racing_callers_one_opens_the_pull_request(api: GitHubApi, gh: Gh) -> None:
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: create(gh), range(4)))
    assert sorted(done.returncode for done in ended) == [0, 1, 1, 1]
    assert len(api[REPOSITORY].pulls) == 1


def test_a_closed_pull_request_does_not_count(api: GitHubApi, gh: Gh) -> None:
    api[REPOSITORY].add_pull(head=BRANCH).state = "closed"
    assert create(gh).stdout.strip().endswith("/pull/2")


@pytest.mark.parametrize("head", ["ticket/gone", "ticket/even"])
def test_a_branch_with_nothing_new_gets_no_pull_request(api: GitHubApi, gh: Gh, far: Repositories, head: str) -> None:
    git("branch", "ticket/even", "main", cwd=far.path(REPOSITORY))
    assert f"No commits between main and {head}" in create(gh, head=head).stderr
    refused = gh("api", PULLS, "--input", "-", body={"title": "T", "head": head, "base": "main"})
    assert "HTTP 422" in refused.stderr
    assert api[REPOSITORY].pulls == []


def test_the_head_filter_counts_with_its_owner_only(api: GitHubApi, gh: Gh) -> None:
    api[REPOSITORY].add_pull(head="other")
    api[REPOSITORY].add_pull(head=BRANCH, head_owner="mallory")
    api[REPOSITORY].add_pull(head=BRANCH)
    found = json.loads(gh("api", f"{PULLS}?state=open&head=acme:{BRANCH}").stdout)
    unfiltered = json.loads(gh("api", f"{PULLS}?state=open&head={BRANCH}").stdout)
    assert [pull["head"]["repo"]["full_name"] for pull in found] == [REPOSITORY]
    assert len(unfiltered) == 3


def test_a_pull_request_is_changed(api: GitHubApi, gh: Gh, far: Repositories) -> None:
    create(gh)
    changed = json.loads(gh("api", "-X", "PATCH", f"{PULLS}/1", "--input", "-", body={"body": "Better."}).stdout)
    assert (changed["body"], changed["title"]) == ("Better.", "PROJ-1: Add a file")
    assert changed["head"]["sha"] == far.heads(REPOSITORY)[BRANCH]
    assert gh("api", "-X", "PATCH", f"{PULLS}/1", "--input", "-", body={"body": "x" * 65_537}).returncode == 1


def test_a_pull_request_goes_into_another_branch_that_is_there(api: GitHubApi, gh: Gh, far: Repositories) -> None:
    create(gh)
    assert "HTTP 422" in gh("api", "-X", "PATCH", f"{PULLS}/1", "-f", "base=release").stderr
    git("branch", "release", "main", cwd=far.path(REPOSITORY))
    assert gh("api", "-X", "PATCH", f"{PULLS}/1", "-f", "base=release").returncode == 0
    assert api[REPOSITORY].pull(1).base == "release"


def test_each_repository_counts_its_own_pull_requests(far: Repositories, gh: Gh, api: GitHubApi) -> None:
    far.commit_as_human(OTHER, BRANCH, {"new.txt": "new\n"}, "Add a file")
    urls = [create(gh, repository=name).stdout.strip() for name in (OTHER, REPOSITORY)]
    assert urls == [f"https://github.com/{name}/pull/1" for name in (OTHER, REPOSITORY)]
    gh("pr", "comment", "1", "--repo", OTHER, "--body", "Hello")
    assert [len(api[name].comments_on(1)) for name in (OTHER, REPOSITORY)] == [1, 0]


def test_gh_shows_lists_marks_and_edits_pull_requests(api: GitHubApi, gh: Gh) -> None:
    create(gh, "--draft")
    shown = json.loads(gh("pr", "view", "1", "--repo", REPOSITORY, "--json", "number,state,isDraft,title").stdout)
    assert shown == {"number": 1, "state": "OPEN", "isDraft": True, "title": "PROJ-1: Add a file"}
    listed = gh("pr", "list", "--repo", REPOSITORY, "--head", BRANCH, "--json", "number,url").stdout
    assert json.loads(listed) == [{"number": 1, "url": "https://github.com/acme/widgets/pull/1"}]
    assert gh("pr", "list", "--repo", REPOSITORY, "--head", "other", "--json", "number").stdout.strip() == "[]"
    assert gh("pr", "ready", "1", "--repo", REPOSITORY).returncode == 0
    edited = gh("pr", "edit", "1", "--repo", REPOSITORY, "--title", "Another title")
    assert edited.returncode == 0, edited.stderr
    pull = api[REPOSITORY].pull(1)
    assert (pull.draft, pull.title) == (False, "Another title")


def test_gh_comments(api: GitHubApi, gh: Gh) -> None:
    create(gh)
    assert gh("pr", "comment", "1", "--repo", REPOSITORY, "--body", "Hello").returncode == 0
    posted = gh("api", f"repos/{REPOSITORY}/issues/1/comments", "-f", "body=Again")
    number = json.loads(posted.stdout)["id"]
    gh("api", "-X", "PATCH", f"repos/{REPOSITORY}/issues/comments/{number}", "-f", "body=Once more")
    assert [comment.body for comment in api[REPOSITORY].comments_on(1)] == ["Hello", "Once more"]
    theirs = api[REPOSITORY].add_comment(1, "Mine", author="ada")
    edit = gh("api", "-X", "PATCH", f"repos/{REPOSITORY}/issues/comments/{theirs.id}", "-f", "body=Not mine")
    assert "HTTP 403" in edit.stderr


def test_comments_come_in_pages(api: GitHubApi, gh: Gh) -> None:
    api[REPOSITORY].add_pull(head=BRANCH)
    for number in range(5):
        api[REPOSITORY].add_comment(1, f"Comment {number}")
    path = f"repos/{REPOSITORY}/issues/1/comments?per_page=2"
    assert len(json.loads(gh("api", path).stdout)) == 2
    everything = gh("api", "--paginate", path, "--jq", ".[].body").stdout.split("\n")
    assert everything[:5] == [f"Comment {number}" for number in range(5)]


def test_what_the_product_asks_of_a_repository_is_there(api: GitHubApi, gh: Gh, far: Repositories) -> None:
    def get(path: str) -> Any:
        return json.loads(gh("api", path).stdout)

    repository = get(f"repos/{REPOSITORY}")
    assert (repository["permissions"]["push"], repository["default_branch"]) == (True, "main")
    assert get(f"repos/{REPOSITORY}/collaborators/ada/permission")["permission"] == "write"
    ref = get(f"repos/{REPOSITORY}/git/ref/heads/{BRANCH}")
    assert ref["object"]["sha"] == far.heads(REPOSITORY)[BRANCH]
    assert get("user")["login"] == LOGIN
    assert get("rate_limit")["rate"]["remaining"] > 0


@pytest.mark.parametrize(
    "path", ["repos/acme/gone", f"{PULLS}/99", f"repos/{REPOSITORY}/git/ref/heads/gone", "nowhere"]
)
def test_what_does_not_exist_is_not_found(gh: Gh, path: str) -> None:
    missing = gh("api", path)
    assert (missing.returncode, json.loads(missing.stdout)["message"]) == (1, "Not Found")
    assert "Could not resolve to a Repository" in gh("pr", "list", "--repo", "acme/gone").stderr


def test_a_wrong_token_is_refused_and_never_recorded(api: GitHubApi, gh: Gh) -> None:
    refused = gh("api", f"repos/{REPOSITORY}", token="ghs_mistyped")
    assert json.loads(refused.stdout)["message"] == "Bad credentials"
    assert "HTTP 401" in gh("pr", "list", "--repo", REPOSITORY, token="ghs_mistyped").stderr
    assert {request.credential for request in api.requests} == {"wrong"}
    assert "ghs_mistyped" not in str(api.requests)


def test_a_token_that_may_only_read_opens_nothing(api: GitHubApi, gh: Gh) -> None:
    api[REPOSITORY].permission = "read"
    assert "Resource not accessible" in create(gh).stderr
    assert json.loads(gh("api", f"repos/{REPOSITORY}").stdout)["permissions"]["push"] is False


def test_an_unknown_operation_is_refused_by_name(gh: Gh) -> None:
    assert "'Everything'" in gh("api", "graphql", "-f", "query=query Everything{viewer{login}}").stderr


@pytest.mark.parametrize(("kind", "said"), [(502, "HTTP 502"), (503, "HTTP 503"), ("secondary_limit", "HTTP 403")])
def test_gh_sees_a_fault(api: GitHubApi, gh: Gh, kind: int | str, said: str) -> None:
    api.fault(kind, when=lambda request: request.opens_pull)
    assert said in create(gh).stderr
    assert create(gh).returncode == 0


def test_a_pull_request_whose_answer_is_lost_is_there(api: GitHubApi, gh: Gh) -> None:
    api.fault("cut_after_work", when=lambda request: request.opens_pull)
    assert create(gh).returncode == 1
    assert len(api[REPOSITORY].pulls) == 1
