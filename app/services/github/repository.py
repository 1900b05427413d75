"""The clone and its private directory on disk: found or made, and kept clean. No network."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from app.errors import ConfigurationError, WorkFailed
from app.results import Finding
from app.services.github.credential import Credential
from app.services.github.git import Git, environment, run_git, write_whole
from app.services.github.origin import TRACKED
from app.services.github.places import Places
from app.services.github.remote import parse_remote
from app.services.github.worktrees import Worktrees
from app.trees import remove_tree

_CLONE_CONFIG = """\
[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
	logallrefupdates = true
[gc]
	auto = 0
	pruneExpire = never
[remote "origin"]
	url = {url}
	fetch = +refs/heads/*:refs/remotes/origin/*
"""


async def open_repository(
    places: Places,
    *,
    repo_url: str | None,
    repo_dir: Path,
    base: str,
    credential: Credential,
    operator: Mapping[str, str],
) -> Git:
    """Find or make the clone and its private directory. Mends what a kill in the middle left."""
    if repo_url:
        remote = parse_remote(repo_url, with_token=credential.now() is not None)
        clone = places.clone / ".git"
        config = _CLONE_CONFIG.format(url=remote.url)
        _unlock(clone)  # in a person's own repository a lock may be theirs
        clone.mkdir(parents=True, exist_ok=True)
        write_whole(clone / "config", config)  # before git reads what agents may have put there
        await _initialised(operator, "--initial-branch=main", places.clone, cwd=places.root)
    else:
        config = None
        clone, url = await find_repository(repo_dir, operator)
        remote = parse_remote(url, with_token=credential.now() is not None)
    _unlock(places.private)
    is_new = not (places.private / "refs").is_dir()
    await _initialised(operator, "--bare", places.private, cwd=places.root)
    if (clone / "shallow").is_file() and not (places.private / "shallow").exists():
        shutil.copyfile(clone / "shallow", places.private / "shallow")
    git = Git(
        clone=clone,
        clone_config=config,
        private=places.private,
        remote=remote,
        credential=credential,
        operator=operator,
    )
    if is_new:
        await _seeded(git, base)
    return git


async def _initialised(operator: Mapping[str, str], *args: str | Path, cwd: Path) -> None:
    env = environment(operator)
    done = await run_git("init", "--quiet", "--template=", *args, cwd=cwd, env=env)
    if not done.ok:
        raise WorkFailed(f"Could not make {args[-1]}: {done.error_text.strip()}")


async def find_repository(repo_dir: Path, operator: Mapping[str, str]) -> tuple[Path, str]:
    """The git directory and the URL of a person's own repository. Raises ConfigurationError when it has none."""
    common = await _asked(repo_dir, operator, "rev-parse", "--path-format=absolute", "--git-common-dir")
    if common is None:
        raise ConfigurationError(
            f"REPO_DIR {repo_dir} is no git repository of ours; set REPO_URL, or another REPO_DIR."
        )
    url = await _asked(repo_dir, operator, "config", "--get", "remote.origin.url")
    if url is None:
        raise ConfigurationError(f"REPO_DIR {repo_dir} has no remote called origin; add one, or set REPO_URL.")
    # A path counts from the repository, not from where the service runs.
    return Path(common), url if ":" in url else str(repo_dir / url)


async def _asked(repo_dir: Path, operator: Mapping[str, str], *args: str) -> str | None:
    if not await asyncio.to_thread(repo_dir.is_dir):
        return None
    done = await run_git(*args, cwd=repo_dir, env=environment(operator))
    return done.text.strip() if done.ok else None


async def _seeded(git: Git, base: str) -> None:
    """Know the base that the clone knows already, so that it is not fetched again."""
    known = await git.clone("rev-parse", "--verify", "--quiet", f"{TRACKED}{base}", check=False)
    if known.ok:
        await git.private("update-ref", f"{TRACKED}{base}", known.text.strip())


def locks_in(folder: Path) -> list[Path]:
    """Git's locks of a repository, but for those of its worktrees."""
    return [*folder.glob("*.lock"), *(folder / "refs").rglob("*.lock")]


def _unlock(folder: Path) -> None:
    """Delete git's locks. Our own lock is held, so those who made them are dead."""
    for lock in locks_in(folder):
        lock.unlink(missing_ok=True)


def remove_unfinished_packs(git: Git) -> None:
    """Delete what packing objects left in the middle. The clone's lock is held."""
    for unfinished in (git.clone_dir / "objects" / "pack").glob("tmp_*"):
        unfinished.unlink(missing_ok=True)


def sweep(git: Git, places: Places, worktrees: Worktrees) -> tuple[Finding, ...]:
    """Delete what killed processes left, and say what. The clone's lock is held, so nobody is using it."""
    if git.clone_dir.is_relative_to(places.root):
        remove_unfinished_packs(git)
        (git.clone_dir / "objects" / "maintenance.lock").unlink(missing_ok=True)
    gone = [*places.leftovers(), *(entry.admin for entry in worktrees.vanished())]
    for path in gone:
        remove_tree(path)
    return tuple(Finding(what=f"{path} was left by a process that was killed.", mended=True) for path in gone)
