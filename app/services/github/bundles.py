"""Bundles: commits in a file of their own, without what the forge has."""

from dataclasses import dataclass
from pathlib import Path

from app.errors import WorkFailed
from app.services.github.git import Git

_HEADS = (b"# v2 git bundle\n", b"# v3 git bundle\n")
LONGEST_HEADER = 64 << 10


@dataclass(frozen=True)
class Header:
    """What a bundle of one reference says of itself. `needs` are commits that it builds on, `length` is in bytes."""

    name: str
    commit: str
    needs: tuple[str, ...]
    length: int


def header_of(bundle: bytes) -> Header | None:
    """The header of a bundle, of which the beginning is enough; None when it is none."""
    head, blank, _ = bundle[:LONGEST_HEADER].partition(b"\n\n")
    if not blank or not bundle.startswith(_HEADS):
        return None
    lines = [line for line in head.decode(errors="replace").split("\n")[1:] if not line.startswith("@")]
    needs = tuple(line[1:].split(" ")[0] for line in lines if line.startswith("-"))
    names = [line.partition(" ") for line in lines if not line.startswith("-")]
    return Header(names[0][2], names[0][0], needs, len(head) + len(blank)) if names else None


async def take_in(git: Git, bundle: bytes) -> Header:
    """Have the objects of a bundle. What it builds on must be here. Raises WorkFailed when it cannot be read."""
    # `git bundle unbundle` wants what the bundle builds on below a branch, where people may have taken it away.
    header = header_of(bundle)
    if header is None:
        raise WorkFailed("What was saved is no git bundle.")
    done = await git.private("index-pack", "--stdin", "--fix-thin", stdin=bundle[header.length :], check=False)
    if not done.ok:
        raise git.failed("read the work that was saved", done)
    return header


async def size_of(git: Git, commit: str, *without: str) -> int:
    """About how many bytes a bundle of the commit has, without what the revisions `without` hold."""
    asked = await git.private("rev-list", "--objects", "--disk-usage", commit, "--not", *without)
    return int(asked.text)


async def make(git: Git, name: str, commit: str, *without: str, to: Path | None = None) -> bytes:
    """A bundle of the commit under a reference's name: written to the file `to`, else returned.

    What is returned is cut at 64 MB.
    """
    await git.private("update-ref", name, commit)
    try:
        return (await git.private("bundle", "create", "--quiet", to or "-", name, "--not", *without)).stdout
    finally:
        await git.private("update-ref", "-d", name)
