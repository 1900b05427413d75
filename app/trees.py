"""Directories that go, with whatever programs left in them.

It refuses to follow links: only what the directory itself holds is deleted.
"""

import os
import shutil
import stat
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Delete a directory, write-protected parts included; of a link, the link. No error when it is not there.

    Nothing may work in it any more. Raises OSError for what cannot be deleted.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    _open_up(path)
    for place, names, _ in os.walk(path):
        for name in names:
            _open_up(Path(place, name))
    shutil.rmtree(path)


def _open_up(directory: Path) -> None:
    """Let this user list and change what is in it."""
    if not directory.is_symlink():
        directory.chmod(stat.S_IRWXU)
