"""Which hosts the agent's programs may reach: package registries, and what the operator names.

Names and ports only, no I/O. A host is allowed when an entry says so; nothing is allowed by its address unless an entry
is that very address. It refuses entries that would allow everything.

What it cannot do: a registry that takes uploads on the host it serves from can be written with a stranger's key.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from app.errors import ConfigurationError

TLS_PORT = 443
HTTP_PORT = 80

# Hosts that serve packages and toolchains. Forges and object stores are not here: everybody can write those.
PUBLIC_REGISTRIES = (
    "registry.npmjs.org", "registry.yarnpkg.com", "repo.yarnpkg.com", "nodejs.org", "npm.jsr.io", "jsr.io",
    "pypi.org", "files.pythonhosted.org",
    "crates.io", "index.crates.io", "static.crates.io", "static.rust-lang.org",
    "proxy.golang.org", "sum.golang.org",
    "rubygems.org", "index.rubygems.org",
    "repo.maven.apache.org", "repo1.maven.org", "maven.google.com", "dl.google.com", "plugins.gradle.org",
    "plugins-artifacts.gradle.org", "services.gradle.org", "downloads.gradle.org",
    "api.nuget.org", "globalcdn.nuget.org",
    "packagist.org", "repo.packagist.org",
    "repo.hex.pm", "builds.hex.pm", "pub.dev",
)  # fmt: skip

# Where an operator names mirrors, in lower case. npm reads its variables in any case; a scope's ends in `:registry`.
_MIRROR_VARIABLES = re.compile(
    r"(pip_(index_url|extra_index_url|find_links)|uv_(index|index_url|default_index|extra_index_url|find_links"
    r"|python_install_mirror|pypy_install_mirror)|poetry_repositories_.+_url|python_build_mirror_url"
    r"|npm_config_(.+:)?registry|npm_config_disturl|yarn_(npm_)?registry(_server)?|corepack_npm_registry"
    r"|bun_config_registry|nodejs_org_mirror|nvm_nodejs_org_mirror|goproxy|gosumdb|cargo_registries_.+_index"
    r"|rustup_dist_server|rustup_update_root|bundle_mirror__.+|hex_mirror|hex_repos_.+|pub_hosted_url"
    r"|playwright_download_host|puppeteer_download_base_url)"
)
_URL = re.compile(r"https?://[^\s,|;\"']+")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True)
class Target:
    """Where a request wants to go. `tunnel`: by CONNECT; else plain HTTP, passed on."""

    host: str
    port: int
    tunnel: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """What the Host header of plain HTTP says."""
        return str(self).removesuffix(f":{HTTP_PORT}") if self.port == HTTP_PORT else str(self)


class AllowList:
    """Entries are `host`, `*.domain` (the hosts below it, at any depth), `host:port` or an IP address.

    Without a port an entry allows tunnels to 443 and plain HTTP to 80; with one, both to that port only. `trusted` are
    the entries whose hosts may have private addresses; a `*` is never trusted so far. Raises ConfigurationError for an
    entry that cannot be understood.
    """

    def __init__(self, *, hosts: Iterable[str], trusted: Iterable[str] = ()) -> None:
        self._trusted = frozenset(_Entry.of(text) for text in trusted)
        self._all = self._trusted.union(_Entry.of(text) for text in hosts)

    def allows(self, target: Target) -> bool:
        """Whether a request may go there at all."""
        return any(entry.covers(target) for entry in self._all)

    def trusts(self, target: Target) -> bool:
        """Whether the operator named this very host, so that it may have a private address."""
        return any(entry.covers(target) for entry in self._trusted if not entry.below)


@dataclass(frozen=True)
class _Entry:
    """`below`: not the host itself but those below it."""

    host: str
    port: int | None
    below: bool

    @classmethod
    def of(cls, text: str) -> Self:
        authority = text.removeprefix("*.")
        found = split(f"[{authority}]" if authority.count(":") > 1 and "[" not in authority else authority)
        below = authority != text
        if found is None or (below and is_address(found[0])):
            raise ConfigurationError(
                f"AGENT_NETWORK_HOSTS: {text} is no host. Write example.com, example.com:8443 or *.example.com; "
                "AGENT_NETWORK=open allows every host."
            )
        return cls(*found, below)

    def covers(self, target: Target) -> bool:
        usual = TLS_PORT if target.tunnel else HTTP_PORT
        named = target.host.endswith(f".{self.host}") if self.below else target.host == self.host
        return named and target.port == (self.port or usual)


def registry_hosts(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The hosts of public package registries, and of the operator's mirrors."""
    return (*PUBLIC_REGISTRIES, *mirrors(environment))


def mirrors(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Hosts of the mirrors that variables such as `PIP_INDEX_URL` name, `host:port` where a port is given."""
    urls = (
        url
        for name, value in environment.items()
        if _MIRROR_VARIABLES.fullmatch(name.lower())
        for url in _URL.findall(value)
    )
    return tuple(dict.fromkeys(host for url in urls if (host := _host_of(url)) is not None))


def canonical(host: str) -> str | None:
    """The one spelling of a host name or address: lower case, without the root's dot. None: it is neither."""
    host = host.lower().removesuffix(".")
    try:
        return None if "%" in host else str(ipaddress.ip_address(host))
    except ValueError:
        return host if _NAME.fullmatch(host) else None


def is_address(host: str) -> bool:
    """Whether a canonical host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def split(authority: str) -> tuple[str, int | None] | None:
    """Host and port of `host`, `host:port`, `[address]:port`; None when it is none of these."""
    try:
        parts = urlsplit(f"//{authority}")
        host, port = canonical(parts.hostname or ""), parts.port
    except ValueError:
        return None
    if host is None or port == 0 or parts.netloc != authority or "@" in authority:
        return None
    return host, port


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and authority of a URL; both empty when it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def _host_of(url: str) -> str | None:
    if (found := split(origin_of(url)[1].rpartition("@")[2])) is None:
        return None
    host, port = found
    return host if port is None else str(Target(host, port, tunnel=True))
