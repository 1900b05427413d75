"""`auto-code doctor`: says what a crash left, and mends it with `--mend`."""

import json
from pathlib import Path

from app.services.runner.premises import Premises
from tests.cli.left import Left
from tests.cli.shell import Shell


async def test_where_nothing_is_left_over_it_says_so(shell: Shell, tmp_path: Path) -> None:
    left = Left(tmp_path)
    await left.a_conversation()
    done = shell.call("doctor", **left.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "✓ Nothing is left over.\n", "")


async def test_a_finding_needs_a_person_until_it_is_mended(shell: Shell, tmp_path: Path) -> None:
    left = Left(tmp_path)
    run_id = await left.a_conversation(ended=False)

    looked = shell.call("doctor", **left.env)
    assert (looked.returncode, looked.stderr) == (1, "")
    assert looked.stdout.startswith(f"✗ Run {run_id}")
    assert "auto-code doctor --mend" in looked.stdout

    mended = shell.call("doctor", "--mend", **left.env)
    assert (mended.returncode, mended.stdout.startswith(f"✓ Run {run_id}")) == (0, True)
    assert shell.call("doctor", **left.env).stdout == "✓ Nothing is left over.\n"


async def test_a_program_gets_json_and_beside_a_service_hears_what_was_not_looked_at(
    shell: Shell, tmp_path: Path
) -> None:
    left = Left(tmp_path)
    run_id = await left.a_conversation(ended=False)
    service = Premises(workspace=left.workspace)
    await service.share()
    try:
        done = shell.call("doctor", "--json", **left.env)
    finally:
        service.leave()

    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == (1, False)
    assert [(run_id in each["what"], each["mended"]) for each in told["findings"]] == [(True, False)]
    assert [each[:27] for each in told["skipped"]] == ["Sessions were not looked at"]


def test_where_no_service_ever_was_it_makes_nothing(shell: Shell, tmp_path: Path) -> None:
    done = shell.call("doctor", OFFLINE="true", WORKSPACE_DIR=str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "WORKSPACE_DIR" in done.stderr
    assert not (tmp_path / "nowhere").exists()
