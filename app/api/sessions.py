"""The cookie of a person who signed in with the organisation's code: it holds the name, signed, for 30 days."""

import hashlib
import hmac

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

COOKIE = "auto-code"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Browsers take this name from this very host only, not from one beside it."""

_DAYS_30 = 30 * 24 * 3600


class Sessions:
    """Signs with a key made of the code, so that another code signs everybody out.

    `secure` keeps the cookie on https whatever the request came by.
    """

    def __init__(self, *, code: str, secure: bool) -> None:
        key = hmac.digest(code.encode(), b"auto-code: sessions", hashlib.sha256)
        self._serializer = URLSafeTimedSerializer(key, signer_kwargs={"digest_method": hashlib.sha256})
        self._secure = secure
        self._cookie = SECURE_COOKIE if secure else COOKIE

    def name(self, connection: HTTPConnection) -> str | None:
        """Who is signed in here; None when nobody is, the cookie was changed, or is older than 30 days."""
        try:
            name = self._serializer.loads(connection.cookies.get(self._cookie, ""), max_age=_DAYS_30)
        except BadData:
            return None
        return name if isinstance(name, str) else None

    def begin(self, response: Response, connection: HTTPConnection, name: str) -> None:
        """Sign a person in."""
        response.set_cookie(
            self._cookie,
            str(self._serializer.dumps(name)),
            max_age=_DAYS_30,
            httponly=True,
            samesite="lax",
            secure=self._secure or connection.scope["scheme"] == "https",
        )

    def end(self, response: Response) -> None:
        """Sign the person out."""
        response.delete_cookie(self._cookie, httponly=True, samesite="lax", secure=self._secure)
