"""`auto-code restore`: what was saved is listed, and comes back."""

from pathlib import Path

from tests.cli.left import Left
from tests.cli.shell import Shell


async def test_the_newest_of_a_ticket_comes_back(shell: Shell, tmp_path: Path) -> None:
    left = Left(tmp_path)
    await left.a_conversation()
    await left.saved_work("older\n")
    await left.saved_work("newer\n")
    assert not left.worktree().exists()

    done = shell.call("restore", "proj-1", **left.env)

    assert (done.returncode, done.stderr) == (0, "")
    assert (left.worktree() / "theme.txt").read_text() == "newer\n"
    assert str(left.worktree()) in done.stdout


async def test_a_list_says_what_there_is_of_whom_and_where_and_brings_nothing_back(
    shell: Shell, tmp_path: Path
) -> None:
    left = Left(tmp_path)
    await left.a_conversation()
    mine = await left.saved_work("dark\n")
    other = await left.saved_work("blue\n", key="PROJ-2")

    everything = shell.call("restore", **left.env)
    one = shell.call("restore", "PROJ-1", "--list", **left.env)

    assert (everything.returncode, one.returncode) == (0, 0)
    assert [line.split()[0] for line in everything.stdout.splitlines()] == ["PROJ-2", str(other), "PROJ-1", str(mine)]
    assert [line.split()[0] for line in one.stdout.splitlines()] == ["PROJ-1", str(mine)]
    assert not left.worktree().exists()


async def test_nothing_comes_back_under_an_active_run(shell: Shell, tmp_path: Path) -> None:
    left = Left(tmp_path)
    await left.a_conversation(ended=False)
    await left.saved_work("dark\n")

    done = shell.call("restore", "PROJ-1", **left.env)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "PROJ-1 has an active run (queued). Stop it, or wait for its end.\n"
    assert not left.worktree().exists()


async def test_what_cannot_be_is_said_in_a_sentence(shell: Shell, tmp_path: Path) -> None:
    left = Left(tmp_path)
    nowhere = shell.call("restore", "PROJ-1", **left.env)
    assert (nowhere.returncode, nowhere.stderr.startswith("Nothing was ever done in WORKSPACE_DIR")) == (2, True)

    await left.a_conversation()
    unsaved = shell.call("restore", "PROJ-1", **left.env)
    assert (unsaved.returncode, unsaved.stderr.startswith("Nothing is saved of PROJ-1.")) == (1, True)
    assert shell.call("restore", "no key", **left.env).returncode == 2
    assert shell.call("restore", **left.env).stdout == "Nothing is saved.\n"
