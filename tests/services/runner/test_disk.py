"""Whether the disk of the worktrees has room."""

from pathlib import Path

import pytest

from app.services.runner.disk import Disk, free_bytes


@pytest.mark.parametrize("free", [2_000_000_000, 3_000_000_000])
async def test_a_disk_with_room_has_no_shortage(tmp_path: Path, free: int) -> None:
    assert await Disk(directory=tmp_path, min_free_gb=2, free=lambda _: free).shortage() == ""


async def test_a_full_disk_says_how_much_is_free_and_what_to_do(tmp_path: Path) -> None:
    said = await Disk(directory=tmp_path, min_free_gb=2, free=lambda _: 1_440_000_000).shortage()
    assert said == (
        "1.4 GB are free where WORKSPACE_DIR is, less than MIN_FREE_GB=2. "
        "Free some space: runs begin by themselves then."
    )


async def test_a_disk_that_cannot_be_looked_at_has_no_room(tmp_path: Path) -> None:
    def gone(_: Path) -> int:
        raise OSError(5, "Input/output error")

    assert "Input/output error" in await Disk(directory=tmp_path, min_free_gb=0, free=gone).shortage()


def test_a_directory_that_is_not_made_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "to" / "be" / "made") > 0
