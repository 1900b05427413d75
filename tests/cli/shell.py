"""The command line as a person calls it: a process with an environment of its own, in a directory of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_LIMIT_S = 60.0


class Shell:
    """Calls `auto-code` with nothing in its environment but what is given, and where programs, home and rules are.

    `home` is an empty home directory, `directory` the current one, and `temporary` the one for temporary files.
    """

    def __init__(self, root: Path) -> None:
        self.home, self.directory, self.temporary = root / "home", root / "here", root / "tmp"
        for place in (self.home, self.directory, self.temporary):
            place.mkdir()

    def call(self, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """The command, run to its end."""
        return subprocess.run(
            _command(arguments),
            cwd=self.directory,
            env=self._environment(variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )

    @contextmanager
    def started(self, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """The command while it runs; killed at the end if it still does."""
        process = subprocess.Popen(
            _command(arguments),
            cwd=self.directory,
            env=self._environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate(timeout=_LIMIT_S)

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        own = {"HOME": str(self.home), "TMPDIR": str(self.temporary), "PATH": os.environ["PATH"]}
        own["KF_RULE_CACHE_DIR"] = os.environ["KF_RULE_CACHE_DIR"]
        return {**own, **variables}


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines that the process writes, up to the one that holds the text."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not written:\n{''.join(lines)}")


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "app.cli", *arguments]
