"""What a caller hears when something is wrong: one sentence, and the field where it is one field's fault.

Programs and scripts get it as JSON, people who open an address as a page.
"""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from slowapi.errors import RateLimitExceeded
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from app.api.headers import security_headers
from app.api.identity import SignInNeeded
from app.api.proofs import TooManyFailures
from app.api.rate_limit import limit_headers
from app.errors import (
    AutoCodeError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    StoreUnavailable,
    TemporarilyFailed,
    TooLarge,
    Unauthorized,
    WorkFailed,
)
from app.logger import get_logger

_log = get_logger(__name__)

DrawPage = Callable[[int, str], str]
"""Draws the page for a status and a sentence."""

_STATUS: dict[type[AutoCodeError], int] = {
    InvalidInput: 422,
    TooLarge: 413,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooManyFailures: 429,
    StoreUnavailable: 503,
    TemporarilyFailed: 503,
    WorkFailed: 502,
    AutoCodeError: 500,
}

_HEADERS: dict[int, dict[str, str]] = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}

_FOR_PROGRAMS = ("/api/", "/webhook/", "/health", "/ready", "/live", "/metrics")


def install(app: FastAPI, *, draw: DrawPage) -> None:
    """Give the app its error handlers; `draw` makes the pages."""
    app.state.draw_error = draw
    app.add_exception_handler(AutoCodeError, _said)
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RateLimitExceeded, _too_many)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _broken)


def status_of(error: AutoCodeError) -> int:
    """The HTTP status that says what kind of error it is."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def answer_to(request: Request, error: AutoCodeError) -> Response:
    """The answer that says it: a page for people, JSON for programs."""
    status = status_of(error)
    field = error.field if isinstance(error, InvalidInput) else None
    headers = _HEADERS.get(status)
    if isinstance(error, TooManyFailures):
        headers = {"Retry-After": str(error.retry_after_s)}
    return _answer(request, status, str(error), field=field, headers=headers)


def wants_page(request: Request) -> bool:
    """Whether a person opens an address, or sends a form without scripts."""
    if request.scope["path"].startswith(_FOR_PROGRAMS) or "hx-request" in request.headers:
        return False
    return "text/html" in request.headers.get("accept", "")


def _said(request: Request, error: Exception) -> Response:
    return answer_to(request, error if isinstance(error, AutoCodeError) else AutoCodeError(str(error)))


def _sign_in(request: Request, error: Exception) -> Response:
    if not wants_page(request):
        return _said(request, error)
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    wanted = f"?next={quote(f'{path}?{query}' if query else path)}" if request.method == "GET" else ""
    return RedirectResponse(f"/login{wanted}", status_code=303)


def _unreadable(request: Request, error: Exception) -> Response:
    fault = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    field = ".".join(str(part) for part in fault["loc"][1:]) or "body"
    return _answer(request, 422, f"{field}: {fault['msg']}", field=field)


def _refused(request: Request, error: Exception) -> Response:
    """An address that is none, or a method that it does not take."""
    status, detail, headers = 500, str(error), None
    if isinstance(error, HTTPException):
        status, detail, headers = error.status_code, error.detail, error.headers
    if status == 404 and wants_page(request):  # noqa: PLR2004
        detail = f"There is no page {request.scope['path'][:100]}. Go to the list of code runs."
    return _answer(request, status, detail, headers=headers)


def _too_many(request: Request, error: Exception) -> Response:
    limit = error.detail if isinstance(error, RateLimitExceeded) else "too many"
    response = _answer(request, 429, f"Too many requests: {limit}. Try again after Retry-After.")
    return limit_headers(request, response)


def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody hears it: who asked went away before the end of the body


def _broken(request: Request, error: Exception) -> Response:
    _log.error("request broke", path=request.scope["path"], exc_info=error)
    response = _answer(request, 500, "auto-code met an error of its own; its log has it.")
    # This answer is made outside of all middleware.
    https = request.app.state.settings.production or request.scope["scheme"] == "https"
    response.headers.update({"Cache-Control": "no-store", **security_headers(https=https)})
    return response


def _answer(
    request: Request,
    status: int,
    detail: str,
    *,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    if wants_page(request):
        draw: DrawPage = request.app.state.draw_error
        return HTMLResponse(draw(status, detail), status_code=status, headers=dict(headers or {}))
    body = {"detail": detail} | ({"field": field} if field is not None else {})
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))
