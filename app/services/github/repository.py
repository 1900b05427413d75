"""The clone and its private directory on disk: found or made, kept clean, and brought up to date over the network."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import BranchMoved, ConfigurationError, WorkFailed
from app.process import Completed
from app.services.github.git import Git, environment, run_git, write_whole
from app.services.github.remote import parse_remote
from app.services.github.worktrees import remove_tree

Heads = Mapping[str, str]
"""Branches at the forge and their commits: the base, and those of tickets."""

_TRACKED = "refs/remotes/origin/"
_BROKEN_STORE = ("bad object", "missing object", "unable to read", "did not send all necessary", "corrupt", "bad ref")

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


@dataclass(frozen=True)
class Places:
    """Where things are under WORKSPACE_DIR."""

    root: Path

    @property
    def clone(self) -> Path:
        """The shared clone, when REPO_URL is set."""
        return self.root / "repo"

    @property
    def worktrees(self) -> Path:
        """One worktree for each branch, by its name."""
        return self.root / "worktrees"

    @property
    def private(self) -> Path:
        """The private git directory."""
        return self.root / ".publisher.git"

    @property
    def saved(self) -> Path:
        """What was unpushed when its worktree was removed."""
        return self.root / "saved"

    @property
    def trash(self) -> Path:
        """Directories on their way out."""
        return self.root / ".trash"

    @property
    def staging(self) -> Path:
        """Worktrees in the making."""
        return self.root / ".staging"

    @property
    def empty(self) -> Path:
        """A directory with nothing in it, for programs that look around where they start."""
        return self.root / ".empty"

    @property
    def gh_config(self) -> Path:
        """Configuration of gh, when the token is ours and the operator named no other."""
        return self.root / ".gh"

    @property
    def lock(self) -> Path:
        """The file whose lock guards the clone."""
        return self.root / ".clone.lock"

    def make(self) -> None:
        """Create what can be created without git."""
        try:
            for path in (self.root, self.worktrees, self.saved, self.trash, self.staging, self.empty):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{self.root} cannot be written: {error.strerror}. Set WORKSPACE_DIR to a directory that can."
            raise ConfigurationError(message) from error


async def open_repository(
    places: Places, *, repo_url: str | None, repo_dir: Path, base: str, token: str | None, operator: Mapping[str, str]
) -> Git:
    """Find or make the clone and its private directory. No network. Mends what a kill in the middle left."""
    if repo_url:
        remote = parse_remote(repo_url, with_token=bool(token))
        clone = places.clone / ".git"
        config = _CLONE_CONFIG.format(url=remote.url)
        _unlock(clone)  # in a person's own repository a lock may be theirs
        clone.mkdir(parents=True, exist_ok=True)
        write_whole(clone / "config", config)  # before git reads what agents may have put there
        await _initialised(operator, "--initial-branch=main", places.clone, cwd=places.root)
    else:
        config = None
        clone, url = await _found(repo_dir, operator)
        remote = parse_remote(url, with_token=bool(token))
    _unlock(places.private)
    is_new = not (places.private / "refs").is_dir()
    await _initialised(operator, "--bare", places.private, cwd=places.root)
    if (clone / "shallow").is_file() and not (places.private / "shallow").exists():
        shutil.copyfile(clone / "shallow", places.private / "shallow")
    git = Git(clone=clone, clone_config=config, private=places.private, remote=remote, token=token, operator=operator)
    if is_new:
        await _seeded(git, base)
    return git


async def _initialised(operator: Mapping[str, str], *args: str | Path, cwd: Path) -> None:
    env = environment(operator)
    done = await run_git("init", "--quiet", "--template=", *args, cwd=cwd, env=env)
    if not done.ok:
        raise WorkFailed(f"Could not make {args[-1]}: {done.error_text.strip()}")


async def _found(repo_dir: Path, operator: Mapping[str, str]) -> tuple[Path, str]:
    """The git directory and the URL of a person's own repository."""
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
    try:
        done = await run_git(*args, cwd=repo_dir, env=environment(operator))
    except WorkFailed:
        return None
    return done.text.strip() if done.ok else None


async def _seeded(git: Git, base: str) -> None:
    """Know the base that the clone knows already, so that it is not fetched again."""
    known = await git.clone("rev-parse", "--verify", "--quiet", f"{_TRACKED}{base}", check=False)
    if known.ok:
        await git.private("update-ref", f"{_TRACKED}{base}", known.text.strip())


