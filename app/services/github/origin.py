"""The branches at the forge: listed, fetched, pushed, and what it means when one of these is refused."""

import fnmatch
import re
from collections.abc import Mapping

from app.errors import BranchMoved, WorkFailed
from app.process import Completed
from app.services.github.base import Guard
from app.services.github.git import Git
from app.trees import remove_tree

Heads = Mapping[str, str]
"""Branches at the forge and their commits: the base, and those of tickets."""

TRACKED = "refs/remotes/origin/"
"""Where clone and private directory keep what they know of branches at the forge."""

_LIST_LIMIT_S = 10.0
"""People wait for the list of branches."""

_FETCH = ("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "forge")
_BROKEN_STORE = ("bad object", "missing object", "unable to read", "did not send all necessary", "corrupt", "bad ref")


class Origin:
    """The branches at the forge, and our copy of them. The clone's lock is held around what fetches."""

    def __init__(self, git: Git, *, base: str, pattern: str) -> None:
        self._git = git
        self._base = base
        self._pattern = pattern
        self._shown: dict[str, str] = {}
        self._default: str | None = None

    async def branches(self) -> tuple[str, ...]:
        """Branches that a pull request can go to, the base first; asked over the network."""
        doing = f"list the branches of {self._git.remote.name}"
        done = await self._git.network(doing, "ls-remote", "--heads", "forge", limit_s=_LIST_LIMIT_S)
        names = (line.partition("\trefs/heads/")[2] for line in done.text.splitlines())
        theirs = (name for name in names if not fnmatch.fnmatchcase(name, self._pattern))
        return tuple(sorted(theirs, key=lambda name: (name != self._base, name)))

    async def fetch(self) -> Heads:
        """Bring our copy up to date, and the clone's idea of the base. One round trip."""
        specs = [_refspec(name) for name in (self._base, self._pattern)]
        done = await self._git.network("fetch", *_FETCH, *specs, check=False)
        if not done.ok and any(word in done.error_text for word in _BROKEN_STORE):
            await self._start_over()
            done = await self._git.network("fetch", *_FETCH, *specs, check=False)
        if not done.ok:
            raise self._fetch_failed(done, self._no_base())
        heads = await self._heads()
        await self._show(self._base, heads[self._base])
        return heads

    async def fetch_base(self, name: str) -> str:
        """Bring our copy and the clone's idea of another base up to date; the commit that it is at."""
        where = self._git.remote.name
        if not name.isprintable() or not await self._could_be(name):
            raise WorkFailed(f"{name!r} cannot be a branch of {where}; choose one of its branches as the base.")
        done = await self._git.network("fetch", *_FETCH, _refspec(name), check=False)
        if not done.ok:
            gone = WorkFailed(f"{where} has no branch {name}; push it there, or choose another base.")
            raise self._fetch_failed(done, gone)
        commit = (await self._heads())[name]
        await self._show(name, commit)
        return commit

    async def lacks(self, *commits: str) -> tuple[str, ...]:
        """Those of the commits that are not here."""
        names = "".join(f"{commit}\n" for commit in commits).encode()
        asked = await self._git.private("cat-file", "--batch-check=%(objecttype)", stdin=names)
        return tuple(commit for commit, line in zip(commits, asked.text.splitlines(), strict=True) if line != "commit")

    async def bring(self, commit: str) -> None:
        """Fetch a commit that is below no branch any more. Raises WorkFailed when the forge has forgotten it."""
        done = await self._git.network("fetch", *_FETCH, commit, check=False)
        if not done.ok:
            where = f"fetch {commit[:12]} from {self._git.remote.name}, which saved work builds on"
            raise self._git.failed(where, done)

    async def default_branch(self) -> str:
        """The repository's own, asked over the network once; empty where it has none."""
        if self._default is None:
            asked = await self._git.network(f"reach {self._git.remote.name}", "ls-remote", "--symref", "forge", "HEAD")
            found = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", asked.text, re.MULTILINE)
            self._default = found[1] if found else ""
        return self._default

    async def push(self, branch: str, commit: str, *, expected: str | None, guard: Guard) -> None:
        """Publish a commit, provided that the branch is at `expected` (None: is not there) or at the commit itself."""
        lease = f"--force-with-lease=refs/heads/{branch}:{expected or ''}"
        spec = f"{commit}:refs/heads/{branch}"
        flags = ("--quiet", "--no-verify", lease)
        done = await self._git.network("push", "push", *flags, "forge", spec, check=False, guard=guard)
        if not done.ok:
            await self._explain(branch, commit, expected, done)
        await self._git.private("update-ref", f"{TRACKED}{branch}", commit)

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
        listed = await self._git.private("for-each-ref", "--format=%(refname) %(objectname)", TRACKED)
        pairs = (line.removeprefix(TRACKED).partition(" ") for line in listed.text.splitlines())
        return {name: commit for name, _, commit in pairs}

    async def _start_over(self) -> None:
        """Forget our copy: somebody's gc took objects of it out of the clone."""
        remove_tree(self._git.private_dir / "refs" / "remotes")
        (self._git.private_dir / "packed-refs").unlink(missing_ok=True)

    async def _could_be(self, name: str) -> bool:
        return (await self._git.private("check-ref-format", f"refs/heads/{name}", check=False)).ok

    async def _show(self, name: str, commit: str) -> None:
        """Let the clone know where a base is, for people and agents who compare with it."""
        if self._shown.get(name) != commit:
            await self._git.clone("update-ref", f"{TRACKED}{name}", commit)
            self._shown[name] = commit

    def _fetch_failed(self, done: Completed, gone: WorkFailed) -> WorkFailed:
        if "find remote ref" in done.error_text:
            return gone
        return self._git.failed(f"fetch from {self._git.remote.name}", done)

    def _no_base(self) -> WorkFailed:
        return WorkFailed(
            f"{self._git.remote.name} has no branch {self._base}; set BASE_BRANCH to the one to work from, "
            "or put #branch after its URL in REPOSITORIES."
        )


def _refspec(name: str) -> str:
    return f"+refs/heads/{name}:{TRACKED}{name}"
