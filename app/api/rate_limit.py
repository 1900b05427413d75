"""How often one address may knock."""

from fastapi import Request, Response
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded

from app.api.addresses import address_of

__all__ = ["Limiter", "RateLimitExceeded", "limit_headers", "make_limiter"]


def make_limiter() -> Limiter:
    """A limiter with its counts in memory; the answer's headers say what is left."""
    return Limiter(key_func=address_of, headers_enabled=True)


def limit_headers(request: Request, response: Response) -> Response:
    """The response with the seconds after which the next request is taken."""
    limiter: Limiter = request.app.state.limiter
    limited: Response = limiter._inject_headers(response, request.state.view_rate_limit)  # noqa: SLF001 - as slowapi does
    return limited
