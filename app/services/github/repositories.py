"""Which repositories there are: those that the settings name, or in development the person's own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.errors import ConfigurationError, NotFound
from app.services.github.base import GitHub, Repositories
from app.services.github.places import Places, folder_of
from app.services.github.remote import Remote, parse_remote
from app.services.github.repository import find_repository

_NOT_STARTED = "The repositories are not known before the service has started; start it."


class MakeGitHub(Protocol):
    """Makes a client: of the repository at `repo_url`, cloned under `root`, or without a URL of the person's own."""

    def __call__(self, *, root: Path, base_branch: str, repo_url: str | None) -> GitHub: ...


@dataclass(frozen=True)
class _Entry:
    remote: Remote
    base: str
    github: GitHub


class ConfiguredRepositories(Repositories):
    """The repository of `repo_url` at the root of `workspace_dir`, and each of `more` in a place of its own there.

    An entry of `more` is a clone URL, with `#branch` after it where its base is another than `base_branch`. Without
    `repo_url` the first is the person's own at `repo_dir`, if there is one.
    """

    def __init__(
        self,
        *,
        make: MakeGitHub,
        workspace_dir: Path,
        base_branch: str,
        operator: Mapping[str, str],
        repo_url: str | None = None,
        repo_dir: Path = Path(),
        more: Sequence[str] = (),
        with_token: bool = False,
    ) -> None:
        self._make = make
        self._places = Places(workspace_dir.absolute())
        self._base = base_branch
        self._operator = operator
        self._repo_url = repo_url
        self._repo_dir = repo_dir.absolute()
        self._more = more
        self._with_token = with_token
        self._entries: dict[str, _Entry] = {}
        self._lacks = _NOT_STARTED

    @property
    def names(self) -> tuple[str, ...]:
        """See Repositories."""
        return tuple(self._entries)

    @property
    def default(self) -> str:
        """See Repositories."""
        if not self._entries:
            raise ConfigurationError(self._lacks)
        return next(iter(self._entries))

    def of(self, name: str) -> GitHub:
        """See Repositories."""
        return self._entry(name).github

    def base_of(self, name: str) -> str:
        """See Repositories."""
        return self._entry(name).base

    async def start(self) -> None:
        """See Repositories."""
        self._places.make()
        if not self._entries:
            first = await self._default_entry()
            self._entries = _by_name([*([first] if first else []), *map(self._another, self._more)])
        ends = await asyncio.gather(*(entry.github.start() for entry in self._entries.values()), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def check(self) -> str:
        """See Repositories."""
        await self.start()
        if not self._entries:
            raise ConfigurationError(self._lacks)
        return "; ".join([await entry.github.check() for entry in self._entries.values()])

    def _entry(self, name: str) -> _Entry:
        if entry := self._entries.get(name):
            return entry
        if not self._entries:
            raise NotFound(self._lacks)
        raise NotFound(f"There is no repository {name} here, only {', '.join(self.names)}; add it to REPOSITORIES.")

    async def _default_entry(self) -> _Entry | None:
        """The first repository; None, and a reason to give, when there is none."""
        try:
            url = self._repo_url or (await find_repository(self._repo_dir, self._operator))[1]
            remote = parse_remote(url, with_token=self._with_token)
        except ConfigurationError as error:
            if self._repo_url:
                raise
            self._lacks = error.message
            return None
        github = self._make(root=self._places.root, base_branch=self._base, repo_url=self._repo_url)
        return _Entry(remote, self._base, github)

    def _another(self, text: str) -> _Entry:
        url, _, branch = text.partition("#")
        remote = parse_remote(url, with_token=self._with_token, setting="REPOSITORIES")
        base = branch or self._base
        root = self._places.of_another(remote.slug).root
        return _Entry(remote, base, self._make(root=root, base_branch=base, repo_url=url))


def _by_name(entries: Sequence[_Entry]) -> dict[str, _Entry]:
    seen: dict[str, Remote] = {}
    for entry in entries:
        remote = entry.remote
        # Forges take upper and lower case for the same, and the name is a directory here.
        other = seen.setdefault(folder_of(remote.slug).lower(), remote)
        if other is not remote:
            raise ConfigurationError(
                f"{other.url} and {remote.url} would both be called {remote.slug} here; "
                "take one of them out of REPOSITORIES, or give it another name at its home."
            )
    return {entry.remote.slug: entry for entry in entries}
