"""From files in a worktree to a branch and a pull request at the forge."""

import os
import re

import pytest

from app.errors import BranchMoved, TemporarilyFailed, WorkFailed
from app.services.github.git import AUTHOR
from tests.fakes.repositories import git
from tests.services.github.conftest import BRANCH, REPOSITORY, Bench, paths
from tests.unguarded import unguarded


async def test_changes_hold_new_files_and_no_ignored_ones(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("brand new\n")
    (bench.worktree / "debug.log").write_text("noise\n")
    (bench.worktree / "src/widget.py").write_text("size = 2\n")
    (bench.worktree / "README.md").unlink()

    changes = await client.changes(workspace)

    assert paths(changes) == ("README.md", "new.txt", "src/widget.py")
    assert "+brand new" in changes.patch
    assert "-size = 1" in changes.patch
    assert "noise" not in changes.patch
    assert changes.unpublished


async def test_an_untouched_worktree_has_no_changes(bench: Bench) -> None:
    client = bench.client()

    changes = await client.changes(await client.prepare(BRANCH))

    assert (paths(changes), changes.patch, changes.unpublished) == ((), "", False)


async def test_what_is_at_the_forge_is_a_change_but_not_unpublished(bench: Bench) -> None:
    bench.push_as_human({"theirs.txt": "1\n"})
    client = bench.client()

    changes = await client.changes(await client.prepare(BRANCH))

    assert paths(changes) == ("theirs.txt",)
    assert not changes.unpublished


async def test_a_long_patch_is_cut_and_says_so(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "long.txt").write_text("line\n" * 10_000)

    patch = (await client.changes(workspace, patch_bytes=1_000)).patch

    assert len(patch) < 1_200
    assert "cut here" in patch.splitlines()[-1]


async def test_files_keep_names_that_are_no_utf8_and_modes(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    script = bench.worktree / "näme with space.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (bench.worktree / "link").symlink_to("README.md")
    (bench.worktree / os.fsdecode(b"\xff\xfe")).write_bytes(b"\x00binary")

    commit = await client.commit(workspace, "PROJ-1: Names")

    assert commit
    changes = await client.changes(workspace)
    assert paths(changes) == ("link", "näme with space.sh", "��")
    assert changes.model_dump_json()
    modes = bench.in_clone("ls-tree", commit)
    assert re.search(r"^100755 .* space.sh\"$", modes, re.MULTILINE)
    assert re.search(r"^120000 .*\tlink$", modes, re.MULTILINE)
    assert bench.in_worktree("status", "--short") == ""


@pytest.mark.parametrize("becomes", ["file", "link"])
async def test_a_directory_may_become_something_else(bench: Bench, becomes: str) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "src").rename(bench.worktree / "lib")
    (bench.worktree / "lib/widget.py").write_text("size = 2\n")
    if becomes == "file":
        (bench.worktree / "src").write_text("a file\n")
    else:
        (bench.worktree / "src").symlink_to("lib")

    commit = await client.commit(workspace, "PROJ-1: Move")

    assert commit
    names = bench.in_clone("ls-tree", "-r", "--name-only", commit).splitlines()
    assert names == [".gitignore", "README.md", "lib/widget.py", "src"]


async def test_a_file_may_become_a_directory(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "README.md").unlink()
    (bench.worktree / "README.md").mkdir()
    (bench.worktree / "README.md/inner.txt").write_text("1\n")

    commit = await client.commit(workspace, "PROJ-1: Turn")

    assert commit
    assert "README.md/inner.txt" in bench.in_clone("ls-tree", "-r", "--name-only", commit)


async def test_a_commit_is_the_services_own_whatever_the_machine_says(bench: Bench) -> None:
    git("config", "--file", str(bench.root / ".gitconfig"), "user.name", "Somebody", cwd=bench.root)
    git("config", "--file", str(bench.root / ".gitconfig"), "author.email", "a@example.com", cwd=bench.root)
    git("config", "--file", str(bench.root / ".gitconfig"), "commit.gpgSign", "true", cwd=bench.root)
    said = {"GIT_AUTHOR_NAME": "Somebody", "GIT_COMMITTER_EMAIL": "b@example.com", "EMAIL": "c@example.com"}
    client = bench.client(operator={**bench.operator, **said})
    workspace = await client.prepare(BRANCH)
    git("config", "--file", str(bench.clone / ".git/config"), "committer.name", "The agent", cwd=bench.root)
    (bench.worktree / "new.txt").write_text("1\n")

    commit = await client.commit(workspace, "PROJ-1: Widgets — größer\n\nWhy.")

    assert commit
    shown = bench.in_clone("show", "--no-patch", "--format=%an <%ae>|%cn <%ce>|%P|%B", commit)
    who = f"{AUTHOR[0]} <{AUTHOR[1]}>"
    assert shown == f"{who}|{who}|{workspace.parent}|PROJ-1: Widgets — größer\n\nWhy."
    assert bench.in_worktree("rev-parse", "HEAD") == commit
    assert bench.in_worktree("status", "--short") == ""


async def test_nothing_to_commit_is_none(bench: Bench) -> None:
    client = bench.client()

    assert await client.commit(await client.prepare(BRANCH), "PROJ-1: Nothing") is None


async def test_what_an_agent_committed_becomes_part_of_the_one_commit(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("1\n")
    bench.in_worktree("add", "-A")
    bench.in_worktree("commit", "-m", "the agent's own")
    bench.in_worktree("checkout", "-b", "elsewhere")

    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)

    assert bench.far.log(REPOSITORY, BRANCH) == ["PROJ-1: Widgets", "Begin"]


async def test_pushing_twice_is_pushing_once(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("1\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit

    await client.push(workspace, commit, guard=unguarded)
    await bench.client().push(workspace, commit, guard=unguarded)

    assert bench.heads()[BRANCH] == commit
    assert bench.file(BRANCH, "new.txt") == "1\n"


@pytest.mark.parametrize("began", ["from the base", "at the forge"])
async def test_a_persons_commit_is_never_overwritten(bench: Bench, began: str) -> None:
    if began == "at the forge":
        bench.push_as_human({"first.txt": "1\n"})
    client = bench.client(fresh_s=3600)
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    theirs = bench.push_as_human({"theirs.txt": "2\n"})

    with pytest.raises(BranchMoved, match="moved"):
        await client.push(workspace, commit, guard=unguarded)
    assert bench.heads()[BRANCH] == theirs

    workspace = await client.prepare(BRANCH)
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    await client.push(workspace, commit, guard=unguarded)
    assert bench.far.log(REPOSITORY, BRANCH)[:2] == ["PROJ-1: Widgets", "A person's work"]
    assert bench.file(BRANCH, "theirs.txt") == "2\n"
    assert bench.file(BRANCH, "new.txt") == "work\n"


async def test_a_branch_that_vanished_at_the_forge_is_a_branch_that_moved(bench: Bench) -> None:
    bench.push_as_human({"first.txt": "1\n"})
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("work\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit
    git("update-ref", "-d", f"refs/heads/{BRANCH}", cwd=bench.far.path(REPOSITORY))

    with pytest.raises(BranchMoved, match="gone"):
        await client.push(workspace, commit, guard=unguarded)


async def test_a_push_that_the_far_side_refuses_fails_with_its_reason(bench: Bench) -> None:
    refuses = "#!/bin/sh\necho 'Secrets must not be pushed.' >&2\nexit 1\n"
    bench.far.set_hook(REPOSITORY, "pre-receive", refuses)
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("1\n")
    commit = await client.commit(workspace, "PROJ-1: Widgets")
    assert commit

    with pytest.raises(WorkFailed, match=r"Secrets must not be pushed") as caught:
        await client.push(workspace, commit, guard=unguarded)
    assert not isinstance(caught.value, TemporarilyFailed | BranchMoved)


async def test_work_goes_on_after_a_push(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "new.txt").write_text("1\n")
    commit = await client.commit(workspace, "PROJ-1: First")
    assert commit
    await client.push(workspace, commit, guard=unguarded)
    (bench.worktree / "new.txt").write_text("2\n")

    workspace = await bench.client().prepare(BRANCH)

    assert (workspace.parent, workspace.on_remote, workspace.conflicts) == (commit, True, ())
    assert (bench.worktree / "new.txt").read_text() == "2\n"


async def test_a_pull_request_is_opened_once_and_then_updated(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)

    first = await client.open_pull_request(workspace, title="PROJ-1: Widgets", body="One.", draft=True, guard=unguarded)
    second = await client.open_pull_request(
        workspace, title="PROJ-1: Widgets", body="Two.", draft=False, guard=unguarded
    )

    assert (first.created, second.created) == (True, False)
    assert second.number == first.number
    assert second.draft
    assert [proposal.body for proposal in bench.forge.proposals] == ["Two."]


async def test_files_are_read_from_the_base_commit(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "README.md").write_text("rewritten by the agent\n")

    assert await client.read(workspace, "README.md") == "# Widgets\n"
    assert await client.read(workspace, "README.md", limit_bytes=3) == "# W"
    for path in ("nowhere.md", "src", "../README.md", "/etc/passwd", "", "READ*"):
        assert await client.read(workspace, path) is None, path
