"""Reads request bodies that strangers send, and says what is wrong with them."""

import re

from fastapi import Request
from pydantic import ValidationError

from app.errors import InvalidInput, TooLarge

MOST_BYTES = 1 << 20


async def limited_body(request: Request) -> bytes:
    """The raw body. Raises TooLarge over 1 MiB, without reading on."""
    if _declared_bytes(request) > MOST_BYTES:
        raise TooLarge(MOST_BYTES)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooLarge(MOST_BYTES)
    return bytes(body)


def as_invalid_input(error: ValidationError) -> InvalidInput:
    """The first fault of a validation, with its place in the body."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"]) or "body"
    return InvalidInput(place, fault["msg"].removeprefix("Value error, "))


def _declared_bytes(request: Request) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared) if re.fullmatch("[0-9]{1,18}", declared) else 0
