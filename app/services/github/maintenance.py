"""The clone kept quick: what many runs and looks left in small pieces is packed together.

Objects are never deleted. The clone does not know what the private directory, its indexes, the records and unfinished
checkpoints need, so to git's own `gc` all of that would be rubbish.
"""

from app.services.github.git import Git
from app.services.github.locks import FileLock
from app.services.github.places import Places
from app.services.github.repository import remove_unfinished_packs

_REPACK = ("repack", "--geometric=2", "-d", "-l", "--quiet", "--write-midx")
"""Puts small packs and loose objects together, reachable or not, so that little work is done each time."""
_GRAPH = ("commit-graph", "write", "--reachable", "--split", "--no-progress")


async def pack(git: Git, places: Places, clone_lock: FileLock) -> None:
    """Do it while nobody else uses the clone. Raises TemporarilyFailed when git takes longer than some minutes."""
    async with clone_lock.held():
        await git.private("pack-refs", "--all")
        if not git.clone_dir.is_relative_to(places.root):
            return  # a person's own repository, which is theirs to pack
        await git.clone("pack-refs", "--all")
        try:
            await git.private(*_REPACK)
            await git.private(*_GRAPH)
        finally:
            remove_unfinished_packs(git)
