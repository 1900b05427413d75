"""What an agent may leave in a worktree or a clone must run nothing on our side, and lead a push nowhere else."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import WorkFailed
from app.services.github.client import GitHubClient
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench, paths
from tests.unguarded import unguarded

Plant = Callable[[Bench, Path], None]


def _script(trap: Path) -> Path:
    script = trap.with_suffix(".sh")
    script.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    script.chmod(0o755)
    return script


def _shared(bench: Bench, key: str, value: object) -> None:
    git("config", "--file", str(bench.clone / ".git/config"), key, str(value), cwd=bench.root)


def _without_git(bench: Bench) -> None:
    link = bench.worktree / ".git"
    shutil.rmtree(link) if link.is_dir() else link.unlink()


def fsmonitor_in_the_shared_configuration(bench: Bench, trap: Path) -> None:
    _shared(bench, "core.fsmonitor", f"touch {trap}; false")


def hooks_path_in_the_shared_configuration(bench: Bench, trap: Path) -> None:
    hooks = bench.worktree / ".husky"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-commit", "reference-transaction", "pre-push", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)
    _shared(bench, "core.hooksPath", hooks)


def hooks_in_the_common_directory(bench: Bench, trap: Path) -> None:
    hooks = bench.clone / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-commit", "reference-transaction", "pre-push", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)


def filter_drivers(bench: Bench, trap: Path) -> None:
    for kind in ("clean", "smudge"):
        _shared(bench, f"filter.evil.{kind}", _script(trap))
    (bench.worktree / ".gitattributes").write_text("* filter=evil\n")


def diff_drivers(bench: Bench, trap: Path) -> None:
    _shared(bench, "diff.evil.textconv", _script(trap))
    _shared(bench, "diff.evil.command", _script(trap))
    _shared(bench, "diff.external", _script(trap))
    (bench.worktree / ".gitattributes").write_text("* diff=evil\n")


def a_replaced_git_file(bench: Bench, trap: Path) -> None:
    evil = bench.root / "evil"
    evil.mkdir(exist_ok=True)
    git("init", "--quiet", cwd=evil)
    git("config", "core.fsmonitor", f"touch {trap}; false", cwd=evil)
    _without_git(bench)
    (bench.worktree / ".git").write_text(f"gitdir: {evil}/.git\n")


def a_git_directory_instead_of_the_git_file(bench: Bench, trap: Path) -> None:
    _without_git(bench)
    git("init", "--quiet", cwd=bench.worktree)
    git("config", "core.fsmonitor", f"touch {trap}; false", cwd=bench.worktree)


def configuration_of_the_worktree_alone(bench: Bench, trap: Path) -> None:
    _shared(bench, "extensions.worktreeConfig", "true")
    git("config", "--worktree", "core.fsmonitor", f"touch {trap}; false", cwd=bench.worktree)


def an_embedded_repository(bench: Bench, trap: Path) -> None:
    vendored = bench.worktree / "vendored"
    vendored.mkdir(exist_ok=True)
    git("init", "--quiet", cwd=vendored)
    (vendored / "a.txt").write_text("1\n")
    git("add", "-A", cwd=vendored)
    git("commit", "--quiet", "--allow-empty", "-m", "theirs", cwd=vendored)
    git("config", "core.fsmonitor", f"touch {trap}; false", cwd=vendored)
    (vendored / "a.txt").write_text("2\n")


def an_embedded_repository_where_the_base_has_a_submodule(bench: Bench, trap: Path) -> None:
    module = bench.worktree / "module"
    git("init", "--quiet", cwd=module)
    (module / "a.txt").write_text("1\n")
    git("add", "-A", cwd=module)
    git("commit", "--quiet", "--allow-empty", "-m", "theirs", cwd=module)
    git("config", "core.fsmonitor", f"touch {trap}; false", cwd=module)
    (module / "a.txt").write_text("2\n")


def a_bare_repository_in_the_tree(bench: Bench, trap: Path) -> None:
    git("init", "--quiet", "--bare", "bare", cwd=bench.worktree)
    git("config", "core.fsmonitor", f"touch {trap}; false", cwd=bench.worktree / "bare")
    git("config", "core.bare", "false", cwd=bench.worktree / "bare")
    git("config", "core.worktree", str(bench.worktree), cwd=bench.worktree / "bare")


PLAIN: dict[Plant, tuple[str, ...]] = {
    fsmonitor_in_the_shared_configuration: ("status",),
    hooks_path_in_the_shared_configuration: ("commit", "--allow-empty", "--message", "x"),
    hooks_in_the_common_directory: ("commit", "--allow-empty", "--message", "x"),
    filter_drivers: ("add", "--all"),
    diff_drivers: ("diff",),
    a_replaced_git_file: ("status",),
    a_git_directory_instead_of_the_git_file: ("status",),
    configuration_of_the_worktree_alone: ("status",),
    an_embedded_repository: ("-C", "vendored", "status"),
    an_embedded_repository_where_the_base_has_a_submodule: ("status",),
    a_bare_repository_in_the_tree: ("-C", "bare", "status"),
}


@pytest.fixture
def trap(bench: Bench) -> Path:
    return bench.root / "sprung"


@pytest.fixture
def submodule(bench: Bench) -> None:
    """The base has a submodule at `module`."""
    path = bench.far.path(REPOSITORY)
    index = {"GIT_INDEX_FILE": str(path / "human.index")}
    git("read-tree", "main", cwd=path, env=index)
    git("update-index", "--add", "--cacheinfo", f"160000,{bench.heads()['main']},module", cwd=path, env=index)
    commit = git("commit-tree", git("write-tree", cwd=path, env=index), "-p", "main", "-m", "module", cwd=path)
    git("update-ref", "refs/heads/main", commit, cwd=path)


def _lay(plant: Plant, bench: Bench, trap: Path) -> None:
    plant(bench, trap)
    trap.unlink(missing_ok=True)  # laying it may spring it


def _is_sprung(trap: Path) -> bool:
    return trap.exists()


async def _whole_run(
    bench: Bench, client: GitHubClient, plant: Callable[[], None], *, is_refused: bool = False
) -> None:
    """Everything that a run does, after the trap was laid."""
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "README.md").write_text("# Changed\n")
    plant()
    await client.changes(workspace)
    await client.changes(workspace)
    bench.push_as_human({"theirs.txt": "1\n"})
    await client.refresh()
    workspace = await client.prepare(BRANCH)
    await client.prepare("ticket/proj-2")
    await client.read(workspace, "README.md")
    plant()
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    with pytest.raises(WorkFailed, match="changed submodule") if is_refused else contextlib.nullcontext():
        await client.push(workspace, commit, guard=unguarded)
    (bench.worktree / "later.txt").write_text("unpushed\n")
    plant()
    assert await client.remove(workspace)
    await bench.client().start()


@pytest.mark.usefixtures("submodule")
@pytest.mark.parametrize("plant", PLAIN, ids=lambda plant: plant.__name__)
async def test_nothing_of_the_target_repository_runs_on_our_side(bench: Bench, trap: Path, plant: Plant) -> None:
    is_refused = plant is an_embedded_repository_where_the_base_has_a_submodule

    await _whole_run(bench, bench.client(), lambda: _lay(plant, bench, trap), is_refused=is_refused)

    assert not _is_sprung(trap)
    assert bench.file(BRANCH, "README.md") == ("# Widgets\n" if is_refused else "# Changed\n")
    assert bench.file(BRANCH, "theirs.txt") == "1\n"


@pytest.mark.usefixtures("submodule")
@pytest.mark.parametrize("plant", PLAIN, ids=lambda plant: plant.__name__)
async def test_the_trap_springs_for_plain_git(bench: Bench, trap: Path, plant: Plant) -> None:
    await bench.client().prepare(BRANCH)
    (bench.worktree / "README.md").write_text("# Changed\n")
    _lay(plant, bench, trap)

    bench.in_worktree(*PLAIN[plant])

    assert _is_sprung(trap)


async def test_a_url_rewritten_in_the_shared_configuration_leads_nowhere_else(bench: Bench) -> None:
    bench.far.create("evil/elsewhere", {"evil.txt": "1\n"})
    evil = bench.far.path("evil/elsewhere").as_uri()
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("1\n")
    for key in ("insteadOf", "pushInsteadOf"):
        _shared(bench, f"url.{evil}.{key}", bench.url)
    _shared(bench, "remote.forge.pushurl", evil)
    _shared(bench, "remote.origin.url", evil)

    await client.refresh()
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)

    assert bench.heads()[BRANCH] == commit
    assert bench.far.heads("evil/elsewhere").keys() == {"main"}
    assert bench.in_clone("ls-tree", "--name-only", "origin/main", "evil.txt") == ""


async def test_configuration_that_git_cannot_read_stops_nobody(bench: Bench) -> None:
    client = bench.client()
    await client.prepare(BRANCH)
    for text in ("[extensions]\n\tobjectFormat = bogus\n", "[core\n"):
        (bench.clone / ".git/config").write_text(text)

        assert await client.prepare(f"ticket/proj-{len(text)}")
        await bench.client().start()


async def test_a_symbolic_link_is_no_file_to_read(bench: Bench) -> None:
    path = bench.far.path(REPOSITORY)
    blob = git("hash-object", "-w", "--stdin", cwd=path, stdin="/etc/passwd")
    index = {"GIT_INDEX_FILE": str(path / "human.index")}
    git("read-tree", "main", cwd=path, env=index)
    git("update-index", "--add", "--cacheinfo", f"120000,{blob},AGENTS.md", cwd=path, env=index)
    commit = git("commit-tree", git("write-tree", cwd=path, env=index), "-p", "main", "-m", "link", cwd=path)
    git("update-ref", "refs/heads/main", commit, cwd=path)
    client = bench.client()

    workspace = await client.prepare(BRANCH)

    assert (bench.worktree / "AGENTS.md").is_symlink()
    assert await client.read(workspace, "AGENTS.md") is None


@pytest.mark.parametrize("has_commits", [True, False])
async def test_an_embedded_repository_is_published_as_plain_files(bench: Bench, has_commits: bool) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    scaffold = bench.worktree / "app/scaffold"
    (scaffold / "inner/.git/refs").mkdir(parents=True)
    (scaffold / "inner/x.txt").write_text("x\n")
    (scaffold / "link").symlink_to("inner")
    (scaffold / ".gitignore").write_text("node_modules/\n")
    (scaffold / "node_modules").mkdir()
    (scaffold / "node_modules/m.js").write_text("m\n")
    (scaffold / "main.py").write_text("1\n")
    git("init", "--quiet", cwd=scaffold)
    if has_commits:
        git("add", "main.py", cwd=scaffold)
        git("commit", "--quiet", "-m", "scaffold", cwd=scaffold)

    first = await client.changes(workspace)
    (scaffold / "second.py").write_text("2\n")
    commit = await client.commit(workspace, "PROJ-1: Scaffold")

    files = [f"app/scaffold/{name}" for name in (".gitignore", "inner/x.txt", "link", "main.py")]
    assert paths(first) == tuple(files)
    assert commit
    assert "app/scaffold/second.py" in bench.in_clone("ls-tree", "-r", "--name-only", commit)
    assert "160000" not in bench.in_clone("ls-tree", "-r", commit)


async def test_an_identity_and_a_worktree_that_point_elsewhere_are_put_right_again(bench: Bench) -> None:
    client = bench.client()
    await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("1\n")
    bench.in_worktree("checkout", "-b", "elsewhere")
    (bench.worktree / ".git").write_text("gitdir: /nowhere\n")

    await client.prepare(BRANCH)

    assert bench.in_worktree("branch", "--show-current") == BRANCH
    assert bench.in_worktree("diff", "--name-only", "HEAD") == ""
    assert (bench.worktree / "new.txt").read_text() == "1\n"
