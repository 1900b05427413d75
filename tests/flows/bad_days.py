"""What can go wrong with the machine under the service: its wall clock, and its disk."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import time_machine

DAY_S = 86_400

_JUMPS = {signal.SIGUSR1: DAY_S, signal.SIGUSR2: -DAY_S}
_DISK = 'mount -t tmpfs -o size=64m none "$WORKSPACE_DIR" && exec "$0" "$@"'
_OWN_MOUNTS = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))


def keep_a_clock_that_jumps() -> None:
    """From now on SIGUSR1 sets this process's wall clock a day forward, SIGUSR2 a day back; not the monotonic one."""

    def jump(number: int, _frame: object) -> None:
        time_machine.travel(time.time() + _JUMPS[signal.Signals(number)], tick=True).start()

    for number in _JUMPS:
        signal.signal(number, jump)


def has_small_disks() -> bool:
    """Whether this machine lets its users mount what only they see."""
    tried = (*_OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt")
    return (
        shutil.which("unshare") is not None and subprocess.run(tried, capture_output=True, check=False).returncode == 0
    )


def on_a_small_disk(
    arguments: Sequence[str], *, env: Mapping[str, str], directory: Path, log: Path
) -> subprocess.Popen[bytes]:
    """`auto-code` with a disk of 64 MB for its workspace, which others see below `/proc/PID/root`."""
    Path(env["WORKSPACE_DIR"]).mkdir(parents=True, exist_ok=True)
    program = (*_OWN_MOUNTS, "sh", "-c", _DISK, Path(sys.executable).with_name("auto-code"), *arguments)
    with log.open("ab") as output:
        return subprocess.Popen(program, cwd=directory, env=env, stdout=output, stderr=output)