def _unlock(folder: Path) -> None:
    """Delete git's locks. Our own lock is held, so those who made them are dead."""
    for lock in (*folder.glob("*.lock"), *(folder / "refs").rglob("*.lock")):
        lock.unlink(missing_ok=True)


def sweep(git: Git, places: Places) -> None:
    """Delete what killed processes left. The clone's lock is held, so nobody is using it."""
    if git.clone_dir.is_relative_to(places.root):
        for unfinished in (git.clone_dir / "objects" / "pack").glob("tmp_*"):
            unfinished.unlink(missing_ok=True)
        (git.clone_dir / "objects" / "maintenance.lock").unlink(missing_ok=True)
    for leftover in (*places.trash.iterdir(), *places.staging.iterdir()):
        remove_tree(leftover)


class Origin:
    """The branches at the forge, and our copy of them. The clone's lock is held around all but `base_exists`."""

    def __init__(self, git: Git, *, base: str, pattern: str) -> None:
        self._git = git
        self._base = base
        self._pattern = pattern
        self._shown: str | None = None

    async def fetch(self) -> Heads:
        """Bring our copy up to date, and the clone's idea of the base. One round trip."""
        specs = [f"+refs/heads/{name}:{_TRACKED}{name}" for name in (self._base, self._pattern)]
        flags = ("--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        command = ("fetch", *flags, "forge", *specs)
        done = await self._git.network("fetch", *command, check=False)
        if not done.ok and any(word in done.error_text for word in _BROKEN_STORE):
            await self._start_over()
            done = await self._git.network("fetch", *command, check=False)
        if not done.ok:
            raise self._fetch_failed(done)
        heads = await self._heads()
        if heads[self._base] != self._shown:
            await self._git.clone("update-ref", f"{_TRACKED}{self._base}", heads[self._base])
            self._shown = heads[self._base]
        return heads

    async def push(self, branch: str, commit: str, *, expected: str | None) -> None:
        """Publish a commit, provided that the branch is at `expected` (None: is not there) or at the commit itself."""
        lease = f"--force-with-lease=refs/heads/{branch}:{expected or ''}"
        spec = f"{commit}:refs/heads/{branch}"
        done = await self._git.network("push", "push", "--quiet", "--no-verify", lease, "forge", spec, check=False)
        if not done.ok:
            await self._explain(branch, commit, expected, done)
        await self._git.private("update-ref", f"{_TRACKED}{branch}", commit)

    async def base_exists(self) -> str:
        """The commit of the base branch, asked over the network."""
        tip = await self._tip(self._base)
        if tip is None:
            raise self._no_base()
        return tip

    async def _explain(self, branch: str, commit: str, expected: str | None, done: Completed) -> None:
        """Raise why a push was refused; return when it did arrive after all."""
        doing = f"push {branch} to {self._git.remote.name}"
        if done.timed_out or "rejected]" not in done.error_text:
            raise self._git.failed(doing, done)
        tip = await self._tip(branch)
        if tip == commit:
            return
        if tip == expected:
            raise self._git.failed(doing, done)
        where = f"at {tip[:12]}" if tip else "gone"
        moved = f"{branch} moved at {self._git.remote.name} (it is {where} now)"
        raise BranchMoved(f"{moved}, so nothing was pushed; run the ticket again.")

    async def _tip(self, branch: str) -> str | None:
        name = f"refs/heads/{branch}"
        done = await self._git.network(f"reach {self._git.remote.name}", "ls-remote", "forge", name)
        return next((line.split()[0] for line in done.text.splitlines() if line.endswith(f"\t{name}")), None)

    async def _heads(self) -> Heads:
        listed = await self._git.private("for-each-ref", "--format=%(refname) %(objectname)", _TRACKED)
        pairs = (line.removeprefix(_TRACKED).partition(" ") for line in listed.text.splitlines())
        return {name: commit for name, _, commit in pairs}

    async def _start_over(self) -> None:
        """Forget our copy: somebody's gc took objects of it out of the clone."""
        remove_tree(self._git.private_dir / "refs" / "remotes")
        (self._git.private_dir / "packed-refs").unlink(missing_ok=True)

    def _fetch_failed(self, done: Completed) -> WorkFailed:
        if "find remote ref" in done.error_text:
            return self._no_base()
        return self._git.failed(f"fetch from {self._git.remote.name}", done)

    def _no_base(self) -> WorkFailed:
        return WorkFailed(
            f"{self._git.remote.name} has no branch {self._base}; set BASE_BRANCH to the one to work from."
        )
