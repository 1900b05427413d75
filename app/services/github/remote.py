"""Where the repository lives: its URL for git, its host and its name at the forge.

A credential in a URL is refused: URLs are shown, logged and stored.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from app.errors import ConfigurationError

_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>(?!//).+)")
_UNSAFE = re.compile(r"[\s\"'\\\x00-\x1f]")
_SLUG = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Remote:
    """A repository at a forge. `host` is empty and `slug` is `local/<name>` for a directory of this machine."""

    url: str
    host: str
    slug: str

    @property
    def owner(self) -> str:
        """The account that the repository belongs to."""
        return self.slug.split("/")[0]

    @property
    def name(self) -> str:
        """What messages call the repository."""
        return f"{self.host}/{self.slug}" if self.host else self.url


def parse_remote(text: str, *, with_token: bool, setting: str = "REPO_URL") -> Remote:
    """The repository that a clone URL names.

    With a token the ssh forms become https, because that is where a token counts; without one they stay, because only
    the operator's own key opens them. Raises ConfigurationError, which names the `setting`, for what git or a forge
    would not understand.
    """
    if not text or _UNSAFE.search(text) or text.startswith("-"):
        raise ConfigurationError(
            f"{text!r} is no clone URL; set {setting} to something like https://github.com/O/R.git."
        )
    if "://" not in text and (scp := _SCP.fullmatch(text)):
        url = f"https://{scp['host']}/{scp['path']}" if with_token else text
        return _at_forge(url, scp["host"], scp["path"], setting)
    parts = urlsplit(text)
    if parts.password:
        raise ConfigurationError(f"{setting} holds a credential; take it out and set GH_TOKEN instead.")
    if parts.scheme in {"", "file"}:
        return _on_this_machine(text, parts)
    if parts.scheme == "ssh":
        url = f"https://{parts.hostname}{parts.path}" if with_token else text
        return _at_forge(url, parts.hostname or "", parts.path, setting)
    host = parts.netloc.rpartition("@")[2]
    return _at_forge(parts._replace(netloc=host, query="", fragment="").geturl(), host, parts.path, setting)


def _at_forge(url: str, host: str, path: str, setting: str) -> Remote:
    slug = "/".join(path.strip("/").removesuffix(".git").split("/")[-2:])
    if not host or not _SLUG.fullmatch(slug):
        raise ConfigurationError(f"{url} names no owner and repository; set {setting} like https://github.com/O/R.git.")
    return Remote(url=url, host=host.lower(), slug=slug)


def _on_this_machine(text: str, parts: SplitResult) -> Remote:
    path = Path(parts.path).absolute()
    name = path.parent.name if path.name == ".git" else path.name.removesuffix(".git")
    return Remote(url=text if parts.scheme else f"file://{path}", host="", slug=f"local/{name}")
