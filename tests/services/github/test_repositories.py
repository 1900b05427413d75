"""Which repositories the settings name, where each has its place, and what is wrong with settings that cannot be."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigurationError, WorkFailed
from app.services.github.client import GitHubClient
from app.services.github.repositories import ConfiguredRepositories
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench

GADGETS, SPROCKETS = "octo/gadgets", "acme/sprockets"
WIDGETS_URL = "https://github.com/octo/widgets.git"


@pytest.fixture
def urls(bench: Bench) -> dict[str, str]:
    for name in (GADGETS, SPROCKETS):
        bench.far.create(name)
    return {name: bench.far.path(name).as_uri() for name in (REPOSITORY, GADGETS, SPROCKETS)}


def _configured(bench: Bench, **facts: Any) -> ConfiguredRepositories:
    repo_dir = facts.setdefault("repo_dir", bench.root)

    def make(*, root: Path, base_branch: str, repo_url: str | None) -> GitHubClient:
        return bench.client(root=root, base_branch=base_branch, repo_url=repo_url, repo_dir=repo_dir)

    return ConfiguredRepositories(
        make=make, workspace_dir=bench.workspace_dir, base_branch="main", operator=bench.operator, **facts
    )


async def test_the_default_is_at_the_root_of_the_workspace_and_each_other_in_a_place_of_its_own(
    bench: Bench, urls: dict[str, str]
) -> None:
    repositories = _configured(bench, repo_url=urls[REPOSITORY], more=(urls[GADGETS], urls[SPROCKETS]))
    await repositories.start()

    made = [await repositories.of(name).prepare(BRANCH) for name in repositories.names]

    assert repositories.names == ("local/widgets", "local/gadgets", "local/sprockets")
    others = bench.workspace_dir / "repositories"
    assert [workspace.directory for workspace in made] == [
        bench.worktree,
        others / "local--gadgets/worktrees" / BRANCH,
        others / "local--sprockets/worktrees" / BRANCH,
    ]
    assert (bench.workspace_dir / ".publisher.git").is_dir()
    assert (others / "local--gadgets/repo/.git").is_dir()


async def test_names_are_those_of_the_forge(bench: Bench) -> None:
    repositories = _configured(
        bench, repo_url=WIDGETS_URL, more=("git@github.com:octo/gadgets.git", "https://ghe.test/octo/app#trunk")
    )
    await repositories.start()

    assert repositories.names == ("octo/widgets", "octo/gadgets", "octo/app")
    assert [repositories.base_of(name) for name in repositories.names] == ["main", "main", "trunk"]
    assert (bench.workspace_dir / "repositories/octo--app").is_dir()


@pytest.mark.parametrize(
    "other",
    [
        WIDGETS_URL,
        "git@github.com:octo/widgets.git",
        "https://github.com/Octo/Widgets",
        "https://ghe.test/octo/widgets",
    ],
)
async def test_two_of_one_name_are_refused_with_what_to_do(bench: Bench, other: str) -> None:
    repositories = _configured(bench, repo_url=WIDGETS_URL, more=(other,))

    with pytest.raises(ConfigurationError, match=r"octo/widgets.* take one of them out of REPOSITORIES"):
        await repositories.start()


async def test_a_url_that_cannot_be_is_said_to_be_in_its_setting(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="set REPOSITORIES"):
        await _configured(bench, repo_url=WIDGETS_URL, more=("https://github.com/octo",)).start()
    with pytest.raises(ConfigurationError, match="set REPO_URL"):
        await _configured(bench, repo_url="https://github.com/octo").start()


async def test_a_persons_own_repository_comes_before_the_others(bench: Bench, urls: dict[str, str]) -> None:
    git("clone", "--quiet", bench.url, "mine", cwd=bench.root)
    repositories = _configured(bench, repo_dir=bench.root / "mine", more=(urls[GADGETS],))
    await repositories.start()

    assert repositories.names == ("local/widgets", "local/gadgets")
    assert (await repositories.of("local/widgets").prepare(BRANCH)).directory == bench.worktree
    assert not bench.clone.exists()


@pytest.mark.parametrize(
    ("what", "message"),
    [("nothing", r"REPO_DIR \S+/mine is no git repository"), ("no origin", r"mine has no remote called origin")],
)
async def test_without_a_default_the_others_serve_and_with_none_the_reason_is_kept(
    bench: Bench, urls: dict[str, str], what: str, message: str
) -> None:
    mine = bench.root / "mine"
    if what == "no origin":
        git("init", "--quiet", str(mine), cwd=bench.root)
    others, none = _configured(bench, repo_dir=mine, more=(urls[GADGETS],)), _configured(bench, repo_dir=mine)
    await others.start()
    await none.start()

    assert (others.names, others.default) == (("local/gadgets",), "local/gadgets")
    assert (await others.of("local/gadgets").prepare(BRANCH)).directory.is_dir()
    assert (bench.workspace_dir / ".empty").is_dir()  # where gh is run, for all of them
    with pytest.raises(ConfigurationError, match=message):
        assert none.default
    with pytest.raises(ConfigurationError, match=message):
        await none.check()


async def test_a_machine_without_git_is_not_taken_for_one_without_a_repository(bench: Bench) -> None:
    repositories = ConfiguredRepositories(
        make=bench.client,
        workspace_dir=bench.workspace_dir,
        base_branch="main",
        operator={"PATH": str(bench.root)},
        repo_dir=bench.root,
    )

    with pytest.raises(WorkFailed, match=r"install git 2\.38"):
        await repositories.start()


async def test_one_that_cannot_start_fails_the_start(bench: Bench, urls: dict[str, str]) -> None:
    (bench.workspace_dir / "repositories").mkdir(parents=True)
    (bench.workspace_dir / "repositories/local--gadgets").touch()

    with pytest.raises(ConfigurationError, match=r"local--gadgets cannot be written"):
        await _configured(bench, repo_url=urls[REPOSITORY], more=(urls[GADGETS],)).start()


async def test_a_worktree_of_the_repository_that_was_the_default_before_is_saved_and_made_anew(
    bench: Bench, urls: dict[str, str]
) -> None:
    await bench.client().prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")

    workspace = await bench.client(repo_url=urls[GADGETS]).prepare(BRANCH)

    assert workspace.repository == "local/gadgets"
    assert not (bench.worktree / "new.txt").exists()
    (place,) = (bench.workspace_dir / "saved").iterdir()
    assert "+work" in (place / "work.patch").read_text()
