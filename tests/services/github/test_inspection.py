"""What code finds in a change before it is pushed, and does not let through. Git is real, and so is the scanner."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.domain.protected import ProtectedPaths
from app.errors import WorkFailed
from app.results import Refusal, RefusalReason, Workspace
from app.services.github.client import GitHubClient
from app.services.github.inspection import LARGEST_FILE, Inspector, leads_out
from app.services.github.secrets import Kingfisher
from tests.contracts.github_worlds import made_up_token
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench
from tests.unguarded import unguarded

Lay = Callable[[Path], object]


def blocking() -> Inspector:
    return Inspector(scanner=Kingfisher(), protected=ProtectedPaths(("/.github/workflows/",)), blocks=True)


def write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def tried(bench: Bench, client: GitHubClient, workspace: Workspace) -> str | None:
    """The sentence with which a push of the worktree is refused; None when it went through."""
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    try:
        await client.push(workspace, commit, guard=unguarded)
    except WorkFailed as error:
        assert bench.heads().get(BRANCH) != commit
        return error.message
    assert bench.heads()[BRANCH] == commit
    return None


@pytest.mark.parametrize(
    ("lay", "reason", "place"),
    [
        (lambda tree: (tree / "a.py").write_text(f"x = 1\nt = '{made_up_token()}'\n"), RefusalReason.SECRET, "a.py:2"),
        (
            lambda tree: (tree / "src/widget.py").write_text(f"t = '{made_up_token()}'\n"),
            RefusalReason.SECRET,
            "src/widget.py:1",
        ),
        (lambda tree: (tree / f"{made_up_token()}.txt").write_text("x"), RefusalReason.SECRET, "the name of a file"),
        (lambda tree: (tree / "out").symlink_to("/etc/passwd"), RefusalReason.SYMLINK, "out"),
        (lambda tree: (tree / "src/out").symlink_to("../../secret"), RefusalReason.SYMLINK, "src/out"),
        (lambda tree: (tree / "big.bin").write_bytes(b"x" * (LARGEST_FILE + 1)), RefusalReason.LARGE_FILE, "big.bin"),
        (lambda tree: (tree / "a\nb\u202e").symlink_to("/"), RefusalReason.SYMLINK, "a\\nb\\u202e"),
        (lambda tree: (tree / "\udcff").symlink_to("/"), RefusalReason.SYMLINK, "\\udcff"),
    ],
)
async def test_what_must_not_leave_is_refused_with_its_place(
    bench: Bench, lay: Lay, reason: RefusalReason, place: str
) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    lay(bench.worktree)

    [found] = (await client.inspect(workspace)).refusals
    sentence = await tried(bench, client, workspace)

    assert (found.reason, found.place) == (reason, place)
    assert sentence is not None
    assert place in sentence
    assert "ghp_" not in f"{found} {sentence}"


@pytest.mark.parametrize(
    "lay",
    [
        lambda tree: (tree / "in").symlink_to("src/widget.py"),
        lambda tree: (tree / "src/in").symlink_to("../README.md"),
        lambda tree: (tree / "fits.bin").write_bytes(b"x" * LARGEST_FILE),
        lambda tree: (tree / "doc.md").write_text("GH_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
        lambda tree: (tree / ".env.example").write_text("DATABASE_URL=postgresql://user:password@localhost/db\n"),
        lambda tree: (tree / "lock.json").write_text(
            "".join(f'"sha512-{secrets.token_urlsafe(64)}",\n' for _ in range(99))
        ),
    ],
)
async def test_ordinary_work_goes_through(bench: Bench, lay: Lay) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    lay(bench.worktree)

    assert await tried(bench, client, workspace) is None


@pytest.mark.parametrize(
    ("path", "target", "leads"),
    [
        ("a", b"b", False),
        ("d/a", b"../b", False),
        ("d/e/a", b"../../b/./c", False),
        ("a", b".", False),
        ("a", b"../b", True),
        ("d/a", b"../../b", True),
        ("a", b"/b", True),
        ("a", b"d/../../b", True),
        ("d/a", b"e/..", True),
        ("a", b".git/config", True),
        ("d/a", b"../.GIT/hooks", True),
    ],
)
def test_a_link_may_go_up_only_at_its_beginning_and_within_the_repository(
    path: str, target: bytes, leads: bool
) -> None:
    assert leads_out(path, target) is leads


async def test_a_submodule_that_changes_is_refused_and_one_that_stays_is_not(bench: Bench) -> None:
    path = bench.far.path(REPOSITORY)
    index = {"GIT_INDEX_FILE": str(path / "human.index")}
    git("read-tree", "main", cwd=path, env=index)
    git("update-index", "--add", "--cacheinfo", f"160000,{bench.heads()['main']},module", cwd=path, env=index)
    commit = git("commit-tree", git("write-tree", cwd=path, env=index), "-p", "main", "-m", "module", cwd=path)
    git("update-ref", "refs/heads/main", commit, cwd=path)
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"new.txt": "1\n"})
    assert not (await client.inspect(workspace)).refusals

    (bench.worktree / "module").rmdir()

    [refusal] = (await client.inspect(workspace)).refusals
    assert refusal == Refusal(reason=RefusalReason.SUBMODULE, place="module")


async def test_only_what_the_change_adds_counts_also_where_it_moved(bench: Bench) -> None:
    known = f"KEY = '{made_up_token()}'\n"
    bench.push_as_human({"old.py": known}, branch="main")
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "old.py").unlink()
    write(bench.worktree, {"moved.py": f"# moved\n\n{known}"})
    assert not (await client.inspect(workspace)).refusals

    write(bench.worktree, {"moved.py": f"{known}NEW = '{made_up_token()}'\n"})

    assert [refusal.place for refusal in (await client.inspect(workspace)).refusals] == ["moved.py:2"]


async def test_a_comment_in_the_change_allows_nothing(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"a.py": f"t = '{made_up_token()}'  # kingfisher:ignore gitleaks:allow\n"})

    assert len((await client.inspect(workspace)).refusals) == 1


async def test_paths_are_allowed_by_the_base_as_it_is_at_the_forge_and_never_by_the_change(bench: Bench) -> None:
    rule = "paths-ignore: ['tests/fixtures/**']\n"
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"tests/fixtures/key.txt": f"{made_up_token()}\n", ".github/secret_scanning.yml": rule})
    assert len((await client.inspect(workspace)).refusals) == 1

    bench.push_as_human({".github/secret_scanning.yml": rule}, branch="main")
    await client.refresh()

    assert not (await client.inspect(workspace)).refusals


async def test_a_secret_of_the_service_itself_is_found_whatever_its_shape(bench: Bench) -> None:
    known = Kingfisher({"ADMIN_ACCESS_CODE": "open sesame, please", "SHORT": "abc"})
    client = bench.client(inspector=Inspector(scanner=known, protected=ProtectedPaths(())))
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"a.txt": "abc\n\nthe code is open sesame, please\n"})

    [refusal] = (await client.inspect(workspace)).refusals
    assert (refusal.place, refusal.what) == ("a.txt:3", "ADMIN_ACCESS_CODE of this service")


async def test_every_commit_that_would_leave_is_looked_at(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"a.py": f"t = '{made_up_token()}'\n"})
    first = await client.commit(workspace, "PROJ-1: With a secret")
    write(bench.worktree, {"a.py": "t = None\n"})
    assert not (await client.inspect(workspace)).refusals

    tree = git("rev-parse", f"{await client.commit(workspace, 'PROJ-1: Without')}^{{tree}}", cwd=bench.clone)
    last = git("commit-tree", tree, "-p", str(first), "-m", "PROJ-1: Without", cwd=bench.clone)

    with pytest.raises(WorkFailed, match=r"a\.py:1"):
        await client.push(workspace, last, guard=unguarded)


async def test_what_people_pushed_to_the_branch_is_theirs(bench: Bench) -> None:
    bench.push_as_human({"theirs.py": f"t = '{made_up_token()}'\n", ".github/workflows/ci.yml": "on: push\n"})
    client = bench.client(inspector=blocking())
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"ours.py": "x = 1\n"})

    found = await client.inspect(workspace)

    assert (found.refusals, found.adds_protected) == ((), False)
    assert found.protected == (".github/workflows/ci.yml",)
    assert await tried(bench, client, workspace) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / ".github/workflows/ci.yml").write_text("on: pull_request_target\n"),
        lambda tree: (tree / ".github/workflows/ci.yml").unlink(),
        lambda tree: (tree / ".github/workflows/ci.yml").chmod(0o755),
        lambda tree: (tree / ".github/workflows/ci.yml").rename(tree / "ci.yml"),
        lambda tree: (tree / "README.md").rename(tree / ".github/workflows/readme.yml"),
        lambda tree: (tree / ".GitHub").mkdir() or (tree / ".GitHub/Workflows").symlink_to("../src"),
        lambda tree: (tree / "odd").mkdir() or (tree / "CODEOWNERS").write_text("* @ada\n"),
    ],
)
async def test_a_change_of_a_protected_path_is_named_or_refused(bench: Bench, change: Lay) -> None:
    bench.push_as_human({".github/workflows/ci.yml": "on: push\n"}, branch="main")
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    change(bench.worktree)

    found = await client.inspect(workspace)

    assert len(found.protected) == 1
    assert found.adds_protected
    assert not found.refusals


async def test_a_change_of_a_protected_path_can_be_blocked(bench: Bench) -> None:
    client = bench.client(inspector=blocking())
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {".github/workflows/ci.yml": "on: push\n"})

    sentence = await tried(bench, client, workspace)

    assert sentence is not None
    assert "a protected path at .github/workflows/ci.yml" in sentence
    assert "PROTECTED_PATHS=draft" in sentence


async def test_what_is_protected_stays_named_once_it_is_at_the_forge(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"CODEOWNERS": "* @ada\n"})
    assert await tried(bench, client, workspace) is None
    workspace = await client.prepare(BRANCH)
    write(bench.worktree, {"more.txt": "1\n"})

    found = await client.inspect(workspace)

    assert (found.protected, found.adds_protected) == (("CODEOWNERS",), False)


@pytest.mark.parametrize("which", ["the base", "the default of the repository"])
async def test_nothing_is_pushed_to_a_branch_that_pull_requests_go_to(bench: Bench, which: str) -> None:
    git("update-ref", "refs/heads/ticket/main-1", "refs/heads/main", cwd=bench.far.path(REPOSITORY))
    if which == "the base":
        client = bench.client(base_branch="ticket/main-1")
    else:
        git("symbolic-ref", "HEAD", "refs/heads/ticket/main-1", cwd=bench.far.path(REPOSITORY))
        client = bench.client()
    workspace = await client.prepare("ticket/main-1")
    write(workspace.directory, {"new.txt": "1\n"})
    before = bench.heads()["ticket/main-1"]

    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    with pytest.raises(WorkFailed, match="pull requests go to"):
        await client.push(workspace, commit, guard=unguarded)
    assert bench.heads()["ticket/main-1"] == before


async def test_a_change_of_many_and_large_files_is_looked_at_whole(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    for number in range(9):
        (bench.worktree / f"{number}.bin").write_bytes(
            bytes([number]) * (LARGEST_FILE - 64) + f"\n{made_up_token()}".encode()
        )

    found = await client.inspect(workspace)

    assert [refusal.place for refusal in found.refusals] == [f"{number}.bin:2" for number in range(9)]
