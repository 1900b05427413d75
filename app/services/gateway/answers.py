"""What the gateway answers by itself, in the API's own shape, so that the CLI understands it as one of the API's."""

import json

from app.services.gateway.listener import Connection, Headers

_JSON = (b"content-type", b"application/json")
FINAL = (b"x-should-retry", b"false")
"""The CLI does not try again what was answered with this."""

_KINDS = {
    400: "billing_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    502: "api_error",
    529: "overloaded_error",
}


async def refuse(connection: Connection, status: int, message: str) -> None:
    """Answer with an error that is not worth another try."""
    error = {"type": "error", "error": {"type": _KINDS[status], "message": message}}
    await answer(connection, status, (_JSON, FINAL), json.dumps(error).encode())


async def answer(connection: Connection, status: int, headers: Headers, body: bytes) -> None:
    """Answer with a whole body."""
    connection.begin(status, [*headers, (b"content-length", str(len(body)).encode())])
    await connection.send(body)
    connection.end()
