"""A person's own repository, where REPO_URL is not set: used for objects and worktrees, and left as it is."""

from pathlib import Path

import pytest

from app.errors import ConfigurationError, WorkFailed
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, SEED, Bench, listing
from tests.unguarded import unguarded


@pytest.fixture
def mine(bench: Bench) -> Path:
    """A person's repository, with work of theirs in it."""
    path = bench.root / "mine"
    git("clone", "--quiet", bench.url, str(path), cwd=bench.root)
    (path / "uncommitted.txt").write_text("mine\n")
    return path


def _state(path: Path) -> tuple[str, str, str]:
    branches = git("for-each-ref", "refs/heads/main", "refs/tags", cwd=path)
    return git("config", "--list", "--local", cwd=path), git("status", "--short", cwd=path), branches


async def test_a_run_leaves_the_persons_repository_as_it_was(bench: Bench, mine: Path) -> None:
    before = _state(mine)
    client = bench.client(repo_url=None, repo_dir=mine)
    await client.start()
    workspace = await client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("1\n")

    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)
    await client.remove(workspace)

    assert bench.file(BRANCH, "new.txt") == "1\n"
    assert _state(mine) == before
    assert git("worktree", "list", cwd=mine).count("\n") == 0
    assert not bench.clone.exists()


async def test_a_directory_inside_the_repository_will_do(bench: Bench, mine: Path) -> None:
    workspace = await bench.client(repo_url=None, repo_dir=mine / "src").prepare(BRANCH)

    assert listing(workspace.directory) == SEED.keys()


async def test_what_the_person_has_is_not_fetched_again(bench: Bench, mine: Path) -> None:
    await bench.client(repo_url=None, repo_dir=mine).start()

    known = git("for-each-ref", "--format=%(objectname)", cwd=bench.workspace_dir / ".publisher.git")
    assert known == bench.heads()["main"]


async def test_a_shallow_repository_will_do(bench: Bench) -> None:
    bench.push_as_human({"later.txt": "1\n"}, branch="main")
    path = bench.root / "shallow"
    git("clone", "--quiet", "--depth=1", bench.url, str(path), cwd=bench.root)
    client = bench.client(repo_url=None, repo_dir=path)
    workspace = await client.prepare(BRANCH)
    (workspace.directory / "new.txt").write_text("1\n")

    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)

    assert bench.file(BRANCH, "new.txt") == "1\n"


async def test_a_branch_that_the_person_works_on_is_left_to_them(bench: Bench, mine: Path) -> None:
    git("checkout", "--quiet", "-b", BRANCH, cwd=mine)

    with pytest.raises(WorkFailed, match="switch that to another branch"):
        await bench.client(repo_url=None, repo_dir=mine).prepare(BRANCH)


async def test_the_persons_unpushed_commits_on_the_branch_are_saved(bench: Bench, mine: Path) -> None:
    git("checkout", "--quiet", "-b", BRANCH, cwd=mine)
    git("add", "uncommitted.txt", cwd=mine)
    git("commit", "--quiet", "-m", "mine", cwd=mine)
    commit = git("rev-parse", "HEAD", cwd=mine)
    git("checkout", "--quiet", "main", cwd=mine)

    await bench.client(repo_url=None, repo_dir=mine).prepare(BRANCH)

    (place,) = (bench.workspace_dir / "saved").iterdir()
    assert commit in (place / "branch.bundle").read_bytes().decode(errors="replace")


async def test_a_relative_origin_counts_from_the_repository(bench: Bench, mine: Path) -> None:
    git("remote", "set-url", "origin", "../far/octo/widgets.git", cwd=mine)

    assert await bench.client(repo_url=None, repo_dir=mine).prepare(BRANCH)


@pytest.mark.parametrize(
    ("what", "message"), [("nothing", "no git repository"), ("no origin", "no remote called origin")]
)
async def test_what_is_missing_is_named(bench: Bench, what: str, message: str) -> None:
    path = bench.root / "mine"
    if what == "no origin":
        git("init", "--quiet", str(path), cwd=bench.root)

    with pytest.raises(ConfigurationError, match=message):
        await bench.client(repo_url=None, repo_dir=path).start()


async def test_the_command_for_people_names_the_persons_repository(bench: Bench, mine: Path) -> None:
    client = bench.client(repo_url=None, repo_dir=mine)
    workspace = await client.prepare(BRANCH)

    assert client.removal_command(workspace) == f"git -C {mine} worktree remove {bench.worktree} --force"
