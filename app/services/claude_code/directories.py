"""The directories of sessions on this machine: where the CLI keeps a session, its home, its temporary files, and the
ground of a spare that waits.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

from app.errors import WorkFailed
from app.logger import get_logger
from app.services.claude_code.options import CliSettings
from app.services.claude_code.transcripts import Transcript
from app.trees import remove_tree

_log = get_logger(__name__)


class Directories:
    """Knows them by their sessions. Blocking: for a thread."""

    def __init__(self, cli: CliSettings) -> None:
        self._cli = cli

    def ground(self, session_id: str) -> Path:
        """Where a spare waits. It becomes a worktree by a rename, because what keeps processes in knows directories,
        not their names.
        """
        return self._of(session_id) / "ground"

    def sessions(self) -> tuple[str, ...]:
        """The ids of sessions that have one."""
        try:
            return tuple(each.name for each in self._cli.state.iterdir() if _is_id(each.name))
        except FileNotFoundError:
            return ()

    def remove(self, session_id: str) -> None:
        """Delete all of a session, which has no process any more."""
        if not _is_id(session_id):
            raise WorkFailed(f"{session_id!r} is the id of no session; nothing was deleted.")
        directory = self._of(session_id)
        try:
            remove_tree(directory)
        except OSError as error:
            raise WorkFailed(
                f"{directory} cannot be deleted: {error}. Mend its rights, or delete it by hand."
            ) from error

    def remove_leftovers(self) -> None:
        """Delete what spares have left whose service died. Where it cannot be deleted, the log says so."""
        waiting = [each for each in self.sessions() if self.ground(each).is_dir() and not self._was_asked(each)]
        used = frozenset(_places_of_processes()) if waiting else frozenset()
        for session_id in waiting:
            if self.ground(session_id).resolve() not in used:
                try:
                    self.remove(session_id)
                except WorkFailed as error:
                    _log.warning("spare_not_removed", session=session_id, error=error.message)

    def _of(self, session_id: str) -> Path:
        return self._cli.state / session_id

    def _was_asked(self, session_id: str) -> bool:
        config = self._cli.config_directory(session_id)
        return Transcript(config_directory=config, session_id=session_id).read().begun


def _places_of_processes() -> Iterator[Path]:
    """Where the processes of this machine work, as far as this user may know."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            yield (entry / "cwd").readlink()
        except OSError:
            continue


def _is_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
