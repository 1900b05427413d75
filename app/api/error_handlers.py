"""What a caller hears when something is wrong: one sentence, and the field where it is one field's fault."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from slowapi.errors import RateLimitExceeded
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from app.api.rate_limit import too_many
from app.errors import Conflict, InvalidInput, NotFound, StoreUnavailable, TooLarge, Unauthorized
from app.logger import get_logger

_log = get_logger(__name__)

_STATUS: dict[type[Exception], int] = {
    InvalidInput: 422,
    TooLarge: 413,
    Unauthorized: 401,
    NotFound: 404,
    Conflict: 409,
    StoreUnavailable: 503,
}

_HEADERS: dict[type[Exception], dict[str, str]] = {
    Unauthorized: {"WWW-Authenticate": "Bearer"},
    StoreUnavailable: {"Retry-After": "5"},
}


def install(app: FastAPI) -> None:
    """Give the app its error handlers."""
    for kind in _STATUS:
        app.add_exception_handler(kind, _said)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(RateLimitExceeded, too_many)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _broken)


def _said(_request: Request, error: Exception) -> Response:
    body = {"detail": str(error)}
    if isinstance(error, InvalidInput):
        body["field"] = error.field
    headers = _HEADERS.get(type(error))
    return JSONResponse(body, status_code=_STATUS[type(error)], headers=headers)


def _unreadable(_request: Request, error: Exception) -> Response:
    fault = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    field = ".".join(str(part) for part in fault["loc"][1:]) or "body"
    return JSONResponse({"detail": f"{field}: {fault['msg']}", "field": field}, status_code=422)


def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody hears it: who asked went away before the end of the body


def _broken(request: Request, error: Exception) -> Response:
    _log.error("request broke", path=request.url.path, exc_info=error)
    return JSONResponse({"detail": "auto-code met an error of its own; its log has it."}, status_code=500)
