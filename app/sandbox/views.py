"""What every room shows of this machine: the system, toolchains, devices. It refuses places where people keep secrets.

A directory is shown whole or not at all, since Landlock cannot take a part away again. So what would hold the
workspace, the operator's home or the service's `.env` is not shown, and of a toolchain in that home only the entries
that do not look like credentials are.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

from app.sandbox.environment import TLS, TOOLCHAINS, search_path, toolchain_homes

_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt",
    "/proc", "/sys/fs/cgroup", "/sys/devices/system",
)  # fmt: skip
_ETC = (
    "alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version",
    "fonts", "gai.conf", "group", "host.conf", "hostname", "hosts", "inputrc", "java*", "ld.so.*", "locale.*",
    "localtime", "login.defs", "lsb-release", "magic*", "maven", "mime.types", "netconfig", "networks",
    "nsswitch.conf", "os-release", "passwd", "perl", "pki/ca-trust", "pki/tls/cert*", "profile", "profile.d",
    "protocols", "python*", "resolv.conf", "rpc", "services", "shells", "ssl/cert*", "ssl/openssl.cnf", "terminfo",
    "timezone", "xattr.conf",
)  # fmt: skip
_ETC_UNLESS_SECRET = ("npmrc", "pip.conf", "uv/uv.toml")
"""Settings of package managers for the whole machine, where some keep a registry's password."""
_SECRET = re.compile(r"//[^/\s]*@|_auth|_password|token|extraheader", re.IGNORECASE)
_MOST_BYTES = 1 << 16

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where the C library has it
"""Terminals are not here: a program could read and write those of the person who started the service."""

_CREDENTIALS = (
    "*credential*", "*token*", "*secret*", "*password*", "auth*", ".npmrc", ".yarnrc*", ".netrc", ".pypirc", ".env*",
    "*.pem", "*.key", "*history*", ".ssh", ".gnupg",
)  # fmt: skip
_OF_HOMES_LOCAL = ("bin", "lib", "share/uv", "share/mise", "share/pnpm", "share/pipx", "share/rtx")


def shown(environment: Mapping[str, str], *, workspace: Path) -> tuple[str, ...]:
    """Directories and files that a program in any room may read; some may not exist."""
    hidden = _hidden(environment, workspace)
    found = [*_SYSTEM, *_etc(), *_of_variables(environment), *_toolchains(environment, hidden), sys.base_prefix]
    return tuple(_outermost(path for path in found if not _holds(Path(path), hidden)))


def _outermost(paths: Iterable[str]) -> Iterator[str]:
    """Each path that is not in another one."""
    kept = ""
    for path in sorted({os.path.normpath(path) for path in paths}, key=lambda each: f"{each}/"):
        if not kept or not path.startswith(f"{kept}/"):
            kept = path
            yield path


def _hidden(environment: Mapping[str, str], workspace: Path) -> tuple[Path, ...]:
    settings = Path(".env").resolve()
    found = [Path("/"), workspace.resolve(), *([settings] if settings.exists() else [])]
    if home := environment.get("HOME"):
        found += [Path(home).resolve(), Path(home).resolve() / ".local" / "share"]
    return tuple(found)


def _holds(path: Path, hidden: tuple[Path, ...]) -> bool:
    """Whether one of the hidden places is there or below."""
    real = path.resolve()
    return any(place.is_relative_to(real) for place in hidden)


def _etc() -> Iterator[str]:
    etc = Path("/etc")
    for pattern in _ETC:
        yield from map(str, etc.glob(pattern))
    for name in _ETC_UNLESS_SECRET:
        if _without_secret(etc / name):
            yield str(etc / name)


def _without_secret(file: Path) -> bool:
    try:
        with file.open(errors="replace") as opened:
            return _SECRET.search(opened.read(_MOST_BYTES)) is None
    except OSError:
        return False


def _of_variables(environment: Mapping[str, str]) -> Iterator[str]:
    told = {**toolchain_homes(environment), **environment}
    for name in (*TLS, *TOOLCHAINS):
        value = told.get(name, "")
        if value.startswith("/"):
            yield from _shown_part(Path(value), environment)


def _toolchains(environment: Mapping[str, str], hidden: tuple[Path, ...]) -> Iterator[str]:
    """The directories of the search path, with what their programs need beside them."""
    home = Path(environment.get("HOME") or "/")
    for part in search_path(environment).split(os.pathsep):
        directory = Path(part)
        if not directory.is_absolute():
            continue
        prefix = directory.parent if directory.name in {"bin", "sbin", "shims"} else directory
        tree = directory if _holds(prefix, hidden) else prefix
        yield from _shown_part(tree, environment)
    for name in _OF_HOMES_LOCAL:
        yield str(home / ".local" / name)


def _shown_part(path: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The path itself, or of a directory in the operator's home what does not look like a credential."""
    home = Path(environment.get("HOME") or "/")
    if home == Path("/") or not path.is_relative_to(home) or not path.is_dir():
        yield str(path)
        return
    yield from _entries(path)


def _entries(directory: Path) -> Iterator[str]:
    try:
        entries = list(directory.iterdir())
    except OSError:
        return
    for entry in entries:
        if not any(fnmatch(entry.name.lower(), pattern) for pattern in _CREDENTIALS):
            yield str(entry)
