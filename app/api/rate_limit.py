"""How often one address may knock."""

from fastapi import Request, Response
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.responses import JSONResponse

from app.api.security import address_of

__all__ = ["Limiter", "make_limiter", "too_many"]


def make_limiter() -> Limiter:
    """A limiter with its counts in memory; the answer's headers say what is left."""
    return Limiter(key_func=address_of, headers_enabled=True)


def too_many(request: Request, error: Exception) -> Response:
    """429, with the seconds after which the next request is taken."""
    limit = error.detail if isinstance(error, RateLimitExceeded) else "too many"
    response = JSONResponse({"detail": f"Too many requests: {limit}. Try again after Retry-After."}, status_code=429)
    limiter: Limiter = request.app.state.limiter
    limited: Response = limiter._inject_headers(response, request.state.view_rate_limit)  # noqa: SLF001 - as slowapi does
    return limited
