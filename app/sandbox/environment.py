"""The environment of programs in a room: an allow-list, and values that name the room's own places.

It refuses values that hold a password, such as that of a private registry or proxy.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

_PERSONAL = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "USER", "LOGNAME")
TLS = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
    "NIX_SSL_CERT_FILE", "PIP_CERT", "AWS_CA_BUNDLE",
)  # fmt: skip
"""Files and directories of certificates."""
TOOLCHAINS = (
    "BUN_INSTALL", "DENO_INSTALL", "GOROOT", "JAVA_HOME", "NVM_DIR", "PIP_FIND_LINKS", "PNPM_HOME", "PYENV_ROOT",
    "RUSTUP_HOME", "UV_FIND_LINKS", "UV_PYTHON", "UV_PYTHON_INSTALL_DIR", "VOLTA_HOME",
)  # fmt: skip
"""Places of the operator's toolchains, which are read."""
_SOURCES = (
    "GONOSUMDB", "GOPROXY", "GOSUMDB", "NPM_CONFIG_REGISTRY", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL",
    "RUSTUP_AUTO_INSTALL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL",
    "YARN_NPM_REGISTRY_SERVER", "npm_config_registry",
)  # fmt: skip
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_LOOPBACK = "localhost,127.0.0.1,::1"

_HOMES = {"RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv"}
"""Toolchains that are looked for in the home directory unless a variable says where: a room has another home."""
_CACHES = {
    "CARGO_HOME": "cargo", "COREPACK_HOME": "corepack", "GOCACHE": "go-build", "GOMODCACHE": "go-mod",
    "PIP_CACHE_DIR": "pip", "UV_CACHE_DIR": "uv", "XDG_CACHE_HOME": "xdg", "YARN_CACHE_FOLDER": "yarn",
    "npm_config_cache": "npm", "npm_config_store_dir": "pnpm",
}  # fmt: skip

_FIXED = {
    "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",  # /etc/gitconfig may hold a password and is not shown, without which git stops
    "GIT_OPTIONAL_LOCKS": "0",  # a worktree's index is in the common .git, which a room cannot write
    "GIT_TERMINAL_PROMPT": "0",
}
_PASSWORD = re.compile(r"//[^/\s]*@")


def for_programs(
    own: Mapping[str, str],
    *,
    directory: Path,
    operator: tuple[str, ...] = (),
    cache: Path | None,
    proxy: int | None,
    operators_proxies: bool,
) -> dict[str, str]:
    """The environment of a room at `directory`, out of this process's `own` variables.

    `operator` names more of them. `cache` is shared by rooms; without it a room's caches are in its home. `proxy` is
    the port of the proxy that package managers are to use.
    """
    names = (*_PERSONAL, *TLS, *TOOLCHAINS, *_SOURCES, *operator)
    if operators_proxies:
        names += (*_PROXIES, *(name.lower() for name in _PROXIES))
    return {
        **toolchain_homes(own),
        **{name: own[name] for name in names if name in own and not _PASSWORD.search(own[name])},
        **_FIXED,
        **({name: str(cache / place) for name, place in _CACHES.items()} if cache is not None else {}),
        **(_proxied(proxy) if proxy is not None else {}),
        "PATH": search_path(own),
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
    }


def toolchain_homes(own: Mapping[str, str]) -> dict[str, str]:
    """Where toolchains are that are found without a variable, by the variable that says so."""
    home = Path(own.get("HOME") or "/")
    return {name: str(home / place) for name, place in _HOMES.items() if (home / place).is_dir()}


def _proxied(port: int) -> dict[str, str]:
    address = f"http://127.0.0.1:{port}"
    values = {"HTTP_PROXY": address, "HTTPS_PROXY": address, "NO_PROXY": _LOOPBACK}
    others = {"YARN_HTTP_PROXY": address, "YARN_HTTPS_PROXY": address, "NODE_USE_ENV_PROXY": "1"}
    return {**values, **{name.lower(): value for name, value in values.items()}, **others}


def search_path(own: Mapping[str, str]) -> str:
    """The search path without this service's virtual environment, whose programs are not the repository's."""
    path = own.get("PATH", os.defpath)
    if sys.prefix == sys.base_prefix:
        return path
    ours = str(Path(sys.prefix) / "bin")
    return os.pathsep.join(part for part in path.split(os.pathsep) if part != ours)
