"""Where a request comes from. A browser sends its cookies with what any other site makes it send; that is refused here.

Requests that prove themselves by a bearer token or a signature need no such proof: no other site can make them.
"""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.requests import HTTPConnection

from app.errors import Forbidden

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def check_same_origin(request: Request) -> None:
    """Raise Forbidden unless the request only reads, carries a bearer token, or was sent by a page of this service."""
    if request.method not in _SAFE_METHODS and not has_bearer(request) and not _own_page(request):
        raise _foreign(request)


def check_not_foreign(request: Request) -> None:
    """The same, but what says nothing about its origin is taken, as programs' requests are: no browser is so quiet."""
    if request.method not in _SAFE_METHODS and _own_page(request) is False:
        raise _foreign(request)


def has_bearer(connection: HTTPConnection) -> bool:
    """Whether the request carries a bearer token, right or wrong. Browsers send none of their own accord."""
    return connection.headers.get("authorization", "").lower().startswith("bearer ")


def _own_page(request: Request) -> bool | None:
    """Whether a page of this service sent it; None when the request does not say."""
    headers = request.headers
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in {"same-origin", "none"}
    # Browsers leave Sec-Fetch-Site out on plain http.
    if (sender := headers.get("origin") or headers.get("referer")) is None:
        return None
    try:
        host = urlsplit(sender).netloc
    except ValueError:
        return False
    return host != "" and host == headers.get("host")


def _foreign(request: Request) -> Forbidden:
    host = request.headers.get("host", "this service")
    return Forbidden(
        f"This was not sent by a page of {host}, so nothing was done. Open the page there and send it again; programs "
        "send ADMIN_ACCESS_CODE as a bearer token."
    )
