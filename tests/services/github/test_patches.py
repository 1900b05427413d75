"""A change as people read it."""

from app.models import FileChange
from app.services.github.patches import counted, shortened
from tests.services.github.conftest import BRANCH, Bench


async def test_files_are_counted_by_their_lines_with_moved_and_binary_ones(bench: Bench) -> None:
    client = bench.client()
    workspace = await client.prepare(BRANCH)
    (bench.worktree / "src/widget.py").rename(bench.worktree / "wîdget.py")
    (bench.worktree / "picture.bin").write_bytes(bytes(range(256)))
    (bench.worktree / "README.md").write_text("# Widgets\none\ntwo\n")
    (bench.worktree / "1\t2\tname").write_text("odd\n")
    (bench.worktree / ".gitignore").chmod(0o755)

    changes = await client.changes(workspace)

    assert changes.files == (
        FileChange(path=".gitignore", added=0, removed=0),
        FileChange(path="1\t2\tname", added=1, removed=0),
        FileChange(path="README.md", added=2, removed=0),
        FileChange(path="picture.bin", added=None, removed=None),
        FileChange(path="wîdget.py", added=0, removed=0),
    )


def test_a_moved_file_that_changed_goes_by_its_new_name() -> None:
    numstat = b"\0".join((b"1\t0\ta", b"3\t4\t", b"old 5\t6\tname", b"new", b"-\t-\tz", b""))
    files = counted(numstat)

    assert [(file.path, file.added, file.removed) for file in files] == [("a", 1, 0), ("new", 3, 4), ("z", None, None)]


def test_a_patch_is_cut_after_a_whole_line_and_says_so() -> None:
    patch = "+größer\n+länger\n".encode()

    assert shortened(patch, len(patch)) == patch.decode()
    assert shortened(patch, len(patch) - 1) == (
        f"+größer\n[The patch is cut here: {len(patch)} bytes in all. The worktree has the files.]\n"
    )
