"""The operator's own proxy, which the allow-listing one goes through where HTTPS_PROXY or HTTP_PROXY is set.

It then looks names up and connects, so it and not we judge their addresses. Its credentials are in no log, no message
and no `repr`.
"""

import base64
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from app.errors import ConfigurationError
from app.sandbox.proxy_hosts import Target

_USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Upstream:
    """Address of an HTTP proxy; `tls`: it is itself spoken to by TLS. `authorization` is a header's value, or empty."""

    host: str
    port: int
    tls: bool
    authorization: str = field(default="", repr=False)

    def headers(self) -> list[tuple[str, str]]:
        """What each request to it carries beside the request's own."""
        return [("Proxy-Authorization", self.authorization)] if self.authorization else []


class Upstreams:
    """Chooses by the variables that curl reads: HTTPS_PROXY for tunnels, HTTP_PROXY for the rest, ALL_PROXY, NO_PROXY.

    The name in lower case wins. Raises ConfigurationError for a proxy that is not spoken to by HTTP.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._of_tunnels = _upstream(environment, "https_proxy")
        self._of_http = _upstream(environment, "http_proxy")
        self._directly = {"no": environment.get("no_proxy") or environment.get("NO_PROXY") or ""}

    def of(self, target: Target) -> Upstream | None:
        """The proxy that leads to a target; None: it is connected to directly."""
        if urllib.request.proxy_bypass(str(target), self._directly):
            return None
        return self._of_tunnels if target.tunnel else self._of_http


def _upstream(environment: Mapping[str, str], name: str) -> Upstream | None:
    names = (name, name.upper(), "all_proxy", "ALL_PROXY")
    used = next((each for each in names if environment.get(each)), None)
    if used is None:
        return None
    url = environment[used]
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or _USUAL_PORTS[parts.scheme]
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:  # the value may hold a password, so that the message must not hold the value
        raise ConfigurationError(
            f"{used} is no address of an HTTP proxy. Write http://host:port, or set AGENT_NETWORK=none."
        )
    return Upstream(host, port, parts.scheme == "https", _basic(parts.username, parts.password))


def _basic(user: str | None, password: str | None) -> str:
    if not user:
        return ""
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return "Basic " + base64.b64encode(pair).decode()
